//go:build ledger

package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// topology is the servers that Redis runs on.
type topology struct {
	connection
	client redis.UniversalClient
	// proxied is the server behind the proxies of the hosts; nil where clients learn the addresses
	// from the servers.
	proxied *redistest.Server
	// faults are the faults of the servers.
	faults []fault
}

var topologies = map[string]func(testing.TB) topology{
	"single":   singleTopology,
	"sentinel": sentinelTopology,
	"cluster":  clusterTopology,
}

// singleTopology returns a single server, which loses nothing when it is killed.
func singleTopology(t testing.TB) topology {
	t.Helper()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	outage := func(fail, repair func(*redistest.Server, testing.TB)) func(*chaos, testing.TB, injection) {
		return func(c *chaos, t testing.TB, in injection) {
			fail(server, t)
			c.wait(in.lasts)
			repair(server, t)
		}
	}
	return topology{
		connection: connection{URL: server.URL(), Kind: "simple"}, client: server.Client(t), proxied: server,
		faults: []fault{
			serverFault("redis is killed", 3, outage((*redistest.Server).Kill, (*redistest.Server).Restart)),
			serverFault("redis is frozen", 3, outage((*redistest.Server).Pause, (*redistest.Server).Resume)),
		},
	}
}

// shortFreeze is the longest freeze that does not trigger a failover.
const shortFreeze = 200 * time.Millisecond

// sentinelTopology returns a master with a replica, which is promoted when the master dies.
func sentinelTopology(t testing.TB) topology {
	t.Helper()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{})
	successorOf := func(t testing.TB, _ int) (master, successor *redistest.Server) {
		master = s.Master(t)
		i := slices.IndexFunc(s.Servers(), func(other *redistest.Server) bool { return other != master })
		return master, s.Servers()[i]
	}
	// If a master returns before all Sentinels know the new one, some clients take it for the
	// master and their writes are lost.
	named := func(t testing.TB, successor *redistest.Server) {
		await(t, waitLimit, "the sentinels to name "+successor.Addr(), func() bool { return s.Master(t) == successor })
	}
	return topology{
		connection: connection{URL: s.URL(), Kind: "failover", Master: s.MasterName()}, client: s.Client(t),
		faults: failovers(successorOf, named, s.Await),
	}
}

// clusterTopology returns three masters with a replica each. Its faults also move slots.
func clusterTopology(t testing.TB) topology {
	t.Helper()
	s := redistest.StartCluster(t, clusterMasters, 1, "--cluster-require-full-coverage", "no")
	successorOf := func(t testing.TB, pick int) (master, successor *redistest.Server) {
		master = s.Master(t, fmt.Sprint("any key ", pick))
		i := slices.Index(s.Nodes(), master)
		return master, s.Nodes()[(i+clusterMasters)%(2*clusterMasters)]
	}
	move := func(c *chaos, t testing.TB, in injection) {
		key := c.partitionKey(in.pick % c.Partitions)
		if in.pick%5 == 0 {
			key = fmt.Sprintf("rafka:{%s}:topic", c.Topic)
		}
		from := s.Master(t, key)
		to := s.Master(t, "any key")
		for i := 0; to == from; i++ {
			to = s.Master(t, fmt.Sprint("any key ", i))
		}
		moveHalfByHalf(t, s, move{key, to})
	}
	handOver := func(_ *chaos, t testing.TB, in injection) {
		master, _ := successorOf(t, in.pick)
		s.Failover(t, master)
	}
	return topology{
		connection: connection{URL: s.URL(), Kind: "cluster"}, client: s.Client(t),
		faults: append(failovers(successorOf, awaitMaster, s.Await),
			serverFault("a slot moves", 3, move),
			serverFault("a master fails over manually", 2, handOver)),
	}
}

// failovers returns the faults of a master: it is killed, it is frozen until its replica has been
// promoted, or it is frozen so briefly that no failover happens. A frozen master that continued
// after the failover would act as a master for a moment and lose the writes of that time, so the
// fault kills it in the end.
func failovers(
	successorOf func(t testing.TB, pick int) (master, successor *redistest.Server),
	named func(testing.TB, *redistest.Server),
	settled func(testing.TB),
) []fault {
	failover := func(breakMaster func(*redistest.Server, testing.TB)) func(*chaos, testing.TB, injection) {
		return func(c *chaos, t testing.TB, in injection) {
			master, successor := successorOf(t, in.pick)
			holdWrites(t, master, successor)
			breakMaster(master, t)
			awaitMaster(t, successor)
			c.history.end(in.event) // from now on this event is not a cause
			comeback := c.history.begin("a dead master returns", allServers, harmless)
			named(t, successor)
			c.wait(in.lasts)
			master.Kill(t)
			master.Restart(t)
			settled(t)
			c.history.end(comeback)
		}
	}
	freezeBriefly := func(c *chaos, t testing.TB, in injection) {
		master, _ := successorOf(t, in.pick)
		master.Pause(t)
		c.wait(in.lasts)
		master.Resume(t)
	}
	return []fault{
		serverFault("a master is killed", 3, failover((*redistest.Server).Kill)),
		serverFault("a master is frozen, then killed", 3, failover((*redistest.Server).Pause)),
		{"a master freezes briefly", 2, shortFreeze / 4, shortFreeze, onServers, disruptive, freezeBriefly},
	}
}

// holdWrites makes a master hold back writes until it dies, and waits until its replica has all
// earlier writes: no acknowledged write can be lost.
func holdWrites(t testing.TB, master, successor *redistest.Server) {
	t.Helper()
	require.NoError(t, master.Client(t).Do(t.Context(), "client", "pause", waitLimit.Milliseconds(), "write").Err())
	awaitReplicated(t, master, successor)
}

// awaitMaster waits until a replica is promoted.
func awaitMaster(t testing.TB, successor *redistest.Server) {
	t.Helper()
	client := successor.Client(t)
	await(t, waitLimit, successor.Addr()+" to be promoted", func() bool {
		info, err := client.Info(t.Context(), "replication").Result() // a promotion ends connections
		return err == nil && strings.Contains(info, "role:master")
	})
}
