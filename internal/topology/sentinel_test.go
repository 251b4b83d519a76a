package topology

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func onSentinel(s *redistest.Sentinel, more string) deployment {
	return deployment{
		fields:     "kind: failover\nurl: '" + s.URL() + "'\nmaster: " + s.MasterName() + "\n" + more,
		topic:      "orders",
		partitions: 4,
	}
}

// How long Sentinels wait. A busy machine can keep a server silent for half a second, and a
// failover for that reason would lose writes.
const (
	downAfter = 2 * time.Second
	// noFailover is for tests in which no master dies.
	noFailover = 5 * time.Minute
)

func TestPromotedMasterIsUsed(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(
		t,
		redistest.SentinelOptions{Password: "data", SentinelPassword: "watch", DownAfter: downAfter},
	)
	d := onSentinel(s, "password: data\nsentinel_password: watch\n").withShortTimeouts()
	consumers := newConsumers()
	consumers.join(t, "ann", d)
	consumers.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.awaitMore(t, 500)
	old := s.Master(t)
	old.Kill(t)
	s.AwaitPromotion(t, old)
	began := time.Now()
	load.awaitMore(t, 500)
	t.Logf("writing again %s after the promotion", time.Since(began))
	old.Restart(t)
	s.Await(t)
	load.awaitMore(t, 500)
	n := load.finish(t)
	consumers.await(t, n)
	t.Logf("read all %s after the promotion", time.Since(began))
	awaitLagZero(t, s.Client(t), d, n)
	t.Logf("%d of %d repeated", consumers.repeated(), n)
}

// The old master was frozen. When it continues, it still acts as the master on rafka's old
// connections. Its replies must not be trusted: it forgets everything as soon as the Sentinels make
// it a replica.
func TestFrozenMasterIsNotTrustedAfterFailover(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: downAfter})
	d := onSentinel(s, "").withShortTimeouts()
	consumers := newConsumers()
	consumers.join(t, "ann", d)
	consumers.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.awaitMore(t, 500)
	old := s.Master(t)
	old.Pause(t)
	s.AwaitPromotion(t, old)
	load.awaitMore(t, 500)
	old.Resume(t)
	load.awaitMore(t, 500)
	s.Await(t)
	load.awaitMore(t, 500)
	n := load.finish(t)
	consumers.await(t, n)
	awaitLagZero(t, s.Client(t), d, n)
}

// A running master is replaced: its clients get READONLY or are disconnected.
func TestClientsLeaveReplacedMaster(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: noFailover})
	d := onSentinel(s, "").withShortTimeouts()
	consumers := newConsumers()
	consumers.join(t, "ann", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	for range 2 { // to the replica and back
		load.awaitMore(t, 500)
		s.Failover(t)
	}
	load.awaitMore(t, 500)
	load.finish(t)
	t.Logf("READONLY was met %d times", len(w.log.Lines("READONLY")))
	require.NoError(t, w.write(t.Context(), 500))
	// The last writes of the old master may not have reached the new one: Redis loses them, and
	// connections to the old master may notice late.
	kept := numbersOf(t, s.Client(t), d)
	for n := w.next - 500; n < w.next; n++ {
		require.Contains(t, kept, n)
	}
	consumers.awaitAll(t, kept)
}

// numbersOf returns the numbers in the topic.
func numbersOf(t *testing.T, client redis.UniversalClient, d deployment) (all []int) {
	t.Helper()
	for i := range d.partitions {
		entries, err := client.XRange(t.Context(), fmt.Sprintf("%s:%d", d.topic, i), "-", "+").Result()
		require.NoError(t, err)
		for _, e := range entries {
			n, err := strconv.Atoi(fmt.Sprint(e.Values["body"]))
			require.NoError(t, err)
			all = append(all, n)
		}
	}
	return all
}

// The host name of the server moves to another server, as in managed services, and the old server
// becomes a replica while connections to it stay open: a client that keeps them would get READONLY
// forever.
func TestClientsLeaveDemotedServer(t *testing.T) {
	t.Parallel()
	first, second := redistest.Start(t), redistest.Start(t)
	name := redistest.StartProxy(t, first.Addr())
	d := deployment{fields: "url: " + name.URL() + "\n", topic: "orders", partitions: 4}.withShortTimeouts()
	consumers := newConsumers()
	consumers.join(t, "ann", d)
	w := startWriter(t, d)
	require.NoError(t, w.write(t.Context(), 500))
	consumers.await(t, 500)
	redistest.Replicate(t, first, second)
	require.NoError(t, second.Client(t).ReplicaOf(t.Context(), "no", "one").Err())
	name.Redirect(second.Addr())
	redistest.Replicate(t, second, first)
	require.NoError(t, w.write(t.Context(), 500))
	consumers.await(t, 1000)
	awaitLagZero(t, second.Client(t), d, 1000)
}

func TestSentinelsAndServersHaveSeparateCredentials(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{
		Password: "data", SentinelPassword: "watch", DownAfter: noFailover,
		Args:           []string{"--user", "app", "on", ">inside", "~*", "&*", "+@all"},
		SentinelConfig: []string{"user guard on >outside allchannels +@all"},
	})
	const (
		server    = "username: app\npassword: inside\n"
		sentinels = "sentinel_username: guard\nsentinel_password: outside\n"
	)
	d := onSentinel(s, server+sentinels)
	consumers := newConsumers()
	consumers.join(t, "ann", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), 200))
	consumers.await(t, 200)
	for name, c := range map[string]struct{ fields, message string }{
		"no password of the Sentinels": {server, "`sentinel_username` and `sentinel_password`"},
		"wrong password of the Sentinels": {
			server + "sentinel_username: guard\nsentinel_password: inside\n",
			"`sentinel_password`",
		},
		"wrong password of the server": {
			sentinels + "username: app\npassword: outside\n",
			"check `username` and `password`",
		},
	} {
		t.Run(name, func(t *testing.T) { requireConnectError(t, onSentinel(s, c.fields), c.message) })
	}
	t.Run("wrong name of the master", func(t *testing.T) {
		other := d
		other.fields = strings.ReplaceAll(d.fields, s.MasterName(), "other")
		requireConnectError(t, other, "check `master`")
	})
}

// requireConnectError checks that input and output log the texts in their first line about the
// connection, and that neither is ready.
func requireConnectError(t *testing.T, d deployment, texts ...string) {
	t.Helper()
	in, out := newConsumers().member(t, "ann", d), startWriter(t, d)
	for _, s := range []*stream{in, out.stream} {
		line := awaitLog(t, s.log, "Failed to connect")
		for _, text := range texts {
			assert.Contains(t, line, text)
		}
		s.awaitReady(t, false)
		s.within = 4 * time.Second
	}
}

func TestStartWorksWhileSomeSentinelsAreDown(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: noFailover})
	s.Sentinels()[0].Kill(t)
	s.Sentinels()[1].Pause(t)
	d := onSentinel(s, "")
	consumers := newConsumers()
	consumers.join(t, "ann", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), 200))
	consumers.await(t, 200)
	s.Sentinels()[1].Resume(t)
}

// Sentinels return the address under which they see the master. Clients may not be able to reach
// it.
func TestUnreachableMasterAddressIsReported(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: noFailover})
	for _, sentinel := range s.Sentinels() {
		client := sentinel.Client(t)
		require.NoError(t, client.Do(t.Context(), "sentinel", "remove", s.MasterName()).Err())
		require.NoError(t, client.Do(t.Context(), "sentinel", "monitor", s.MasterName(), "127.0.0.99", 1, 2).Err())
	}
	d := onSentinel(s, "")
	requireConnectError(t, d, "127.0.0.99:1", "the address that the server announces")
	for _, sentinel := range s.Sentinels() {
		sentinel.Kill(t)
	}
	requireConnectError(t, d, "the addresses of the Sentinels in `url`")
}
