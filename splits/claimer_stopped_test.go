package splits_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// unread adds an entry, and waits until its state has been seen, while nothing is read.
func unread(w *world, s splits.Split) {
	w.store.Append(s, "n", "unread")
	settle(6 * time.Second)
}

func TestFailOnLossStopsARolledBackSplitUntilASeek(t *testing.T) {
	for name, damage := range map[string]func(w *world, s splits.Split){
		"gone": func(w *world, s splits.Split) {
			unread(w, s)
			w.store.Drop(s)
		},
		"recreated, higher": func(w *world, s splits.Split) {
			unread(w, s)
			w.store.Drop(s)
			w.store.Append(s, "n", "new")
		},
		"recreated, lower": func(w *world, s splits.Split) {
			w.store.Drop(s)
			w.store.AppendAt(s, splits.Offset{Millis: 5}, "n", "new")
		},
		"trimmed": func(w *world, s splits.Split) {
			for range 3 {
				w.store.Append(s, "n", "new")
			}
			w.store.TrimTo(s, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2)
				w.fill(5)
				a := w.join("a", func(c *splits.Config, _ *member) { c.FailOnLoss = true })
				settle(3 * time.Second)
				release := a.faults.Hold(splitstest.Fetch) // it sees no intermediate state
				settle(time.Second)
				damage(w, w.only())
				release()
				settle(time.Minute)
				assert.Equal(t, 10, a.count(), "nothing of it is handed out")
				require.Len(t, a.lostAll(), 1)
				assert.True(t, a.lostAll()[0].Stopped)
				require.Len(t, see(a, func() []string { return a.troubles }), 1)
				assert.Equal(t, "a", w.lease(0).Owner, "the lease stays")
				assert.Positive(t, w.lease(0).Remaining)
				w.store.Append(w.store.Split("orders", 1), "n", "flows")
				settle(time.Second)
				assert.Equal(t, 11, a.count())
				err := a.Await(expired(t))
				require.ErrorAs(t, err, new(*splits.LossError))

				w.store.DropLease("g", w.only()) // the split starts again, as after a seek
				settle(20 * time.Second)
				w.store.Append(w.only(), "n", "newest")
				settle(20 * time.Second)
				assert.Contains(t, a.texts(), "newest")
				if name != "gone" {
					assert.Contains(t, a.texts(), "new")
				}
				require.NoError(t, a.Await(expired(t)))
			})
		})
	}
}

func TestRolledBackSplitIsClaimedAgainIfItsStateFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		a := w.join("a")
		settle(3 * time.Second)
		w.store.Drop(w.only())
		w.store.AppendAt(w.only(), splits.Offset{Millis: 5}, "n", "new")
		settle(time.Second)
		w.store.Break(w.only(), errors.New("WRONGTYPE"))
		settle(10 * time.Second)
		w.store.Break(w.only(), nil)
		settle(40 * time.Second)
		assert.Equal(t, []string{"new"}, a.texts()[5:])
	})
}

// After a rollback the split is not owned, but the member has its lease until the split is claimed
// again.
func TestUnreadLeaseIsReleasedWhenNotAssigned(t *testing.T) {
	for name, leaves := range map[string]bool{"who leaves": true, "who is to have it no more": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2)
				w.fill(5)
				a := w.join("a", func(c *splits.Config, _ *member) { c.SampleEvery = 100 * time.Millisecond })
				settle(3 * time.Second)
				a.faults.Set(splitstest.Claim, splitstest.Fault{Fail: splitstest.ErrOutage})
				for _, s := range w.store.Splits("orders") {
					w.store.Drop(s)
				}
				settle(200 * time.Millisecond)
				require.ErrorIs(t, see(a, func() error { return errors.Join(a.fenced...) }), splits.ErrRolledBack)
				require.Equal(t, []string{"a", "a"}, []string{w.lease(0).Owner, w.lease(1).Owner})
				if leaves {
					a.stop()
					assert.Equal(t, []string{"", ""}, []string{w.lease(0).Owner, w.lease(1).Owner})
					return
				}
				w.join("b")
				settle(heartbeat + 100*time.Millisecond)
				assert.ElementsMatch(t, []string{"a", "b"}, []string{w.lease(0).Owner, w.lease(1).Owner})
			})
		})
	}
}

// Whatever happens to the streams: all remaining entries were read, and everything reported as lost
// was lost.
func TestNoRemainingEntryIsSkippedWhateverHappens(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			w := newWorld(t, 1)
			a := w.join("a", func(c *splits.Config, m *member) {
				c.BatchSize, c.SplitBuffer = 1+random.IntN(20), 1+random.IntN(2000)
				m.handle = func(b *splits.Batch) {
					time.Sleep(time.Duration(len(b.Entries)) * 20 * time.Millisecond)
					b.Ack()
				}
			})
			snapshots := []func(){}
			n, dropped, restored := 0, false, false
			for range 40 {
				time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
				switch random.IntN(12) {
				case 0:
					w.store.TrimTo(w.only(), random.IntN(10))
				case 1:
					kept := w.store.Snapshot()
					snapshots = append(snapshots, func() { w.store.Restore(kept) })
				case 2:
					if len(snapshots) > 0 && seed%2 == 0 {
						snapshots[len(snapshots)-1]()
						snapshots, restored = nil, true
					}
				case 3:
					if seed%2 == 0 && random.IntN(3) == 0 {
						w.store.Drop(w.only())
						dropped = true
					}
				case 4:
					if seed%4 == 0 {
						w.store.StepClock(time.Duration(random.IntN(4000)-2000) * time.Millisecond)
					}
				default:
					for range random.IntN(20) {
						w.note(fmt.Sprint(n))
						n++
					}
				}
			}
			w.note("last")
			settle(2 * time.Minute)
			got := map[string]int{}
			for _, text := range a.texts() {
				got[text]++
			}
			log := w.store.Streams()
			present, err := log.Fetch(t.Context(), splits.FetchRequest{Cursors: []splits.Cursor{{Split: w.only()}}})
			require.NoError(t, err)
			for _, e := range present[0].Entries {
				require.Contains(t, got, field(e, "n"), "seed %d: %s is there and was not read", seed, field(e, "n"))
			}
			missing, told := int64(n+1-len(got)), int64(0)
			for _, l := range a.lostAll() {
				told += l.Entries
			}
			switch {
			// The lease was rolled back too: what was read behind its position and is gone counts
			// as lost.
			case restored:
			case dropped:
				require.LessOrEqual(t, told, missing, "seed %d: %+v", seed, a.lostAll())
			default:
				require.Equal(t, missing, told, "seed %d: %+v", seed, a.lostAll())
				require.Len(t, a.texts(), len(got), "seed %d: nothing comes twice", seed)
			}
		})
	}
}

// A regression: if a count was committed before a loss was found, the next member found the same
// loss again.
func TestCorrectedCountIsCommittedWithoutFurtherReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		a := w.join("a")
		settle(3 * time.Second)
		a.stop()
		w.fill(20)
		w.store.TrimTo(w.only(), 5)
		b := w.join("b", func(c *splits.Config, _ *member) { c.CommitEvery = 10 * time.Millisecond })
		settle(5 * time.Second)
		require.Len(t, b.lostAll(), 1)
		assert.EqualValues(t, 30, w.lease(0).Position.EntriesRead)
		b.stop()
		c := w.join("c")
		settle(3 * time.Second)
		w.fill(1)
		settle(3 * time.Second)
		assert.Equal(t, 1, c.count())
		assert.Empty(t, c.lostAll())
	})
}
