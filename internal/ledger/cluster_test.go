//go:build ledger

package ledger

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const (
	clusterMasters    = 3
	clusterPartitions = 12
	// resharded is how many slots move to another node in one step.
	resharded = 300
	// halfway is how long each phase of a slot migration lasts.
	halfway = 300 * time.Millisecond
)

// On a cluster under steady input, the slots of active partitions and of the topic itself move,
// hundreds of slots move to another node, and a master dies whose replica misses the last writes;
// later the old master returns. Producers and consumers recover without help, everything that Redis
// kept is read in order, losses are counted, and unaffected partitions do not stop.
func TestLedgerCluster(t *testing.T) {
	servers := redistest.StartCluster(t, clusterMasters, 1, "--cluster-require-full-coverage", "no")
	c := connection{URL: servers.URL(), Kind: "cluster"}
	s := openScenario(t, c, servers.Client(t), clusterPartitions)
	p := s.planMoves(t, servers)
	consumers := []string{"c1", "c2", "c3"}
	s.populate(t, consumers, func(g *generator) {
		// This producer writes only to unaffected partitions: its batches would wait for the
		// others.
		g.Keys = slices.DeleteFunc(
			g.Keys,
			func(key string) bool { return !slices.Contains(p.bystanders, kafkaPartition(key, s.Partitions)) },
		)
		g.PerSecond /= 4
	})
	w := s.watchLeases(t, direct(t, p.successor, true))
	var windows []window
	during := func(name string, happens func()) {
		t.Helper()
		began := time.Now()
		happens()
		s.awaitRounds(t, 2)
		windows = append(windows, window{name: name, from: began, to: time.Now()})
	}
	during("no fault", func() { s.awaitRounds(t, 5) })
	for _, m := range p.moves {
		during("the slot of "+m.key+" moves", func() { moveHalfByHalf(t, servers, m) })
	}
	during("hundreds of slots move", func() { servers.Reshard(t, p.slots, p.giver, p.taker) })
	require.Equal(t, p.taker, servers.Master(t, s.partitionKey(p.given)))
	f := failover{partitions: s.partitionsOf(t, servers, p.victim)}
	require.NotEmpty(t, f.partitions)
	during("a master dies", func() {
		awaitReplicated(t, p.victim, p.successor)
		cutOff(t, p.victim, p.successor)
		s.awaitRounds(t, 2)
		f.killed = time.Now()
		p.victim.Kill(t)
		p.successor.Resume(t)
		require.Equal(t, p.successor, servers.AwaitPromotion(t, s.partitionKey(f.partitions[0])))
		f.promoted = time.Now()
	})
	s.awaitReads(t, time.Now(), failoverPerSecond)
	during("the old master returns as a replica", func() {
		p.victim.Restart(t)
		servers.Await(t)
	})
	s.awaitShares(t, consumers...)
	s.requireAllAlive(t)

	a, lost := s.drainFailover(t, f, w)
	figure(t, "partitions of the dead master", "%v", f.partitions)
	for _, w := range windows {
		others, all := a.longestGap(w, p.bystanders...), a.longestGap(w)
		figure(t, "longest pause while "+w.name, "%s; of unaffected partitions: %s", all, others)
		require.Less(t, others, takeoverWithin, "the pause of a partition on another node while %s", w.name)
	}
	require.Positive(t, lost, "Redis lost nothing")
}

// longestGap returns the longest time without reads of the given partitions, or of any.
func (a *deliveries) longestGap(w window, partitions ...int) time.Duration {
	stayed, moved := a.readGaps(w.from, w.to, partitions...)
	return max(stayed.length(), moved.length()).Round(time.Millisecond)
}

// moves describes what happens to the cluster.
type moves struct {
	moves []move
	// slots move to the taker, including the slot of partition given.
	slots        []int
	given        int
	giver, taker *redistest.Server
	// victim is the master that will die, successor its replica.
	victim, successor *redistest.Server
	// bystanders are the unaffected partitions.
	bystanders []int
}

// move is a key whose slot moves.
type move struct {
	key string
	to  *redistest.Server
}

// planMoves plans to move one partition of each master to the next master, and the topic's metadata
// to the master that will die.
func (s *scenario) planMoves(t *testing.T, servers *redistest.Cluster) moves {
	t.Helper()
	metadata := fmt.Sprintf("rafka:{%s}:topic", s.Topic)
	masters := servers.Nodes()[:clusterMasters]
	home := slices.Index(masters, servers.Master(t, metadata))
	victim, giver := (home+1)%clusterMasters, (home+2)%clusterMasters
	p := moves{
		victim:    masters[victim],
		successor: servers.Nodes()[clusterMasters+victim],
		giver:     masters[giver],
		taker:     masters[home],
	}
	for i := range masters {
		own := s.partitionsOf(t, servers, masters[i])
		require.GreaterOrEqual(t, len(own), 2, "the masters share the partitions")
		p.moves = append(p.moves, move{s.partitionKey(own[0]), masters[(i+1)%clusterMasters]})
		if i == giver {
			p.given = own[1]
		}
	}
	p.moves = append(p.moves, move{metadata, p.victim})
	first := servers.Slot(t, s.partitionKey(p.given)) - resharded/2
	for slot := first; slot < first+resharded; slot++ {
		p.slots = append(p.slots, slot)
	}
	for i := range s.Partitions {
		slot := servers.Slot(t, s.partitionKey(i))
		moved := slices.ContainsFunc(p.moves, func(m move) bool { return m.key == s.partitionKey(i) })
		if !moved && !slices.Contains(p.slots, slot) && servers.Master(t, s.partitionKey(i)) != p.victim {
			p.bystanders = append(p.bystanders, i)
		}
	}
	require.NotEmpty(t, p.bystanders)
	return p
}

// partitionsOf returns the partitions on a node.
func (s *scenario) partitionsOf(t testing.TB, servers *redistest.Cluster, node *redistest.Server) (own []int) {
	t.Helper()
	for i := range s.Partitions {
		if servers.Master(t, s.partitionKey(i)) == node {
			own = append(own, i)
		}
	}
	return own
}

// moveHalfByHalf moves a slot in phases: for a while the key is on its new node while the other
// keys of the slot, which scripts use together with it, are not.
func moveHalfByHalf(t testing.TB, servers *redistest.Cluster, m move) {
	t.Helper()
	migration := servers.BeginMigration(t, servers.Slot(t, m.key), m.to)
	<-time.After(halfway)
	migration.Move(t, m.key)
	<-time.After(halfway)
	migration.Move(t)
	<-time.After(halfway)
	migration.Finish(t)
}
