//go:build ledger

package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// pauseWithin is the promise for a partition that stays where it is while others move.
	pauseWithin = 250 * time.Millisecond
	// attempts is how often the scaling is tried on a machine that stalls by itself.
	attempts = 3
)

// One consumer becomes four and one again under steady input, all of them gracefully: nothing is
// lost and nothing is read twice, and partitions that stay where they are do not notice.
func TestLedgerScale(t *testing.T) {
	for attempt := 1; ; attempt++ {
		a, windows := scaleUpAndDown(t)
		a.requireNothingAgain(t)
		a.requireOrder(t)
		quiet, rebalance := measure(t, a, windows)
		if quiet < pauseWithin || attempt == attempts {
			require.Less(t, rebalance, pauseWithin, "the longest pause of a partition that stayed")
			require.Less(
				t,
				quiet,
				pauseWithin,
				"the machine is too busy to tell: even without a rebalance there were pauses",
			)
			return
		}
		t.Logf(
			"attempt %d of %d: the machine stalled while nothing was rebalanced, so its figures say nothing; once more",
			attempt,
			attempts,
		)
	}
}

// window is a stretch of a test.
type window struct {
	name      string
	rebalance bool
	from, to  time.Time
}

// scaleUpAndDown runs the scenario and returns the account, and when there was a rebalance and when
// there was none.
func scaleUpAndDown(t *testing.T) (*account, []window) {
	t.Helper()
	s, _ := newScenario(t)
	var windows []window
	during := func(name string, rebalance bool, happens func()) {
		t.Helper()
		w := window{name: name, rebalance: rebalance, from: time.Now()}
		happens()
		w.to = time.Now()
		windows = append(windows, w)
	}
	flow := func() { s.awaitReads(t, time.Now(), 3*perSecond) }

	c1 := s.consume(t, "c1")
	s.awaitShares(t, "c1")
	s.generate(t, perSecond)
	s.awaitReads(t, time.Now(), perSecond)
	during("one consumer", false, flow)
	during("one becomes four", true, func() {
		for _, name := range []string{"c2", "c3", "c4"} {
			s.consume(t, name)
		}
		s.awaitShares(t, "c1", "c2", "c3", "c4")
		s.awaitReads(t, time.Now(), perSecond/2)
	})
	during("four consumers", false, flow)
	during("four become one", true, func() {
		for _, m := range s.consumers[1:] {
			m.terminate(t)
		}
		for _, m := range s.consumers[1:] {
			m.join(t, stopWithin)
		}
		s.awaitShares(t, "c1")
		s.awaitReads(t, time.Now(), perSecond/2)
	})
	during("one consumer again", false, flow)
	c1.requireAlive(t)
	return s.settle(t), windows
}

// measure logs the longest pauses of each window and returns the longest without and with a
// rebalance.
func measure(t *testing.T, a *account, windows []window) (quiet, rebalance time.Duration) {
	t.Helper()
	for _, w := range windows {
		stayed, moved := a.pauses(w.from, w.to)
		figure(
			t,
			"longest pause, "+w.name,
			"%s (partition %d of %s, from %s on)",
			stayed.length().Round(time.Millisecond),
			stayed.after.Partition,
			stayed.after.by,
			stayed.before.read().Sub(w.from).Round(time.Millisecond),
		)
		if !w.rebalance {
			quiet = max(quiet, stayed.length())
			continue
		}
		rebalance = max(rebalance, stayed.length())
		figure(t, "longest handover, "+w.name, "%s (partition %d, %s to %s)", moved.length().Round(time.Millisecond),
			moved.after.Partition, moved.before.by, moved.after.by)
	}
	return quiet, rebalance
}
