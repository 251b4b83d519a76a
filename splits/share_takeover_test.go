package splits_test

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

func TestShareEntriesOfADeadMemberAreTakenOver(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		w.fill(30)
		a := w.share("a", holding)
		settle(time.Second)
		b := w.share("b")
		settle(heartbeat)
		a.crash()
		settle(ttl + time.Second)
		assert.Len(t, b.deliveries(), 90)
		assert.Equal(t, 90, b.reclaimed)
		for i := range 3 {
			assert.Empty(t, w.pending(i))
			assert.Equal(t, []string{"b0"}, w.store.Share("g", w.store.Split("orders", i)).Holders)
		}
	})
}

func TestShareEntriesOfALeaverAreTakenOverImmediately(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(30)
		a := w.share("a", holding)
		settle(time.Second)
		b := w.share("b")
		settle(time.Second)
		a.stop()
		settle(time.Second)
		assert.Len(t, b.deliveries(), 30)
	})
}

func TestShareEntryOfALiveMemberIsNotTakenAway(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(30)
		a := w.share("a", holding)
		settle(time.Second)
		b := w.share("b")
		settle(time.Hour)
		assert.Len(t, a.deliveries(), 30)
		assert.Empty(t, b.deliveries())
	})
}

func TestShareTakeoverIsLimitedByTheRoomOfTheTaker(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(100)
		a := w.share("a", holding)
		settle(time.Second)
		small := func(c *splits.ShareConfig, m *sharer) {
			holding(c, m)
			c.BatchSize, c.CheckpointLimit = 5, 20
		}
		b, c := w.share("b", small), w.share("c", small)
		a.crash()
		settle(5 * ttl)
		assert.Len(t, b.deliveries(), 20)
		assert.Len(t, c.deliveries(), 20)
		assert.Equal(t, map[string]int{"a0": 50, "b0": 25, "c0": 25}, w.pending(0))
		d := w.share("d")
		settle(3 * ttl)
		assert.Len(t, d.deliveries(), 50)
	})
}

// A member that was paused for longer than its session comes back under a new name, and hands out
// nothing that other members took over.
func TestSharePausedMemberDropsWhatItHasNotHandedOut(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(100)
		a := w.share("a", holding, func(c *splits.ShareConfig, _ *sharer) { c.BatchSize, c.CheckpointLimit = 10, 10 })
		settle(time.Second)
		assert.Len(t, a.deliveries(), 10)
		b := w.share("b")
		settle(time.Second)
		a.faults.Outage(true)
		settle(2 * ttl)
		assert.Len(t, b.deliveries(), 100)
		a.faults.Outage(false)
		settle(2 * ttl)
		assert.Len(t, a.deliveries(), 10)
		assert.Equal(t, "a1", a.name())
	})
}

// The acknowledgement of a member whose entries were taken over is valid: it has processed them.
func TestSharePausedMemberAcknowledgesWhatItProcessed(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		var kept []*splits.Batch
		a := w.share("a", func(_ *splits.ShareConfig, m *sharer) {
			m.handle = func(b *splits.Batch) { m.note(func() { kept = append(kept, b) }) }
		})
		settle(time.Second)
		b := w.share("b", holding)
		a.faults.Outage(true)
		settle(2 * ttl)
		assert.Len(t, b.deliveries(), 10)
		a.faults.Outage(false)
		settle(ttl)
		for _, batch := range kept {
			assert.Error(t, batch.Context().Err())
			batch.Ack()
		}
		settle(time.Second)
		assert.Empty(t, w.pending(0))
	})
}

// Without the members, every member looks dead. They come back under new names and keep what they
// work on.
func TestShareEvictedMembersKeepTheirEntries(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(30)
		var kept []*splits.Batch
		a := w.share("a", func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize, c.CheckpointLimit = 10, 10
			m.handle = func(b *splits.Batch) { m.note(func() { kept = append(kept, b) }) }
		})
		settle(time.Second)
		b := w.share("b")
		settle(time.Second)
		w.store.DropMembers("orders", "g")
		settle(5 * ttl)
		assert.Equal(t, map[string]int{"a1": 20}, w.pending(0))
		assert.Len(t, a.deliveries(), 10)
		assert.Len(t, b.deliveries(), 10)
		for _, batch := range kept {
			batch.Ack()
		}
		settle(time.Second)
		assert.Len(t, timesDelivered(a, b), 30)
		w.wantEach(30, a, b)
	})
}

func TestShareSeekDeliversEverythingAgainDespiteLateAcknowledgements(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(20)
		var kept []*splits.Batch
		a := w.share("a", func(_ *splits.ShareConfig, m *sharer) {
			m.handle = func(b *splits.Batch) { m.note(func() { kept = append(kept, b) }) }
		})
		settle(time.Second)
		b := w.share("b", holding)
		settle(time.Second)
		a.faults.Set(splitstest.ShareRead, splitstest.Fault{Fail: errRejected})
		w.store.SeekShare("g", w.store.Split("orders", 0), splits.Offset{})
		settle(time.Second)
		assert.Len(t, b.deliveries(), 20)
		for _, batch := range kept {
			batch.Ack()
		}
		settle(time.Second)
		assert.Equal(t, map[string]int{"b0": 20}, w.pending(0), "a late acknowledgement removed replayed entries")
	})
}

func TestShareLostGroupContinuesAtTheLowestPendingEntry(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(30)
		n := 0
		a := w.share("a", func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize = 10
			m.handle = func(b *splits.Batch) {
				if n++; n != 2 {
					time.Sleep(600 * time.Millisecond)
					b.Ack()
				}
			}
		})
		settle(2 * time.Second)
		w.store.Append(w.store.Split("orders", 0), "n", "30")
		settle(2 * time.Second)
		assert.Equal(t, map[string]int{"a0": 10}, w.pending(0))
		w.store.DropShare("g", w.store.Split("orders", 0))
		settle(5 * time.Second)
		times := timesDelivered(a)
		assert.Equal(t, 1, times["orders-0/9"], "everything up to there was acknowledged")
		for i := 10; i < 20; i++ {
			assert.Equal(t, 2, times["orders-0/"+strconv.Itoa(i)])
		}
		assert.Empty(t, w.pending(0))
	})
}

func TestShareFlushIsReadFromTheFirstEntry(t *testing.T) {
	inBubble(t, 2, func(w *world) {
		w.fill(5)
		a := w.share("a", func(c *splits.ShareConfig, _ *sharer) { c.Start = splits.Latest() })
		settle(time.Second)
		w.store.FlushAll()
		w.store.SetPartitions("orders", 2)
		w.fill(5)
		settle(2 * heartbeat)
		w.wantEach(5, a)
		assert.Equal(t, "a1", a.name())
	})
}

func TestShareNextIncarnationTakesOverImmediately(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		number := uint64(0)
		static := func(c *splits.ShareConfig, _ *sharer) {
			c.NewName = func(context.Context) (splits.ShareName, error) {
				number++
				return splits.ShareName{Member: "m", Owner: splits.Incarnation("m", number, "x")}, nil
			}
		}
		a := w.share("a", holding, static)
		settle(time.Second)
		assert.Equal(t, map[string]int{"m/1-x": 10}, w.pending(0))
		b := w.share("b", static)
		settle(time.Second)
		assert.Len(t, b.deliveries(), 10)
		assert.Empty(t, w.pending(0))
		settle(heartbeat)
		var superseded *splits.SupersededError
		assert.ErrorAs(t, a.Await(expired(w.t)), &superseded)
		b.stop()
		settle(2 * ttl)
		assert.NoError(t, a.Await(w.t.Context()), "it joins again when the session of the later one has ended")
		assert.EqualValues(t, 3, number)
	})
}

// Regression: the reads of other fetch groups reserved all room, so that nothing was taken over.
func TestShareTinyBatchesLeaveRoomForEveryFetchGroup(t *testing.T) {
	inBubble(t, 4, func(w *world) {
		w.fill(10)
		tiny := func(c *splits.ShareConfig, _ *sharer) {
			c.BatchSize, c.CheckpointLimit = 1, 1
			c.FetchGroup = func(s splits.Split) string { return s.ID() }
		}
		a := w.share("a", holding, tiny)
		settle(time.Second)
		a.crash()
		b := w.share("b", tiny)
		settle(3 * ttl)
		assert.Len(t, timesDelivered(b), 40)
		w.store.Append(w.store.Split("orders", 3), "n", "10")
		settle(50 * time.Millisecond)
		assert.Len(t, timesDelivered(b), 41)
	})
}

// What other programs hold is judged by its idle time, what members hold never is.
func TestShareIdleEntriesOfOtherProgramsAreTakenOver(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		a := w.share("a", holding, func(c *splits.ShareConfig, _ *sharer) { c.CheckpointLimit, c.BatchSize = 2, 1 })
		settle(time.Second)
		split := w.store.Split("orders", 0)
		foreign := w.store.DeliverForeign("g", split, "worker", 100)
		assert.NotEmpty(t, foreign)
		b := w.share("b", func(c *splits.ShareConfig, _ *sharer) { c.AdoptIdle = 10 * time.Minute })
		settle(10*time.Minute - time.Second)
		assert.Empty(t, b.deliveries())
		settle(time.Hour)
		assert.Len(t, b.deliveries(), len(foreign))
		assert.Equal(t, len(foreign), b.tookIdle)
		assert.Equal(t, map[string]int{"a0": 10 - len(foreign)}, w.pending(0))
		assert.Len(t, a.deliveries(), 2)
	})
}
