//go:build ledger

package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// failoverPerSecond is the rate of each producer.
const failoverPerSecond = 1500

// The master dies under steady input and a replica is promoted; later the old master returns.
// Producers and consumers recover without help, everything that Redis kept is read in order, and
// losses are counted.
func TestLedgerSentinel(t *testing.T) {
	t.Run("Failover", func(t *testing.T) {
		s := redistest.StartSentinel(t, redistest.SentinelOptions{})
		killMaster(t, s, func(*scenario, *redistest.Server, *redistest.Server) {})
	})
	// The replica misses the last writes, so acknowledged messages are certainly lost, and with
	// them a part of the state of producers and consumers.
	t.Run("WritesLost", func(t *testing.T) {
		s := redistest.StartSentinel(t, redistest.SentinelOptions{})
		lost := killMaster(t, s, func(s *scenario, master, successor *redistest.Server) {
			cutOff(t, master, successor)
			s.awaitRounds(t, 2)
		})
		require.Positive(t, lost, "Redis lost nothing")
	})
}

// killMaster runs the scenario and returns how many acknowledged messages Redis lost. It calls
// prepare right before it kills the master.
func killMaster(
	t *testing.T,
	servers *redistest.Sentinel,
	prepare func(s *scenario, master, successor *redistest.Server),
) (lost int64) {
	t.Helper()
	master, successor := servers.Servers()[0], servers.Servers()[1]
	c := connection{URL: servers.URL(), Kind: "failover", Master: servers.MasterName()}
	s := openScenario(t, c, servers.Client(t), partitions)
	consumers := []string{"c1", "c2"}
	s.populate(t, consumers)
	w := s.watchLeases(t, direct(t, successor, false))
	awaitReplicated(t, master, successor)

	f := failover{}
	for i := range s.Partitions {
		f.partitions = append(f.partitions, i)
	}
	prepare(s, master, successor)
	f.killed = time.Now()
	master.Kill(t)
	successor.Resume(t)
	require.Equal(t, successor, servers.AwaitPromotion(t, master))
	f.promoted = time.Now()
	s.awaitRounds(t, 2)
	s.awaitReads(t, time.Now(), failoverPerSecond)
	master.Restart(t)
	servers.Await(t)
	require.Equal(t, successor, servers.Master(t), "the old master is a replica")
	s.awaitShares(t, consumers...)
	s.awaitRounds(t, 5)
	s.requireAllAlive(t)

	_, lost = s.drainFailover(t, f, w)
	return lost
}
