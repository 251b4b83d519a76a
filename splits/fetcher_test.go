package splits_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// distant is a Streams whose reads take a millisecond each. It records how many splits each read
// names.
type distant struct {
	splits.Streams

	mu    sync.Mutex
	named []int
}

func (d *distant) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	d.mu.Lock()
	d.named = append(d.named, len(req.Cursors))
	d.mu.Unlock()
	time.Sleep(time.Millisecond)
	return d.Streams.Fetch(ctx, req)
}

// take returns the records since the last call.
func (d *distant) take() (named []int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	named, d.named = d.named, nil
	return named
}

// far joins a member that reads from a distant server.
func (w *world) far(change ...func(*splits.Config, *member)) (*member, *distant) {
	d := &distant{}
	return w.join("a", append(change, func(c *splits.Config, _ *member) { d.Streams = c.Streams; c.Streams = d })...), d
}

func TestBusySplitIsReadAsIfItWereAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 200)
		a, log := w.far()
		settle(3 * time.Second)
		log.take()
		for range 30_000 {
			w.store.Append(w.only(), "n", "busy")
		}
		quiet := w.store.Split("orders", 150)
		settle(7 * time.Millisecond)
		w.store.Append(quiet, "n", "quiet")
		began := time.Now()
		settle(150 * time.Millisecond)
		require.Equal(t, 30_001, a.count())
		for _, d := range a.deliveries() {
			if d.split == quiet {
				assert.Less(t, d.at.Sub(began), 10*time.Millisecond, "a quiet split waits for no backlog")
			}
		}
		alone, all := 0, log.take()
		for _, n := range all {
			if n == 1 {
				alone++
			}
		}
		assert.Less(t, len(all), 60, "30 reads of 1,000 entries would do")
		assert.Greater(t, alone, len(all)/2)
	})
}

// A split that returns few entries has no backlog, however few were requested.
func TestTrickleOverManySplitsFlowsImmediately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 64)
		a, _ := w.far()
		settle(3 * time.Second)
		var written []time.Time
		for i := range 300 {
			for range 1 + i%3/2 {
				written = append(written, time.Now())
				w.store.Append(w.store.Split("orders", i%64), "n", "x")
			}
			settle(time.Duration(700+i) * time.Microsecond)
		}
		settle(10 * time.Millisecond)
		got := a.deliveries()
		require.Len(t, got, len(written))
		for i, d := range got {
			assert.Less(t, d.at.Sub(written[i]), 3*time.Millisecond, "message %d", i)
		}
	})
}

func TestSplitsWithABacklogTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 100)
		w.fillSized(2000, 300)
		a, log := w.far()
		settle(3 * time.Second)
		require.Equal(t, 100*2000, a.count())
		few := 0
		for _, n := range log.take()[20:60] { // the counts have grown, and few reads are left
			if n <= 16 {
				few++
			}
		}
		assert.Greater(t, few, 25)
	})
}

// The backlog fills each request, since there is room for one entry only.
func TestIdleSplitsAreReadDespiteABacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		a, _ := w.far(func(c *splits.Config, _ *member) { c.FetchMax = mega })
		settle(3 * time.Second)
		body := strings.Repeat("x", mega)
		for range 2000 {
			w.store.Append(w.store.Split("orders", 0), "n", "busy", "body", body)
			w.store.Append(w.store.Split("orders", 1), "n", "busy", "body", body)
		}
		settle(100 * time.Millisecond)
		w.store.Append(w.store.Split("orders", 2), "n", "quiet")
		settle(500 * time.Millisecond)
		assert.Contains(t, a.texts(), "quiet")
		assert.Less(t, a.count(), 4000, "the backlog is not through")
	})
}
