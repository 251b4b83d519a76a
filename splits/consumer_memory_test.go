package splits_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// meter is a Streams that records the sizes of its replies, and how much is buffered when they
// arrive.
type meter struct {
	splits.Streams
	buffered func() int

	mu    sync.Mutex
	reads int
	reply int // bytes of the largest
	peak  int // the most that was buffered together with one
}

func (m *meter) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	fetched, err := m.Streams.Fetch(ctx, req)
	size := 0
	for _, f := range fetched {
		for _, e := range f.Entries {
			size += e.Size()
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	m.reply = max(m.reply, size)
	m.peak = max(m.peak, m.buffered()+size)
	return fetched, err
}

// metered joins a member whose reads are metered.
func (w *world) metered(change ...func(*splits.Config, *member)) (*member, *meter) {
	meter := &meter{}
	var joined *member
	ready := make(chan struct{})
	meter.buffered = func() int { <-ready; return splits.Buffered(joined.Consumer) }
	joined = w.join("a", append(change, func(c *splits.Config, _ *member) {
		meter.Streams = c.Streams
		c.Streams = meter
	})...)
	close(ready)
	return joined, meter
}

// fillSized appends n entries of a size to each split. They share their bytes.
func (w *world) fillSized(n, size int) {
	body := strings.Repeat("x", size)
	for _, s := range w.store.Splits("orders") {
		for range n {
			w.store.Append(s, "body", body)
		}
	}
}

const mega = 1_000_000

// slowly returns a handler that acknowledges each batch after a while.
func slowly(_ *splits.Config, m *member) {
	m.handle = func(b *splits.Batch) { m.out.Go(func() { time.Sleep(2 * time.Second); b.Ack() }) }
}

// README: memory is bounded by fetch_max_bytes plus one read.
func TestLargeEntriesOfManySplitsStayWithinTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 64)
		w.fillSized(20, mega)
		a, m := w.metered(slowly, func(c *splits.Config, _ *member) { c.FetchMax = 50 * mega })
		settle(time.Minute)
		assert.Equal(t, 64*20, a.count())
		t.Logf("%d reads, the largest %d bytes; at most %d bytes buffered", m.reads, m.reply, m.peak)
		assert.LessOrEqual(t, m.reply, 64*(mega+1000), "one entry of each split")
		assert.LessOrEqual(t, m.peak, 50*mega+m.reply)
	})
}

// The size of an entry is unknown before it is read, so the bound of a read is the number of
// requested entries times the size of the largest one.
func TestReadsOfSuddenlyLargeEntries(t *testing.T) {
	for name, c := range map[string]struct{ splits, small, entries int }{
		"from the first on":        {64, 0, 64},
		"early":                    {64, 20, 64 * 16},
		"of one split, early":      {1, 20, 32},
		"of one split, far away":   {1, 5000, 1000},
		"of a few splits, as well": {4, 20_000, 4 * 1000},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, c.splits)
				w.fillSized(c.small, 100)
				w.fillSized(320/c.splits, mega)
				a, m := w.metered(slowly)
				settle(15 * time.Minute)
				assert.Equal(t, c.splits*(c.small+320/c.splits), a.count())
				t.Logf("%d reads, the largest %d bytes; at most %d bytes buffered", m.reads, m.reply, m.peak)
				assert.LessOrEqual(t, m.reply, c.entries*(mega+1000))
				assert.LessOrEqual(t, m.peak, 50<<20+m.reply)
				a.stopGracefully()
			})
		})
	}
}

// A regression: a request that names only some of the splits can't block, and the bound on their
// number made a member read an idle topic 200 times a second.
func TestIdleTopicOfManySplitsIsReadBlocking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 64)
		a, m := w.metered(func(c *splits.Config, _ *member) { c.FetchMax = 50 * mega })
		settle(time.Minute)
		assert.Less(t, m.reads, 6*60)
		w.fillSized(1, mega) // together more than may be buffered
		settle(time.Minute)
		assert.Equal(t, 64, a.count())
		assert.Less(t, m.reads, 13*60)
	})
}
