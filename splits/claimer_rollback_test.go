package splits_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestRolledBackStreamIsReadFromTheDivergence(t *testing.T) {
	for name, c := range map[string]struct {
		step  time.Duration // of the new server's clock
		write []string
		twice int // may be delivered twice
	}{
		"nothing written since":      {0, nil, 0},
		"written on":                 {0, []string{"x", "y"}, 2},
		"the new clock is behind":    {-2500 * time.Millisecond, []string{"x", "y"}, 0},
		"it is, by whole offsets":    {-2 * time.Second, []string{"x", "y"}, 2},
		"the new clock is far ahead": {time.Hour, []string{"x", "y"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.fill(100)
				a := w.join("a")
				settle(3 * time.Second)
				kept := w.store.Snapshot()
				w.note("p")
				settle(time.Second)
				w.note("q", "r")
				settle(2 * time.Second)
				w.store.Restore(kept)
				w.store.StepClock(c.step)
				w.note(c.write...)
				settle(20 * time.Second)
				got := a.texts()[100+3:]
				assert.Subset(t, got, c.write)
				assert.LessOrEqual(t, len(got), len(c.write)+c.twice, "%v", got)
				losses := a.lostAll()
				require.Len(t, losses, 1)
				assert.Zero(t, losses[0].Entries)
				assert.NotZero(t, losses[0].From, "not from the beginning")
				assert.Positive(t, losses[0].ReadLost)
				assert.LessOrEqual(t, losses[0].ReadLost, int64(3))
				w.note("z")
				settle(10 * time.Second)
				assert.Contains(t, a.texts(), "z")
				assert.Len(t, a.lostAll(), 1)
				assert.EqualValues(t, 100+len(c.write)+1, w.lease(0).Position.EntriesRead)
			})
		})
	}
}

// A regression: a rollback was not seen, since as many entries had been written again before the
// next state. It left a fingerprint with too high a count. The split was reset to that fingerprint
// again and again, and everything behind it was delivered each time.
func TestWrongCountAfterUnseenRollbackIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(3)
		a := w.join("a", func(c *splits.Config, _ *member) { c.BatchSize, c.SplitBuffer = 1, 1 })
		settle(3 * time.Second)
		w.note("n", "o")
		settle(time.Millisecond)
		kept := w.store.Snapshot()
		w.note("p", "q")
		settle(time.Millisecond)
		var held *splits.Batch
		a.handle = func(b *splits.Batch) { held = b }
		w.store.RestoreSplit(kept, w.only())
		w.note("x", "y", "z")
		settle(time.Millisecond)
		w.note("1", "2", "3", "4") // while there is no room, so that the state after them is seen
		for range 3 {
			held.Ack()
			settle(time.Millisecond)
		}
		settle(1500 * time.Millisecond) // z is committed
		a.handle = nil
		held.Ack()
		settle(time.Minute)
		assert.LessOrEqual(t, a.count(), 7+2*(3+4), "each comes twice at most")
		assert.LessOrEqual(t, len(a.lostAll()), 1)
		assert.EqualValues(t, 5+3+4, w.lease(0).Position.EntriesRead)
	})
}

// The server that took over gave the same offsets to other entries.
func TestReusedOffsetsOfOtherEntriesAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		a := w.join("a")
		settle(3 * time.Second)
		kept := w.store.Snapshot()
		w.note("p", "q", "r")
		settle(2 * time.Second)
		w.store.Restore(kept)
		w.store.StepClock(-2 * time.Second)
		w.note("x", "y")
		settle(20 * time.Second)
		assert.Equal(t, []string{"x", "y"}, a.texts()[13:])
	})
}

func TestUnreadEntriesLostInAFailoverAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		kept := w.store.Snapshot()
		w.fill(90)
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize, c.SplitBuffer = 1, 1
			m.handle = func(b *splits.Batch) {
				m.out.Go(func() { time.Sleep(time.Second); b.Ack() })
			}
		})
		settle(7 * time.Second) // 16 are fetched
		w.store.Restore(kept)
		settle(time.Minute)
		losses := a.lostAll()
		require.Len(t, losses, 1)
		assert.EqualValues(
			t,
			90,
			losses[0].Entries,
			"the lease went back as well, so what was fetched can't be handed out",
		)
		for _, number := range numbers(10) {
			assert.Contains(t, a.texts(), number)
		}
	})
}
