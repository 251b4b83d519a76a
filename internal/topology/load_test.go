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

// load is a writer that writes until it is told to stop.
type load struct {
	w       *writer
	stop    context.CancelFunc
	ended   chan error
	mu      sync.Mutex
	written int
}

// startLoad has the writer write on and on, in small batches.
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
			case <-time.After(2 * time.Millisecond): // the load of a modest machine
			case <-ctx.Done():
			}
		}
		l.ended <- err
	}()
	t.Cleanup(cancel)
	return l
}

// more waits until so many more messages have been written.
func (l *load) more(t *testing.T, n int) {
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
		"the output writes no more",
	)
}

// finish ends the load and returns how many messages were written.
func (l *load) finish(t *testing.T) int {
	t.Helper()
	l.stop()
	require.NoError(t, <-l.ended)
	return l.w.next
}

// lane is a writer of some keys, which says itself to which partition a message goes: messages of
// key k go to partition k modulo the number of partitions. Each round is a batch with one message
// of each key. Lanes with different keys may write at the same time.
type lane struct {
	push       service.MessageBatchHandlerFunc
	partitions int
	keys       []int
	rounds     int
}

// startLanes starts an output and a lane for each of the lists of partitions.
func startLanes(t *testing.T, d deployment, more string, partitions ...[]int) (*stream, []*lane) {
	t.Helper()
	w := startWriterWith(t, d, "partitioner: manual\npartition: ${! @partition }\n"+more)
	lanes := make([]*lane, len(partitions))
	for i, list := range partitions {
		lanes[i] = &lane{push: w.push, partitions: d.partitions}
		for _, p := range list {
			for k := p; k < keys; k += d.partitions {
				lanes[i].keys = append(lanes[i].keys, k)
			}
		}
	}
	return w.stream, lanes
}

// write writes some rounds, one after the other.
func (l *lane) write(ctx context.Context, rounds int) error {
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

// numbers are those that were written.
func (l *lane) numbers() []int {
	var all []int
	for round := range l.rounds {
		for _, key := range l.keys {
			all = append(all, round*keys+key)
		}
	}
	return all
}
