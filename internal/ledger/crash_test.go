//go:build ledger

package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// perSecond is the pace of the input while consumers come, go and die.
const perSecond = 5000

// takeoverWithin is the promise for the partitions of a member that is gone without a word.
const takeoverWithin = sessionTimeout + time.Second

// One of three consumers is killed under steady input. Nothing is lost, nothing is read again that
// was committed, and the others have its partitions soon.
func TestLedgerCrash(t *testing.T) {
	for _, victim := range []struct {
		name string
		work time.Duration // for each batch
	}{
		// Much of what it finished since its last commit comes again.
		{"QuickWorker", 5 * time.Millisecond},
		// It has each batch in hand for longer than from one commit to the next: if such a batch
		// were committed, it would be lost.
		{"SlowWorker", 1500 * time.Millisecond},
	} {
		t.Run(victim.name, func(t *testing.T) { killOneOfThree(t, victim.work) })
	}
}

func killOneOfThree(t *testing.T, work time.Duration) {
	s, _ := newScenario(t)
	s.consume(t, "c1")
	s.consume(t, "c2")
	victim := s.consume(t, "victim", func(c *consumer) { c.Work = work })
	s.awaitShares(t, "c1", "c2", "victim")
	s.generate(t, perSecond)
	s.awaitReads(t, time.Now(), 3*perSecond)

	killed := time.Now()
	victim.kill(t)
	committed := s.leases(t)
	lost := heldBy(committed, victim.name)
	require.NotEmpty(t, lost, "the victim held nothing")
	s.awaitShares(t, "c1", "c2")
	s.awaitReads(t, time.Now(), 2*perSecond)

	a := s.settle(t)
	a.requireOrder(t)
	requireOnlyUncommittedAgain(t, a, committed, victim.name)
	takeover := a.takeover(t, killed, victim.name, lost)
	stayed, _ := a.pauses(killed, killed.Add(takeoverWithin))
	figure(t, "partitions of the victim", "%d", len(lost))
	figure(t, "all of them read again after", "%s (promised: %s)", takeover.Round(time.Millisecond), takeoverWithin)
	figure(t, "longest pause of the others' partitions", "%s", stayed.length().Round(time.Millisecond))
	require.LessOrEqual(t, takeover, takeoverWithin)
}

// requireOnlyUncommittedAgain checks that all that was read more than once lies behind what the
// victim had committed.
func requireOnlyUncommittedAgain(t testing.TB, a *account, committed []lease, victim string) {
	t.Helper()
	for _, r := range a.again {
		l := committed[r.Partition]
		require.Equal(t, victim, l.owner, "read again, though its partition was not the victim's: %s", r)
		require.True(t, l.offset.Before(r.offset), "read again, though %s was committed: %s", l.offset, r)
	}
}
