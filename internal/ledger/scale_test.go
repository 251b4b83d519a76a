//go:build ledger

package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// pauseWithin is the promised maximum pause of a partition that stays with its consumer while
	// others move.
	pauseWithin = 250 * time.Millisecond
	// attempts is how often the test runs on a machine that stalls.
	attempts = 3
)

// Under steady input, one consumer becomes four and one again, all of them gracefully. Nothing is
// lost, nothing is read twice, and partitions that stay with their consumer are not interrupted.
func TestLedgerScale(t *testing.T) {
	for attempt := 1; ; attempt++ {
		a, windows := scaleUpAndDown(t)
		a.requireNoRepeats(t)
		a.requireOrder(t)
		quiet, rebalance := measure(t, a, windows)
		if quiet < pauseWithin || attempt == attempts {
			require.Less(t, rebalance, pauseWithin, "the longest pause of a partition that stayed")
			require.Less(
				t,
				quiet,
				pauseWithin,
				"the machine is too busy for this test: there were pauses even without a rebalance",
			)
			return
		}
		t.Logf(
			"attempt %d of %d: the machine stalled without a rebalance, so the figures mean nothing; retrying",
			attempt,
			attempts,
		)
	}
}

// window is a period of a test.
type window struct {
	name      string
	rebalance bool
	from, to  time.Time
}

// scaleUpAndDown runs the scenario and returns the deliveries, and the periods with and without a
// rebalance.
func scaleUpAndDown(t *testing.T) (*deliveries, []window) {
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
	return s.drain(t), windows
}

// measure logs the longest gaps of each period and returns the longest without and with a
// rebalance.
func measure(t *testing.T, a *deliveries, windows []window) (quiet, rebalance time.Duration) {
	t.Helper()
	for _, w := range windows {
		stayed, moved := a.readGaps(w.from, w.to)
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
