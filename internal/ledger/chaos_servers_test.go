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

// realm is what Redis runs on.
type realm struct {
	connection
	client redis.UniversalClient
	// proxied is the server that every process can reach by a proxy of its own; nil where clients
	// learn the addresses from the servers.
	proxied *redistest.Server
	// strikes are those on the servers.
	strikes []strike
}

var realms = map[string]func(testing.TB) realm{
	"single":   singleRealm,
	"sentinel": sentinelRealm,
	"cluster":  clusterRealm,
}

// singleRealm is one server, which loses nothing when it is killed.
func singleRealm(t testing.TB) realm {
	t.Helper()
	server := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	away := func(fail, mend func(*redistest.Server, testing.TB)) func(*chaos, testing.TB, hit) {
		return func(c *chaos, t testing.TB, h hit) {
			fail(server, t)
			c.wait(h.lasts)
			mend(server, t)
		}
	}
	return realm{
		connection: connection{URL: server.URL(), Kind: "simple"}, client: server.Client(t), proxied: server,
		strikes: []strike{
			{
				"redis is killed",
				3,
				cutLeast,
				cutMost,
				onServers,
				harsh,
				away((*redistest.Server).Kill, (*redistest.Server).Restart),
			},
			{
				"redis is frozen",
				3,
				cutLeast,
				cutMost,
				onServers,
				harsh,
				away((*redistest.Server).Pause, (*redistest.Server).Resume),
			},
		},
	}
}

// hiccup is the longest freeze that nobody takes for a death.
const hiccup = 200 * time.Millisecond

// sentinelRealm is a master with a replica that is promoted when it dies.
func sentinelRealm(t testing.TB) realm {
	t.Helper()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{})
	heirOf := func(t testing.TB, _ int) (master, heir *redistest.Server) {
		master = s.Master(t)
		i := slices.IndexFunc(s.Servers(), func(other *redistest.Server) bool { return other != master })
		return master, s.Servers()[i]
	}
	// A master that comes back before all sentinels have heard of its heir is taken for the master
	// by some, and writes to it are lost.
	named := func(t testing.TB, heir *redistest.Server) {
		await(t, patience, "the sentinels to name "+heir.Addr(), func() bool { return s.Master(t) == heir })
	}
	return realm{
		connection: connection{URL: s.URL(), Kind: "failover", Master: s.MasterName()}, client: s.Client(t),
		strikes: failovers(heirOf, named, s.Await),
	}
}

// clusterRealm is three masters, each with a replica. Slots move, too.
func clusterRealm(t testing.TB) realm {
	t.Helper()
	s := redistest.StartCluster(t, clusterMasters, 1, "--cluster-require-full-coverage", "no")
	heirOf := func(t testing.TB, pick int) (master, heir *redistest.Server) {
		master = s.Master(t, fmt.Sprint("any key ", pick))
		i := slices.Index(s.Nodes(), master)
		return master, s.Nodes()[(i+clusterMasters)%(2*clusterMasters)]
	}
	move := func(c *chaos, t testing.TB, h hit) {
		key := c.partitionKey(h.pick % c.Partitions)
		if h.pick%5 == 0 {
			key = fmt.Sprintf("rafka:{%s}:topic", c.Topic)
		}
		from := s.Master(t, key)
		to := s.Master(t, "any key")
		for i := 0; to == from; i++ {
			to = s.Master(t, fmt.Sprint("any key ", i))
		}
		moveHalfByHalf(t, s, move{key, to})
	}
	handOver := func(_ *chaos, t testing.TB, h hit) {
		master, _ := heirOf(t, h.pick)
		s.Failover(t, master)
	}
	return realm{
		connection: connection{URL: s.URL(), Kind: "cluster"}, client: s.Client(t),
		strikes: append(failovers(heirOf, awaitMaster, s.Await),
			strike{"a slot moves", 3, cutLeast, cutMost, onServers, harsh, move},
			strike{"a master hands over", 2, cutLeast, cutMost, onServers, harsh, handOver}),
	}
}

// failovers are the deaths of a master: at once, or by standing still until its replica has been
// promoted; and what is no death yet. A master that comes back from standing still would go on as
// one for a moment, and lose what is written then: so it dies in the end.
func failovers(
	heirOf func(t testing.TB, pick int) (master, heir *redistest.Server),
	named func(testing.TB, *redistest.Server),
	settled func(testing.TB),
) []strike {
	die := func(fall func(*redistest.Server, testing.TB)) func(*chaos, testing.TB, hit) {
		return func(c *chaos, t testing.TB, h hit) {
			master, heir := heirOf(t, h.pick)
			holdWrites(t, master, heir)
			fall(master, t)
			awaitMaster(t, heir)
			c.history.end(h.blow) // from now on nobody has an excuse
			comeback := c.history.begin("a dead master comes back", theServers, gentle)
			named(t, heir)
			c.wait(h.lasts)
			master.Kill(t)
			master.Restart(t)
			settled(t)
			c.history.end(comeback)
		}
	}
	stumble := func(c *chaos, t testing.TB, h hit) {
		master, _ := heirOf(t, h.pick)
		master.Pause(t)
		c.wait(h.lasts)
		master.Resume(t)
	}
	return []strike{
		{"a master is killed", 3, cutLeast, cutMost, onServers, harsh, die((*redistest.Server).Kill)},
		{"a master is frozen, then killed", 3, cutLeast, cutMost, onServers, harsh, die((*redistest.Server).Pause)},
		{"a master stumbles", 2, hiccup / 4, hiccup, onServers, harsh, stumble},
	}
}

// holdWrites has a master put writes off, until it dies, and waits until its replica has all that
// was written before: nothing that was acknowledged will be lost.
func holdWrites(t testing.TB, master, heir *redistest.Server) {
	t.Helper()
	require.NoError(t, master.Client(t).Do(t.Context(), "client", "pause", patience.Milliseconds(), "write").Err())
	awaitReplicated(t, master, heir)
}

// awaitMaster waits until a replica has been promoted.
func awaitMaster(t testing.TB, heir *redistest.Server) {
	t.Helper()
	client := heir.Client(t)
	await(t, patience, heir.Addr()+" to be promoted", func() bool {
		info, err := client.Info(t.Context(), "replication").Result() // a promotion ends connections
		return err == nil && strings.Contains(info, "role:master")
	})
}
