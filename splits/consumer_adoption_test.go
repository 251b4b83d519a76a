package splits_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// adopting makes a member continue where the foreign group stands.
func adopting(c *splits.Config, _ *member) { c.Start = splits.Adopt() }

// oldGroup adds 20 entries, 0 to 19, and a foreign group to each split that has delivered the first
// twelve; the numbers are those of its pending entries.
func (w *world) oldGroup(pending ...int) {
	w.fill(20)
	for _, s := range w.store.Splits("orders") {
		entries := w.store.Entries(s)
		open := make([]splits.Offset, len(pending))
		for i, n := range pending {
			open[i] = entries[n].Offset
		}
		w.store.AddForeignGroup("g", s, entries[11].Offset, open...)
	}
}

// adopted checks that the adoption of a split has ended.
func (w *world) adopted(partition int) {
	w.t.Helper()
	assert.Empty(w.t, w.lease(partition).Adopting)
	_, _, there := w.store.ForeignGroup("g", w.store.Split("orders", partition))
	assert.False(w.t, there)
}

// after are the numbers from 12 on, which the foreign group has not delivered.
func after(pending ...string) []string { return append(pending, numbers(20)[12:]...) }

func TestAdoptionHandsOutPendingEntriesFirst(t *testing.T) {
	for name, ordering := range map[string]splits.Ordering{
		"ordered": splits.ByPartition, "by key": splits.ByKey, "unordered": splits.Unordered,
	} {
		for _, batch := range []int{1, 2, 500} {
			t.Run(fmt.Sprint(name, ", batches of ", batch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1)
					w.oldGroup(1, 2, 7, 11)
					a := w.join(
						"a",
						adopting,
						func(c *splits.Config, _ *member) { c.BatchSize, c.Ordering = batch, ordering },
					)
					settle(10 * time.Second)
					assert.Equal(t, after("1", "2", "7", "11"), a.texts())
					w.adopted(0)
					assert.Equal(t, w.store.Entries(w.only())[19].Offset, w.lease(0).Position.Offset)
				})
			})
		}
	}
}

func TestAdoptionWithNothingPendingEndsImmediately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.oldGroup()
		a := w.join("a", adopting)
		settle(2 * time.Second)
		assert.Len(t, a.texts(), 2*8)
		w.adopted(0)
		w.adopted(1)
	})
}

func TestSplitWithoutAForeignGroupIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(3)
		a := w.join("a", adopting)
		settle(20 * time.Second)
		assert.Zero(t, a.count())
		require.Error(t, a.Await(expired(t)))
		w.store.AddForeignGroup("g", w.only(), splits.Offset{})
		settle(20 * time.Second)
		assert.Equal(t, numbers(3), a.texts())
	})
}

// A split that was added later has no foreign group, and everything in it is new.
func TestSplitAddedAfterAnAdoptionIsReadFromItsFirstEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(3)
		a := w.join("a", adopting)
		settle(5 * time.Second)
		w.store.SetPartitions("orders", 2)
		w.store.Append(w.store.Split("orders", 1), "n", "new")
		settle(10 * time.Second)
		assert.Equal(t, after("3", "12")[:1], a.texts()[:1])
		assert.Contains(t, a.texts(), "new")
	})
}

func TestNothingNewerPassesAPendingEntryInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(1, 2, 7)
		var works atomic.Bool
		a := w.join("a", adopting, func(c *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) {
				if !works.Load() && field(b.Entries[len(b.Entries)-1], "n") >= "2" {
					b.Nack(errRejected, nil)
					return
				}
				b.Ack()
			}
		})
		settle(time.Minute)
		assert.NotContains(t, a.texts(), "12")
		_, pending, _ := w.store.ForeignGroup("g", w.only())
		assert.Len(t, pending, 2, "the entry that was processed is acknowledged although others fail")
		works.Store(true)
		settle(time.Minute)
		assert.Equal(t, after("7")[1:], a.texts()[a.count()-8:])
		w.adopted(0)
	})
}

func TestUnorderedNewerEntriesPassAPendingOneThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(1, 7)
		unordered := func(c *splits.Config, m *member) {
			c.Ordering, c.BatchSize = splits.Unordered, 1
			m.handle = func(b *splits.Batch) {
				if field(b.Entries[0], "n") == "1" {
					b.Nack(errRejected, nil)
					return
				}
				b.Ack()
			}
		}
		a := w.join("a", adopting, unordered)
		settle(10 * time.Second)
		assert.Subset(t, a.texts(), after("7"))
		assert.Equal(t, "g", w.lease(0).Adopting)
		assert.Equal(t, w.store.Entries(w.only())[19].Offset, w.lease(0).Position.Offset)
		a.crash()

		b := w.join("b") // whose configuration does not say adopt
		settle(3 * ttl)
		assert.Equal(t, []string{"1"}, b.texts(), "only what is still pending")
		w.adopted(0)
	})
}

func TestAdoptionSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(0, 1, 2, 3, 4, 5)
		slow := func(c *splits.Config, m *member) {
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) { time.Sleep(2 * time.Second); b.Ack() }
		}
		a := w.join("a", adopting, slow)
		settle(7 * time.Second)
		a.crash()
		assert.Equal(t, []string{"0", "1", "2", "3"}, a.texts())
		b := w.join("b")
		settle(3 * ttl)
		assert.Equal(t, after("3", "4", "5"), b.texts())
		w.adopted(0)
	})
}

func TestMemberThatLeavesAcknowledgesWhatItProcessed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(0, 1, 2, 3)
		a := w.join("a", adopting, func(c *splits.Config, m *member) {
			c.BatchSize, c.CommitEvery = 1, time.Hour
			m.handle = func(b *splits.Batch) { time.Sleep(time.Second); b.Ack() }
		})
		settle(2500 * time.Millisecond)
		a.stopGracefully()
		b := w.join("b", adopting)
		settle(10 * time.Second)
		assert.Equal(t, after("0", "1", "2", "3"), append(a.texts(), b.texts()...))
		w.adopted(0)
	})
}
