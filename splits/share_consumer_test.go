package splits_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

func TestShareMembersReceiveEachEntryOnce(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		w.fill(100)
		slow := func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize = 7
			m.handle = func(b *splits.Batch) { time.Sleep(5 * time.Millisecond); b.Ack() }
		}
		a, b := w.share("a", slow), w.share("b", slow)
		settle(time.Second)
		w.wantEach(100, a, b)
		assert.NotEmpty(t, a.deliveries())
		assert.NotEmpty(t, b.deliveries())
		assert.Equal(t, 3, a.Owned())
		for i := range 3 {
			assert.Empty(t, w.pending(i))
		}
		requireNoErrors(t, a, b)
	})
}

func TestShareEntryArrivesWhileTheReadBlocks(t *testing.T) {
	inBubble(t, 2, func(w *world) {
		w.fill(1)
		a := w.share("a")
		settle(time.Second)
		w.store.Append(w.store.Split("orders", 1), "n", "1")
		settle(10 * time.Millisecond)
		assert.Len(t, a.deliveries(), 3)
	})
}

// readCounter counts the reads of new entries.
type readCounter struct {
	splits.Shares
	reads atomic.Int64
}

func (c *readCounter) Read(ctx context.Context, req splits.ShareRead) ([]splits.Delivered, error) {
	c.reads.Add(1)
	return c.Shares.Read(ctx, req)
}

// A member that may not have an entry of each split reads some of them at a time, without waiting.
func TestShareIdleMemberWithSmallBatchesReadsSeldom(t *testing.T) {
	inBubble(t, 4, func(w *world) {
		w.fill(1)
		counted := &readCounter{}
		a := w.share("a", func(c *splits.ShareConfig, _ *sharer) {
			c.BatchSize = 1
			counted.Shares, c.Shares = c.Shares, counted
		})
		settle(time.Second)
		before := counted.reads.Load()
		settle(time.Minute)
		assert.LessOrEqual(t, counted.reads.Load()-before, int64(60*55), "200 in a second without the back-off")
		w.store.Append(w.store.Split("orders", 3), "n", "1")
		settle(100 * time.Millisecond)
		assert.Len(t, a.deliveries(), 5)
	})
}

func TestShareReadingNeverCreatesAStream(t *testing.T) {
	inBubble(t, 2, func(w *world) {
		a := w.share("a", func(c *splits.ShareConfig, _ *sharer) { c.Start = splits.Latest() })
		settle(5 * time.Second)
		assert.False(t, w.store.Share("g", w.store.Split("orders", 0)).Exists)
		assert.Zero(t, a.Owned())
		w.fill(5) // the stream did not exist when the group began, so all of it is new
		settle(2 * time.Second)
		w.wantEach(5, a)
	})
}

func TestShareLaterPartitionIsReadFromItsFirstEntry(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(3)
		a := w.share("a", func(c *splits.ShareConfig, _ *sharer) { c.Start = splits.Latest() })
		settle(time.Second)
		assert.Empty(t, a.deliveries())
		w.store.SetPartitions("orders", 2)
		w.store.Append(w.store.Split("orders", 1), "n", "0")
		settle(2 * heartbeat)
		assert.Equal(t, map[string]int{"orders-1/0": 1}, timesDelivered(a))
	})
}

func TestShareMemberReadsOneBatchAhead(t *testing.T) {
	inBubble(t, 2, func(w *world) {
		w.fill(200)
		a := w.share("a", holding, func(c *splits.ShareConfig, _ *sharer) {
			c.BatchSize, c.CheckpointLimit = 10, 50
		})
		settle(time.Second)
		assert.Len(t, a.deliveries(), 50)
		assert.LessOrEqual(t, w.pending(0)["a0"]+w.pending(1)["a0"], 60)
		assert.Greater(t, w.pending(0)["a0"]+w.pending(1)["a0"], 50)
	})
}

func TestShareRejectedEntryIsDeliveredAgainAndOthersPass(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(20)
		failures := 0
		a := w.share("a", func(_ *splits.ShareConfig, m *sharer) {
			m.handle = func(b *splits.Batch) {
				for _, e := range b.Entries {
					if field(e, "n") == "7" && failures < 12 {
						failures++
						b.Nack(errRejected, nil)
						return
					}
				}
				b.Ack()
			}
		})
		settle(30 * time.Second)
		assert.Equal(t, 12, failures)
		assert.Empty(t, w.pending(0))
		for n, times := range timesDelivered(a) {
			if n == "orders-0/7" {
				assert.Equal(t, 13, times)
			} else {
				assert.Less(t, times, 8, n)
			}
		}
	})
}

func TestShareEntryThatAnOperatorAcknowledgesIsDropped(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(3)
		a := w.share("a", func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) {
				if field(b.Entries[0], "n") == "1" {
					b.Nack(errRejected, nil)
					return
				}
				b.Ack()
			}
		})
		settle(10 * time.Second)
		split := w.only()
		state := w.store.Share("g", split)
		bad := w.store.Entries(split)[1].Offset
		require.NoError(t, w.store.Shares("orders", "g").Acknowledge(t.Context(),
			[]splits.ShareAck{{Split: split, Generation: state.Generation, Offsets: []splits.Offset{bad}}})[0].Err)
		settle(2 * heartbeat)
		before := len(a.deliveries())
		settle(10 * time.Minute)
		assert.LessOrEqual(t, len(a.deliveries()), before+1, "it is delivered at most once more")
		assert.Empty(t, w.pending(0))
	})
}

func TestShareSkipNackedSkipsTheBatch(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(5)
		a := w.share("a", func(c *splits.ShareConfig, m *sharer) {
			c.SkipNacked = true
			m.handle = func(b *splits.Batch) { b.Nack(errRejected, nil) }
		})
		settle(time.Second)
		assert.Equal(t, 5, a.skipped)
		assert.Empty(t, w.pending(0))
		w.wantEach(5, a)
	})
}

func TestShareFailingMessagesStopReadingWithAReason(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(20)
		var works atomic.Bool
		a := w.share("a", func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize, c.CheckpointLimit = 4, 6
			c.Remedies.Full = "Do something"
			m.handle = func(b *splits.Batch) {
				if works.Load() {
					b.Ack()
				} else {
					b.Nack(errRejected, nil)
				}
			}
		})
		settle(time.Minute)
		assert.ErrorContains(t, a.Await(expired(w.t)), "all 6 messages that this member may have in the pipeline")
		assert.ErrorContains(t, a.Await(expired(w.t)), "Do something")
		assert.Len(t, timesDelivered(a), 6)
		a.note(func() { assert.Equal(w.t, 6, a.isolated, "each message once, however often it fails") })
		works.Store(true)
		settle(time.Minute)
		assert.NoError(t, a.Await(w.t.Context()))
		assert.Len(t, timesDelivered(a), 20)
		assert.Empty(t, w.pending(0))
	})
}

func TestShareFailedAcknowledgementIsRepeated(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		a := w.share("a", func(_ *splits.ShareConfig, m *sharer) {
			m.faults.Next(splitstest.Acknowledge,
				splitstest.Fault{Fail: errRejected}, splitstest.Fault{Lose: errRejected})
		})
		settle(5 * time.Second)
		assert.Empty(t, w.pending(0))
		w.wantEach(10, a)
		assert.GreaterOrEqual(t, a.faults.Counts(splitstest.Acknowledge).Calls, 3)
	})
}

func TestShareLostReplyOfAReadIsFound(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		a := w.share("a", func(_ *splits.ShareConfig, m *sharer) {
			m.faults.Next(splitstest.ShareRead, splitstest.Fault{Lose: errRejected})
		})
		settle(3 * time.Second)
		w.wantEach(10, a)
		assert.Empty(t, w.pending(0))
	})
}

func TestShareReadThatIsAppliedLateIsFound(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		a := w.share("a", func(_ *splits.ShareConfig, m *sharer) {
			late := splitstest.Fault{Fail: errRejected, Late: 100 * time.Millisecond}
			m.faults.Next(splitstest.ShareRead, late)
			m.faults.Hook(func(c splitstest.Call) splitstest.Fault {
				if c.Method == splitstest.ShareRead && time.Since(bubbleStart) < time.Second {
					return splitstest.Fault{Fail: errRejected}
				}
				return splitstest.Fault{}
			})
		})
		settle(4 * ttl)
		w.wantEach(10, a)
		assert.Empty(t, w.pending(0))
	})
}

// bubbleStart is when every bubble begins.
var bubbleStart = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func TestShareAcknowledgementIsFlushedByClose(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		a := w.share("a", func(_ *splits.ShareConfig, m *sharer) {
			m.faults.Next(splitstest.Acknowledge, splitstest.Fault{Fail: errRejected})
		})
		settle(time.Millisecond)
		a.stop()
		assert.Empty(t, w.pending(0))
		assert.Empty(t, w.store.Members("orders", "g"))
	})
}

func TestShareEntryThatWasTrimmedWhilePendingIsReported(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(10)
		a := w.share("a", holding)
		settle(time.Second)
		a.crash()
		w.store.TrimTo(w.store.Split("orders", 0), 7)
		b := w.share("b")
		settle(ttl + 3*time.Second)
		assert.Len(t, b.deliveries(), 7)
		assert.Empty(t, w.pending(0))
		if assert.Len(t, b.losses, 1) {
			assert.EqualValues(t, 3, b.losses[0].Entries)
			assert.True(t, b.losses[0].Exact)
		}
	})
}
