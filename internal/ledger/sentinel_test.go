//go:build ledger

package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// failoverPerSecond is the pace of each producer.
const failoverPerSecond = 1500

// The master dies under steady input and a replica is promoted; then the old master comes back.
// Both sides go on by themselves, all that Redis kept comes out in order, and what it lost is
// counted.
func TestLedgerSentinel(t *testing.T) {
	t.Run("Failover", func(t *testing.T) {
		s := redistest.StartSentinel(t, redistest.SentinelOptions{})
		killMaster(t, s, func(*scenario, *redistest.Server, *redistest.Server) {})
	})
	// The replica misses the last writes: acknowledged ones are lost for certain, with what
	// producers and consumers know of them.
	t.Run("WritesLost", func(t *testing.T) {
		s := redistest.StartSentinel(t, redistest.SentinelOptions{})
		lost := killMaster(t, s, func(s *scenario, master, heir *redistest.Server) {
			cutOff(t, master, heir)
			s.awaitRounds(t, 2)
		})
		require.Positive(t, lost, "Redis lost nothing")
	})
}

// killMaster runs the scenario and returns how many acknowledged messages Redis lost. prepare is
// called just before the master is killed.
func killMaster(
	t *testing.T,
	servers *redistest.Sentinel,
	prepare func(s *scenario, master, heir *redistest.Server),
) (lost int64) {
	t.Helper()
	master, heir := servers.Servers()[0], servers.Servers()[1]
	c := connection{URL: servers.URL(), Kind: "failover", Master: servers.MasterName()}
	s := openScenario(t, c, servers.Client(t), partitions)
	consumers := []string{"c1", "c2"}
	s.populate(t, consumers)
	w := s.watchLeases(t, direct(t, heir, false))
	awaitReplicated(t, master, heir)

	f := failover{}
	for i := range s.Partitions {
		f.partitions = append(f.partitions, i)
	}
	prepare(s, master, heir)
	f.killed = time.Now()
	master.Kill(t)
	heir.Resume(t)
	require.Equal(t, heir, servers.AwaitPromotion(t, master))
	f.promoted = time.Now()
	s.awaitRounds(t, 2)
	s.awaitReads(t, time.Now(), failoverPerSecond)
	master.Restart(t)
	servers.Await(t)
	require.Equal(t, heir, servers.Master(t), "the old master is a replica")
	s.awaitShares(t, consumers...)
	s.awaitRounds(t, 5)
	s.requireAllAlive(t)

	_, lost = s.settleFailover(t, f, w)
	return lost
}
