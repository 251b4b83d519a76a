package splits_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// life joins as an incarnation of the static member s.
func (w *world) life(number uint64, change ...func(*splits.Config, *member)) *member {
	return w.join("s", append([]func(*splits.Config, *member){func(cfg *splits.Config, _ *member) {
		cfg.Owner = splits.Incarnation("s", number, "X")
	}}, change...)...)
}

// owners returns the owners of the leases, and how many leases each has.
func (w *world) owners() map[string]int {
	all := map[string]int{}
	for p := range w.store.Splits("orders") {
		all[w.lease(p).Owner]++
	}
	return all
}

// wantRefused checks that the member has reported once that it was superseded, and that Poll
// returns nothing.
func wantRefused(t *testing.T, m *member) {
	t.Helper()
	var superseded *splits.SupersededError
	require.ErrorAs(t, m.Await(expired(t)), &superseded)
	assert.Zero(t, m.Owned())
	assert.Len(t, see(m, func() []string { return m.troubles }), 1)
}

// deliveredOnce requires that each entry was delivered once, and returns how many the members
// received together.
func deliveredOnce(t *testing.T, members ...*member) int {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range members {
		for _, d := range m.deliveries() {
			id := d.split.ID() + "@" + d.offset.String()
			assert.False(t, seen[id], "%s again", id)
			seen[id] = true
		}
	}
	return len(seen)
}

func TestRestartOfAStaticMemberMovesNoSplit(t *testing.T) {
	for how, stop := range map[string]func(*member){"stopped": (*member).stopGracefully, "crashed": (*member).crash} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 9)
				b, c := w.join("b"), w.join("c")
				s := w.life(1)
				settle(time.Second)
				version := w.store.Version("orders", "g")
				rebalances := func() int {
					return see(
						b,
						func() int { return len(b.rebalances) },
					) + see(
						c,
						func() int { return len(c.rebalances) },
					)
				}
				before := rebalances()
				for life := uint64(2); life < 6; life++ {
					w.fill(3)
					settle(2 * time.Second)
					stop(s)
					settle(ttl / 2)
					w.fill(3)
					began := time.Now()
					s = w.life(life)
					settle(100 * time.Millisecond)
					require.Equal(t, 3, s.Owned(), "after %s", time.Since(began))
					assert.Equal(t, 9, s.count(), "and has read what came meanwhile")
				}
				assert.Equal(t, version, w.store.Version("orders", "g"))
				assert.Equal(t, before, rebalances())
			})
		})
	}
}

func TestAbsentStaticMemberIsReplacedAfterItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8)
		b := w.join("b")
		s := w.life(1)
		settle(time.Second)
		s.stopGracefully()
		settle(ttl / 2)
		assert.Equal(t, 4, b.Owned())
		settle(ttl/2 + time.Second)
		assert.Equal(t, 8, b.Owned())
	})
}

// The later incarnation gets all splits, and the earlier one does not take them back. It gets them
// when the later one has left.
func TestEarlierIncarnationStandsBy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8)
		b := w.join("b")
		// a pipeline that hangs
		first := w.life(1, func(_ *splits.Config, m *member) { m.handle = func(*splits.Batch) {} })
		settle(time.Second)
		w.fill(3)
		settle(time.Second)
		handed := first.count()
		assert.NotZero(t, handed)
		second := w.life(2)
		settle(100 * time.Millisecond)
		assert.Equal(t, 4, second.Owned())
		wantRefused(t, first)
		for range 100 {
			w.fill(1)
			settle(6 * time.Second)
			require.Equal(t, map[string]int{"b": 4, "s/2-X": 4}, w.owners())
		}
		wantRefused(t, first)
		assert.Equal(t, handed, first.count())
		assert.Empty(t, see(second, func() []error { return second.fenced }))
		assert.Empty(t, see(second, func() []string { return second.troubles }))
		// The batch that hung in the first pipeline was never committed, so the second one gets it
		// too.
		assert.Equal(t, 8*103, deliveredOnce(t, b, second))

		second.stopGracefully()
		settle(ttl + heartbeat + time.Second)
		assert.Equal(t, map[string]int{"b": 4, "s/1-X": 4}, w.owners())
		assert.Equal(t, 1, see(first, func() int { return first.recoveries }))
		require.NoError(t, first.Await(expired(t)))
	})
}

func TestSupersededIncarnationCommitsWhatItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		first := w.life(1, func(cfg *splits.Config, _ *member) { cfg.CommitEvery = time.Hour })
		settle(time.Second)
		w.fill(5)
		settle(100 * time.Millisecond)
		second := w.life(2, func(_ *splits.Config, m *member) {
			m.faults.Next(splitstest.Claim, splitstest.Fault{Delay: time.Second}) // the earlier one notices first
		})
		settle(2 * time.Second)
		assert.Equal(t, 20, first.count())
		assert.Zero(t, second.count())
		assert.Equal(t, 4, second.Owned())
	})
}

func TestPausedLaterIncarnationWinsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		first, second := w.life(1), w.life(2)
		settle(time.Second)
		assert.Equal(t, 4, second.Owned())
		second.faults.Outage(true)
		settle(ttl + 2*heartbeat)
		assert.Equal(t, map[string]int{"s/1-X": 4}, w.owners())
		second.faults.Outage(false)
		settle(2 * heartbeat)
		assert.Equal(t, map[string]int{"s/2-X": 4}, w.owners())
		assert.Zero(t, first.Owned())
		settle(time.Minute)
		assert.Equal(t, map[string]int{"s/2-X": 4}, w.owners())
	})
}

func TestTakeoverSurvivesLostRepliesAndLateRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("connection reset")
		w := newWorld(t, 4)
		w.fill(3)
		first := w.life(1)
		settle(2 * time.Second)
		// From now on every request of the earlier incarnation fails, and is applied later.
		first.faults.Hook(
			func(splitstest.Call) splitstest.Fault { return splitstest.Fault{Fail: gone, Late: 4 * time.Second} },
		)
		settle(100 * time.Millisecond)
		second := w.life(2, func(_ *splits.Config, m *member) {
			for _, method := range []splitstest.Method{splitstest.Beat, splitstest.Claim, splitstest.Propose} {
				m.faults.Next(
					method,
					splitstest.Fault{Lose: gone},
					splitstest.Fault{Fail: gone, Late: 2 * time.Second},
					splitstest.Fault{Lose: gone},
				)
			}
		})
		settle(5 * time.Second)
		for range 20 {
			w.fill(1)
			settle(time.Second)
			require.Equal(t, map[string]int{"s/2-X": 4}, w.owners())
		}
		first.faults.Hook(nil)
		settle(2 * heartbeat)
		assert.Zero(t, first.Owned())
		assert.Equal(t, map[string]int{"s/2-X": 4}, w.owners())
		assert.Equal(t, 4*23, deliveredOnce(t, first, second))
		first.faults.Wait()
	})
}
