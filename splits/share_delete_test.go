package splits_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// keeper is a sharer that deletes what it acknowledges, and records what it could not delete.
type keeper struct {
	*sharer

	mu   sync.Mutex
	kept int
	why  error
}

func (k *keeper) Kept(_ splits.Split, n int, why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kept, k.why = k.kept+n, why
}

func (k *keeper) result() (kept int, why error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept, k.why
}

// deleting starts a member that deletes what it acknowledges.
func (w *world) deleting(name string, change ...func(*splits.ShareConfig, *sharer)) *keeper {
	k := &keeper{}
	w.share(name, append(change, func(c *splits.ShareConfig, m *sharer) {
		k.sharer = m
		c.DeleteAcknowledged, c.Observer = true, k
	})...)
	return k
}

func TestShareAcknowledgedEntriesAreDeleted(t *testing.T) {
	inBubble(t, 2, func(w *world) {
		w.fill(100)
		slow := func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize = 7
			m.handle = func(b *splits.Batch) { time.Sleep(5 * time.Millisecond); b.Ack() }
		}
		a, b := w.deleting("a", slow), w.deleting("b", slow)
		settle(time.Second)
		w.wantEach(100, a.sharer, b.sharer)
		for _, split := range w.store.Splits("orders") {
			assert.Empty(t, w.store.Entries(split))
		}
		for _, m := range []*keeper{a, b} {
			assert.Empty(t, m.losses)
			kept, _ := m.result()
			assert.Zero(t, kept)
		}
	})
}

func TestShareEntriesThatAreNotAcknowledgedStay(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(5)
		w.deleting("a", func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) {
				if field(b.Entries[0], "n") == "3" {
					b.Nack(errRejected, nil)
					return
				}
				b.Ack()
			}
		})
		settle(time.Minute)
		left := w.store.Entries(w.only())
		require.Len(t, left, 1)
		assert.Equal(t, "3", field(left[0], "n"))
	})
}

func TestShareAcknowledgedEntriesStayBesideAnotherGroup(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		_, err := w.store.Group("orders", "other").Beat(t.Context(), splits.Beat{Member: "x", TTL: ttl})
		require.NoError(t, err)
		a := w.deleting("a")
		settle(time.Second)
		w.wantEach(10, a.sharer)
		assert.Empty(t, w.pending(0))
		assert.Len(t, w.store.Entries(w.only()), 10)
		kept, why := a.result()
		assert.Equal(t, 10, kept)
		assert.ErrorContains(t, why, "other")
	})
}

// Member b has taken over entries that member a acknowledges, and deletes, before b has loaded them.
func TestShareEntryThatAnotherMemberDeletesIsNotLost(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		held := make(chan *splits.Batch, 10)
		a := w.deleting("a", func(_ *splits.ShareConfig, m *sharer) { m.handle = func(b *splits.Batch) { held <- b } })
		settle(time.Second)
		a.faults.Outage(true)
		b := w.deleting("b")
		load := b.faults.Hold(splitstest.ShareLoad)
		settle(ttl + 3*time.Second)
		require.Equal(t, map[string]int{"b0": 10}, w.pending(0))
		a.faults.Outage(false)
		settle(heartbeat)
		(<-held).Ack()
		settle(time.Second)
		require.Empty(t, w.store.Entries(w.only()))
		load()
		settle(time.Minute)
		assert.Empty(t, b.losses)
		assert.Empty(t, b.deliveries())
		assert.Empty(t, w.pending(0))
	})
}

func TestShareEntryThatIsTrimmedBeforeItIsLoadedIsLost(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		a := w.deleting("a", holding)
		settle(time.Second)
		a.crash()
		b := w.deleting("b")
		load := b.faults.Hold(splitstest.ShareLoad)
		settle(ttl + 3*time.Second)
		require.Equal(t, map[string]int{"b0": 10}, w.pending(0))
		w.store.TrimTo(w.only(), 7)
		load()
		settle(time.Second)
		assert.Len(t, b.deliveries(), 7)
		assert.Empty(t, w.pending(0))
		if assert.Len(t, b.losses, 1) {
			assert.EqualValues(t, 3, b.losses[0].Entries)
		}
	})
}
