package splits_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// begin makes a group start in the middle of n entries in one split, and returns their offsets.
func (w *world) begin(n, middle int) (offsets []splits.Offset, start splits.Start) {
	for range n {
		offsets = append(offsets, w.store.Append(w.store.Split("orders", 0), "body", "x"))
		time.Sleep(time.Millisecond)
	}
	return offsets, splits.StartAt(offsets[middle])
}

// stuck is a member whose pipeline acknowledges nothing.
func stuck(start splits.Start) func(c *splits.Config, m *member) {
	return func(c *splits.Config, m *member) {
		c.Start, c.BatchSize, c.SplitBuffer, m.handle = start, 4, 1, func(*splits.Batch) {}
	}
}

func (m *member) sample() (one splits.Sample) {
	return see(m, func() splits.Sample {
		require.Len(m.w.t, m.samples, 1)
		return m.samples[0]
	})
}

func TestLagIsCountedAfterAStartInTheMiddle(t *testing.T) {
	for name, middle := range map[string]int{"from the end": 2900, "from the front": 100, "half way": 1500} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			_, start := w.begin(3000, middle)
			m := w.join("a", stuck(start))
			settle(6 * time.Second)
			assert.False(t, m.sample().LagExact, name)
			assert.EqualValues(t, 2999, m.sample().Lag, "%s: the bound", name)
			settle(6 * time.Second)
			assert.True(t, m.sample().LagExact, name)
			assert.EqualValues(t, 3000-middle, m.sample().Lag, name)
			settle(2 * time.Second)
			assert.EqualValues(t, middle, w.lease(0).Position.EntriesRead, "%s: it is stored", name)
			assert.LessOrEqual(t, m.faults.Counts(splitstest.Count).Calls, 15, "%s: it begins on the nearer side", name)
			m.stop()

			again := w.join("b", stuck(splits.Earliest()))
			settle(6 * time.Second)
			assert.True(t, again.sample().LagExact, "%s: the next member knows", name)
			assert.Zero(t, again.faults.Counts(splitstest.Count).Calls, name)
		})
	}
}

func TestLagIsCountedWhileTheSplitIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		_, start := w.begin(3000, 1000)
		m := w.join("a", func(c *splits.Config, m *member) {
			c.Start, c.BatchSize, c.SplitBuffer = start, 10, 10_000
			m.handle = func(b *splits.Batch) { time.Sleep(99 * time.Millisecond); b.Ack() }
		})
		settle(12 * time.Second)
		require.Less(t, m.count(), 1900, "it is not at the end yet")
		require.True(t, m.sample().LagExact)
		settle(time.Second)
		at := w.lease(0).Position
		assert.EqualValues(t, 1000, at.EntriesRead-w.readBy(m, at.Offset))
	})
}

// readBy returns how many entries a member received up to an offset.
func (w *world) readBy(m *member, at splits.Offset) (n int64) {
	for _, d := range m.deliveries() {
		if d.offset.Compare(at) <= 0 {
			n++
		}
	}
	return n
}

func TestDeletedEntriesAreNotLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		offsets, _ := w.begin(10, 0)
		m := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize = 9
			m.handle = func(b *splits.Batch) {
				if len(b.Entries) == 9 {
					b.Ack()
				}
			}
		})
		settle(2 * time.Second)
		w.store.Delete(w.store.Split("orders", 0), offsets[9])
		settle(20 * time.Second)
		assert.True(t, m.sample().LagExact)
		assert.Zero(t, m.sample().Lag, "the only entry behind the position was deleted")
		assert.EqualValues(t, 9, w.lease(0).Position.EntriesRead, "what it has read is another matter")
		assert.Empty(t, m.losses)
	})
}

func TestTrimmedEntriesAreNotLag(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		m := w.join("a", stuck(splits.Earliest()))
		settle(6 * time.Second)
		assert.EqualValues(t, 10, m.sample().Lag)
		w.store.TrimTo(w.store.Split("orders", 0), 3)
		settle(5 * time.Second)
		assert.EqualValues(t, 3, m.sample().Lag)
		w.store.TrimTo(w.store.Split("orders", 0), 0)
		settle(5 * time.Second)
		assert.EqualValues(t, 0, m.sample().Lag)
		assert.True(t, m.sample().LagExact)
		assert.EqualValues(t, 0, m.sample().LagAge)
	})
}

// A count that fails leaves the upper bound and affects nothing else.
func TestCountThatFailsLeavesTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		_, start := w.begin(3000, 2000)
		m := w.join("a", stuck(start))
		m.faults.Set(splitstest.Count, splitstest.Fault{Fail: errors.New("no")})
		settle(30 * time.Second)
		assert.EqualValues(t, 2999, m.sample().Lag)
		assert.Empty(t, m.troubles)
		assert.LessOrEqual(t, m.faults.Counts(splitstest.Count).Calls, 4, "it is not tried all the time")
		m.faults.Set(splitstest.Count, splitstest.Fault{})
		settle(30 * time.Second)
		assert.EqualValues(t, 1000, m.sample().Lag)
	})
}

// slowLog is a Streams that takes time to count.
type slowLog struct {
	splits.Streams
	mu     sync.Mutex
	worked time.Duration
	most   time.Duration
}

func (l *slowLog) Count(ctx context.Context, req splits.CountRequest) (splits.Counted, error) {
	counted, err := l.Streams.Count(ctx, req)
	counted.Took = time.Duration(req.Most) * 10 * time.Microsecond
	time.Sleep(counted.Took)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.worked += counted.Took
	l.most = max(l.most, counted.Took)
	return counted, err
}

// work returns the total time of counting, and the longest slice.
func (l *slowLog) work() (worked, most time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.worked, l.most
}

func TestCountingTakesLittleOfTheStoresTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		_, start := w.begin(60_000, 30_000)
		log := &slowLog{}
		m := w.join("a", stuck(start), func(c *splits.Config, _ *member) { log.Streams, c.Streams = c.Streams, log })
		settle(16 * time.Second)
		assert.False(t, m.sample().LagExact)
		worked, most := log.work()
		assert.InDelta(t, 0.02, worked.Seconds()/11, 0.002, "of the time since the first sample")
		assert.LessOrEqual(t, most, 4*time.Millisecond, "it was doubled once too often")
		settle(20 * time.Second)
		assert.True(t, m.sample().LagExact)
		assert.EqualValues(t, 30_000, m.sample().Lag)
	})
}
