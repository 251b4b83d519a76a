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

// How long sentinels wait. A busy machine may keep a server silent for half a second: the failover
// that follows would lose writes.
const (
	downAfter = 2 * time.Second
	// noneDies is for tests in which no master dies.
	noneDies = 5 * time.Minute
)

func TestPromotedMasterIsUsed(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(
		t,
		redistest.SentinelOptions{Password: "data", SentinelPassword: "watch", DownAfter: downAfter},
	)
	d := onSentinel(s, "password: data\nsentinel_password: watch\n").hasty()
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	crowd.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.more(t, 500)
	old := s.Master(t)
	old.Kill(t)
	s.AwaitPromotion(t, old)
	began := time.Now()
	load.more(t, 500)
	t.Logf("writing again %s after the promotion", time.Since(began))
	old.Restart(t)
	s.Await(t)
	load.more(t, 500)
	n := load.finish(t)
	crowd.await(t, n)
	t.Logf("read all %s after the promotion", time.Since(began))
	awaitLagZero(t, s.Client(t), d, n)
	t.Logf("%d of %d repeated", crowd.repeated(), n)
}

// The old master was frozen and wakes up believing that it still is one, with connections of ours:
// what it says then must not be taken for the truth, since it forgets all of it as soon as the
// Sentinels have made it a replica.
func TestMasterThatWasFrozenIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: downAfter})
	d := onSentinel(s, "").hasty()
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	crowd.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.more(t, 500)
	old := s.Master(t)
	old.Pause(t)
	s.AwaitPromotion(t, old)
	load.more(t, 500)
	old.Resume(t)
	load.more(t, 500)
	s.Await(t)
	load.more(t, 500)
	n := load.finish(t)
	crowd.await(t, n)
	awaitLagZero(t, s.Client(t), d, n)
}

// A master that runs is replaced: its clients meet READONLY, or are cut off.
func TestMasterThatIsReplacedIsLeft(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: noneDies})
	d := onSentinel(s, "").hasty()
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	for range 2 { // there and back
		load.more(t, 500)
		s.Failover(t)
	}
	load.more(t, 500)
	load.finish(t)
	t.Logf("READONLY was met %d times", len(w.log.Lines("READONLY")))
	require.NoError(t, w.write(t.Context(), 500))
	// What the old master wrote last may not have got to the new one: Redis' own loss, and may be
	// seen late on connections that are still its.
	kept := numbersOf(t, s.Client(t), d)
	for n := w.next - 500; n < w.next; n++ {
		require.Contains(t, kept, n)
	}
	crowd.awaitAll(t, kept)
}

// numbersOf are the numbers that the topic holds.
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

// The name of the server moves to another one, as managed services have it, and the old one is made
// a replica while connections to it live on: whoever holds on to those meets READONLY for ever.
func TestReplicaOnAnOldConnectionIsLeft(t *testing.T) {
	t.Parallel()
	first, second := redistest.Start(t), redistest.Start(t)
	name := redistest.StartProxy(t, first.Addr())
	d := deployment{fields: "url: " + name.URL() + "\n", topic: "orders", partitions: 4}.hasty()
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	w := startWriter(t, d)
	require.NoError(t, w.write(t.Context(), 500))
	crowd.await(t, 500)
	redistest.Replicate(t, first, second)
	require.NoError(t, second.Client(t).ReplicaOf(t.Context(), "no", "one").Err())
	name.Redirect(second.Addr())
	redistest.Replicate(t, second, first)
	require.NoError(t, w.write(t.Context(), 500))
	crowd.await(t, 1000)
	awaitLagZero(t, second.Client(t), d, 1000)
}

func TestUsersOfSentinelsAndServersAreApart(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{
		Password: "data", SentinelPassword: "watch", DownAfter: noneDies,
		Args:           []string{"--user", "app", "on", ">inside", "~*", "&*", "+@all"},
		SentinelConfig: []string{"user guard on >outside allchannels +@all"},
	})
	const server, sentinels = "username: app\npassword: inside\n", "sentinel_username: guard\nsentinel_password: outside\n"
	d := onSentinel(s, server+sentinels)
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), 200))
	crowd.await(t, 200)
	for name, trouble := range map[string]struct{ fields, says string }{
		"no password of the Sentinels":    {server, "`sentinel_username` and `sentinel_password`"},
		"wrong password of the Sentinels": {server + "sentinel_username: guard\nsentinel_password: inside\n", "`sentinel_password`"},
		"wrong password of the server":    {sentinels + "username: app\npassword: outside\n", "check `username` and `password`"},
	} {
		t.Run(name, func(t *testing.T) { failsToConnect(t, onSentinel(s, trouble.fields), trouble.says) })
	}
	t.Run("wrong name of the master", func(t *testing.T) {
		other := d
		other.fields = strings.ReplaceAll(d.fields, s.MasterName(), "other")
		failsToConnect(t, other, "check `master`")
	})
}

// failsToConnect expects both sides to say something in their first line about the connection, and
// not to be ready.
func failsToConnect(t *testing.T, d deployment, says ...string) {
	t.Helper()
	in, out := newCrowd().member(t, "ann", d), startWriter(t, d)
	for _, s := range []*stream{in, out.stream} {
		line := logged(t, s.log, "Failed to connect")
		for _, text := range says {
			assert.Contains(t, line, text)
		}
		s.awaitReady(t, false)
		s.within = 4 * time.Second
	}
}

func TestSentinelsThatAreDownAtTheStartAreDoneWithout(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: noneDies})
	s.Sentinels()[0].Kill(t)
	s.Sentinels()[1].Pause(t)
	d := onSentinel(s, "")
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	require.NoError(t, startWriter(t, d).write(t.Context(), 200))
	crowd.await(t, 200)
	s.Sentinels()[1].Resume(t)
}

// Sentinels name the address under which they see the master, which need not be one that others can
// reach.
func TestMasterAtAnAddressThatCannotBeReachedIsClear(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: noneDies})
	for _, sentinel := range s.Sentinels() {
		client := sentinel.Client(t)
		require.NoError(t, client.Do(t.Context(), "sentinel", "remove", s.MasterName()).Err())
		require.NoError(t, client.Do(t.Context(), "sentinel", "monitor", s.MasterName(), "127.0.0.99", 1, 2).Err())
	}
	d := onSentinel(s, "")
	failsToConnect(t, d, "127.0.0.99:1", "the address that it announces")
	for _, sentinel := range s.Sentinels() {
		sentinel.Kill(t)
	}
	failsToConnect(t, d, "`url` lists the Sentinels")
}
