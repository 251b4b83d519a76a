package topology

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// load is a writer that writes until it is stopped.
type load struct {
	w       *writer
	stop    context.CancelFunc
	ended   chan error
	mu      sync.Mutex
	written int
}

// startLoad makes the writer write continuously, in small batches.
func startLoad(t *testing.T, w *writer) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{w: w, stop: cancel, ended: make(chan error, 1)}
	go func() { // ended by stop
		var err error
		for ctx.Err() == nil && err == nil {
			err = w.write(context.Background(), 10)
			l.mu.Lock()
			l.written = w.next
			l.mu.Unlock()
			select {
			case <-time.After(2 * time.Millisecond): // the load that a small machine can handle
			case <-ctx.Done():
			}
		}
		l.ended <- err
	}()
	t.Cleanup(cancel)
	return l
}

// awaitMore waits until n more messages have been written.
func (l *load) awaitMore(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.written
	}
	goal := count() + n
	require.Eventually(
		t,
		func() bool { return count() >= goal },
		2*time.Minute,
		5*time.Millisecond,
		"the output writes nothing more",
	)
}

// finish stops the load and returns the number of messages written.
func (l *load) finish(t *testing.T) int {
	t.Helper()
	l.stop()
	require.NoError(t, <-l.ended)
	return l.w.next
}

// manualWriter is a writer of some keys that selects the partition itself: messages with key k go
// to partition k modulo the number of partitions. Each round is a batch with one message of each
// key. Writers with different keys can write concurrently.
type manualWriter struct {
	push       service.MessageBatchHandlerFunc
	partitions int
	keys       []int
	rounds     int
}

// startManualWriters starts an output, and a manualWriter for each list of partitions.
func startManualWriters(t *testing.T, d deployment, more string, partitions ...[]int) (*stream, []*manualWriter) {
	t.Helper()
	w := startWriterWith(t, d, "partitioner: manual\npartition: ${! @partition }\n"+more)
	writers := make([]*manualWriter, len(partitions))
	for i, list := range partitions {
		writers[i] = &manualWriter{push: w.push, partitions: d.partitions}
		for _, p := range list {
			for k := p; k < keys; k += d.partitions {
				writers[i].keys = append(writers[i].keys, k)
			}
		}
	}
	return w.stream, writers
}

// write writes some rounds, one after the other.
func (l *manualWriter) write(ctx context.Context, rounds int) error {
	for range rounds {
		var batch service.MessageBatch
		for _, key := range l.keys {
			m := service.NewMessage([]byte(strconv.Itoa(l.rounds*keys + key)))
			m.MetaSetMut("key", strconv.Itoa(key))
			m.MetaSetMut("partition", strconv.Itoa(key%l.partitions))
			batch = append(batch, m)
		}
		l.rounds++
		if err := l.push(ctx, batch); err != nil {
			return fmt.Errorf("writing round %d: %w", l.rounds, err)
		}
	}
	return nil
}

// numbers returns the numbers that were written.
func (l *manualWriter) numbers() []int {
	var all []int
	for round := range l.rounds {
		for _, key := range l.keys {
			all = append(all, round*keys+key)
		}
	}
	return all
}
