package acceptance

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// A pipeline that is stopped while batches are in flight finishes them first, and the next member
// reads the rest: each message is delivered once.
func TestMessagesInFlightAtShutdownAreDeliveredOnce(t *testing.T) {
	t.Parallel()
	const count = 400
	server := redistest.Start(t)
	newSource(t, server.Client(t)).write(t, count)

	var mu sync.Mutex
	received := map[string]int{}
	note := func(batch service.MessageBatch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, m := range batch {
			body, err := m.AsBytes()
			if err != nil {
				return err
			}
			received[string(body)]++
		}
		return nil
	}
	counted := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(received)
	}
	fields := "url: " + server.URL() + "\nstream_name: orders\nconsumer_group: readers\n" + longSession

	taken, gate := make(chan struct{}, count), make(chan struct{})
	leave := consumer(t, service.GlobalEnvironment(), func(_ context.Context, batch service.MessageBatch) error {
		taken <- struct{}{}
		<-gate
		return note(batch)
	}, fields)
	<-taken
	gone := make(chan struct{})
	go func() { // joined below
		defer close(gone)
		leave()
	}()
	select {
	case <-gone:
		require.Fail(t, "it did not wait for the pipeline")
	case <-time.After(2 * time.Second): // leaving waits for the pipeline, up to three quarters of ten seconds
	}
	close(gate)
	<-gone
	finished := counted()
	assert.Positive(t, finished)
	assert.Less(t, finished, count, "it stopped reading")

	consumer(
		t,
		service.GlobalEnvironment(),
		func(_ context.Context, batch service.MessageBatch) error { return note(batch) },
		fields,
	)
	require.Eventually(t, func() bool { return counted() == count }, 2*time.Minute, 10*time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	for i := range count {
		assert.Equal(t, 1, received[fmt.Sprint(i)], "message %d", i)
	}
}
