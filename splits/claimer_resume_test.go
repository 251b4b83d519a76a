package splits_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// note appends one entry with its text to the only split.
func (w *world) note(texts ...string) {
	for _, text := range texts {
		w.store.Append(w.only(), "n", text)
	}
}

func (w *world) only() splits.Split { return w.store.Split("orders", 0) }

// texts returns the texts of the entries that a member received.
func (m *member) texts() (all []string) {
	for _, d := range m.deliveries() {
		all = append(all, d.number)
	}
	return all
}

func (m *member) lostAll() []splits.Loss {
	return see(m, func() []splits.Loss { return append([]splits.Loss(nil), m.losses...) })
}

func TestDeletedStreamIsReportedOnceAndReadFromItsStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		a := w.join("a")
		settle(3 * time.Second)
		w.store.Drop(w.only())
		settle(20 * time.Second)
		losses := a.lostAll()
		require.Len(t, losses, 1)
		assert.Equal(
			t,
			splits.Loss{Split: w.only(), After: losses[0].After, Recreated: true, Gone: true, FullyRead: true},
			losses[0],
		)
		assert.Equal(t, splits.Position{}, w.lease(0).Position)
		require.True(t, w.store.AppendAt(w.only(), splits.Offset{Millis: 5}, "n", "low"))
		w.note("high")
		settle(20 * time.Second)
		assert.Equal(t, []string{"low", "high"}, a.texts()[5:])
		assert.Len(t, a.lostAll(), 1)
		assert.EqualValues(t, 2, w.lease(0).Position.EntriesRead)
	})
}

// blind is a Streams that does not answer reads which request the state of a stream.
type blind struct {
	splits.Streams
	on atomic.Bool
}

func (b *blind) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	if b.on.Load() && slices.ContainsFunc(req.Cursors, func(c splits.Cursor) bool { return c.Inspect }) {
		return nil, splitstest.ErrOutage
	}
	return b.Streams.Fetch(ctx, req)
}

// The stream was replaced before any state of it had been seen: only its entries are known.
func TestStreamDeletedAfterFirstReadIsReadFromItsStart(t *testing.T) {
	for name, soon := range map[string]bool{
		"seen while it is gone": false, "seen when it ends before the position": true,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				var log *blind
				a := w.join("a", func(c *splits.Config, _ *member) {
					log = &blind{Streams: c.Streams}
					c.Streams, c.SampleEvery = log, 100*time.Millisecond
				})
				comeBack := func() { require.True(t, w.store.AppendAt(w.only(), splits.Offset{Millis: 5}, "n", "low")) }
				settle(3 * time.Second)
				log.on.Store(true)
				w.note("first")
				settle(time.Millisecond)
				require.Equal(t, []string{"first"}, a.texts())
				w.store.Drop(w.only())
				if soon {
					comeBack()
				}
				settle(time.Second)
				log.on.Store(false)
				if !soon {
					comeBack()
				}
				w.note("high")
				settle(20 * time.Second)
				assert.Equal(t, []string{"first", "low", "high"}, a.texts())
			})
		})
	}
}

// dropping is a Streams whose stream is gone as soon as entries of it were read.
type dropping struct {
	splits.Streams
	drop func()
}

func (d *dropping) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	fetched, err := d.Streams.Fetch(ctx, req)
	if d.drop != nil && err == nil && len(fetched[0].Entries) > 0 {
		d.drop()
		d.drop = nil
	}
	return fetched, err
}

// The state of the stream comes with the next read only. Before that, the stream exists again and
// is longer than it was.
func TestReadThatFindsItsStreamDeletedRestartsIt(t *testing.T) {
	for _, fail := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			a := w.join("a", func(c *splits.Config, _ *member) {
				c.Streams = &dropping{c.Streams, func() { w.store.Drop(w.only()) }}
				c.SampleEvery, c.FailOnLoss = time.Hour, fail
			})
			settle(3 * time.Second)
			w.note("first")
			settle(3 * time.Second)
			require.True(t, w.store.AppendAt(w.only(), splits.Offset{Millis: 5}, "n", "low"))
			w.note("high")
			settle(20 * time.Second)
			if fail {
				assert.Equal(t, []string{"first"}, a.texts())
				assert.Len(t, a.lostAll(), 1)
			} else {
				assert.Equal(t, []string{"first", "low", "high"}, a.texts())
			}
		})
	}
}

func TestFetchedEntriesOfADeletedStreamAreHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		var held *splits.Batch
		w.fill(100)
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize, c.SplitBuffer = 1, 1
			m.handle = func(b *splits.Batch) { held = b }
		})
		settle(7 * time.Second) // one is in flight, 15 are fetched, 84 have been seen
		w.store.Drop(w.only())
		settle(6 * time.Second)
		assert.Empty(t, a.lostAll())
		a.handle = nil
		held.Ack()
		settle(6 * time.Second)
		assert.Equal(t, numbers(16), a.texts())
		losses := a.lostAll()
		require.Len(t, losses, 1)
		assert.EqualValues(t, 84, losses[0].Entries)
		assert.False(t, losses[0].Exact)
	})
}

func TestEntriesOfARecreatedStreamAreReadOnce(t *testing.T) {
	for name, c := range map[string]struct {
		before int
		write  func(w *world)
		want   []string
		read   int64
	}{
		"higher":               {10, func(w *world) { w.note("a", "b") }, []string{"a", "b"}, 2},
		"higher, more of them": {1, func(w *world) { w.note("a", "b", "c") }, []string{"a", "b", "c"}, 3},
		"lower": {10, func(w *world) {
			w.store.AppendAt(w.only(), splits.Offset{Millis: 5}, "n", "a")
		}, []string{"a"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.fill(c.before)
				a := w.join("a")
				settle(3 * time.Second)
				w.store.Drop(w.only())
				c.write(w)
				settle(20 * time.Second)
				assert.Equal(t, c.want, a.texts()[c.before:])
				losses := a.lostAll()
				require.Len(t, losses, 1)
				assert.True(t, losses[0].Recreated)
				assert.Zero(t, losses[0].Entries)
				assert.Equal(t, c.read, w.lease(0).Position.EntriesRead)
			})
		})
	}
}

// Entries before the position were skipped if entries behind it had been seen.
func TestRecreatedStreamWithLowerOffsetsIsReadFromItsStart(t *testing.T) {
	for before := range 4 {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1)
			w.fill(before + 1)
			a := w.join("a")
			settle(3 * time.Second)
			w.store.Drop(w.only())
			require.True(t, w.store.AppendAt(w.only(), splits.Offset{Millis: 5}, "n", "low"))
			require.True(t, w.store.AppendAt(w.only(), splits.Offset{Millis: 6}, "n", "low too"))
			w.note("high")
			settle(20 * time.Second)
			got := a.texts()[before+1:]
			assert.Subset(t, got, []string{"low", "low too", "high"})
			assert.LessOrEqual(t, len(got), 4, "what lay behind the position may come twice")
			assert.Len(t, a.lostAll(), 1)
		})
	}
}
