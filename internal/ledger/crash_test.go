//go:build ledger

package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// perSecond is the rate of the input while consumers join, leave and die.
const perSecond = 5000

// takeoverWithin is the promised time until other members read the partitions of a member that
// crashed.
const takeoverWithin = sessionTimeout + time.Second

// One of three consumers is killed under steady input. No message is lost, no committed message is
// read again, and the other consumers soon own its partitions.
func TestLedgerCrash(t *testing.T) {
	for _, victim := range []struct {
		name string
		work time.Duration // for each batch
	}{
		// Much of what it finished after its last commit is read again.
		{"QuickWorker", 5 * time.Millisecond},
		// A batch takes longer than a commit interval: if a batch in progress were committed, it
		// would be lost.
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
	require.NotEmpty(t, lost, "the victim held no partition")
	s.awaitShares(t, "c1", "c2")
	s.awaitReads(t, time.Now(), 2*perSecond)

	a := s.drain(t)
	a.requireOrder(t)
	requireOnlyUncommittedRepeats(t, a, committed, victim.name)
	takeover := a.takeover(t, killed, victim.name, lost)
	stayed, _ := a.readGaps(killed, killed.Add(takeoverWithin))
	figure(t, "partitions of the victim", "%d", len(lost))
	figure(t, "all of them read by others after", "%s (promised: %s)", takeover.Round(time.Millisecond), takeoverWithin)
	figure(t, "longest pause of other partitions", "%s", stayed.length().Round(time.Millisecond))
	require.LessOrEqual(t, takeover, takeoverWithin)
}

// requireOnlyUncommittedRepeats checks that every repeated read is after the position that the
// victim had committed.
func requireOnlyUncommittedRepeats(t testing.TB, a *deliveries, committed []lease, victim string) {
	t.Helper()
	for _, r := range a.repeated {
		l := committed[r.Partition]
		require.Equal(t, victim, l.owner, "read again, although its partition was not the victim's: %s", r)
		require.True(t, l.offset.Before(r.offset), "read again, although %s was committed: %s", l.offset, r)
	}
}
