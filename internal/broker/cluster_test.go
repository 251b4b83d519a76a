package broker

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// neighbours are keys of other slots that the same node serves.
func neighbours(t *testing.T, c *redistest.Cluster, key string, n int) []string {
	t.Helper()
	var found []string
	for i := 0; len(found) < n; i++ {
		if other := fmt.Sprintf("n%d", i); c.Master(t, other) == c.Master(t, key) {
			found = append(found, other)
		}
	}
	return found
}

// go-redis sends all of a node's pipeline again when the first command is refused for a reason that
// passes: whatever was executed, such as appends without sequence numbers, was executed up to four
// times.
func TestPipelineOnAClusterRunsEachScriptOnce(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	client := cluster.Client(t)
	require.NoError(t, client.MSet(t.Context(), "{a}1", 0, "{a}2", 0).Err())
	from, to := cluster.Master(t, "{a}"), cluster.Nodes()[0]
	if to == from {
		to = cluster.Nodes()[1]
	}
	m := cluster.BeginMigration(t, cluster.Slot(t, "{a}"), to)
	m.Move(t, "{a}2")
	calls := []scriptCall{countScript.call([]string{"{a}1", "{a}2"})}
	for _, key := range neighbours(t, cluster, "{a}", 3) {
		calls = append(calls, countScript.call([]string{key}))
	}
	calls = append(calls, countScript.call([]string{"{a}2"})) // where it is now: by ASK
	replies := runAll(t.Context(), client, calls)
	require.ErrorContains(t, replies[0].err, "TRYAGAIN")
	for _, r := range replies[1:] {
		require.NoError(t, r.err)
		assert.Equal(t, "1", replyOf(r.value).word(0))
	}

	m.Move(t)
	m.Finish(t)
	unaware := cluster.Client(t, func(o *redis.ClusterOptions) {
		o.ClusterSlots = func(ctx context.Context) ([]redis.ClusterSlot, error) { // as it was before
			return []redis.ClusterSlot{
				{Start: 0, End: clusterSlots - 1, Nodes: []redis.ClusterNode{{Addr: from.Addr()}}},
			}, nil
		}
	})
	assert.Equal(t, "2", replyOf(runAll(t.Context(), unaware, calls[4:])[0].value).word(0), "by MOVED")
}

func TestAppendOnAClusterThatRefusesMayGoOnWithItsNumber(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 1, 0, "--cluster-require-full-coverage", "no")
	client := cluster.Client(t)
	a := NewAppends(client, AppendOptions{})
	require.Equal(t, appender.Written, appendOne(t, a, part(1, 1, "a")).Status)
	require.NoError(t, client.Set(t.Context(), "text", "x", 0).Err())
	wrong := part(1, 1, "a")
	wrong.Target.Key = "text"
	assert.Equal(t, appender.Failed, appendOne(t, a, wrong).Status, "nothing of it can have been written")

	cluster.Nodes()[0].Kill(t)
	// The first attempt may have met the connection that broke.
	require.Eventually(
		t,
		func() bool { return appendOne(t, a, part(1, 2, "b")).Status == appender.Refused },
		time.Minute,
		10*time.Millisecond,
	)
}

func TestClusterServesThoughANodeIsAway(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0, "--cluster-require-full-coverage", "no")
	client := cluster.Client(t)
	require.NoError(t, CheckServer(t.Context(), client))
	cluster.Nodes()[1].Kill(t)
	require.NoError(t, CheckServer(t.Context(), client))
	alive, dead := "", ""
	for i := 0; alive == "" || dead == ""; i++ {
		key := fmt.Sprintf("topic%d", i)
		if slot := slotOf(key); slot > clusterSlots/3 && slot < 2*clusterSlots/3 {
			dead = key
		} else {
			alive = key
		}
	}
	require.Eventually(
		t,
		func() bool { return CheckWriter(t.Context(), client, alive, 0) == nil },
		time.Minute,
		10*time.Millisecond,
	)
	require.Error(t, CheckWriter(t.Context(), client, dead, 0))
	for _, node := range cluster.Nodes() {
		node.Kill(t)
	}
	require.ErrorContains(t, CheckServer(t.Context(), client), "cluster node")
}

// When a deadline passes while one node is being tried again, go-redis says of everything in the
// pipeline that it failed: one dead node had all leases of a member expire, though most were
// renewed.
func TestDeadNodeSpoilsNoAnswersOfOthers(t *testing.T) {
	t.Parallel()
	const timeout = 4 * time.Second
	cluster := redistest.StartCluster(t, 3, 0, "--cluster-require-full-coverage", "no")
	client := cluster.Client(t, func(o *redis.ClusterOptions) {
		o.DialTimeout, o.ReadTimeout, o.ClusterStateReloadInterval = timeout/2, timeout/2, time.Hour
	})
	dead := cluster.Nodes()[0]
	var calls []scriptCall
	var all []splits.Split
	away := map[int]bool{}
	for i := range 12 {
		key := fmt.Sprintf("k%d", i)
		calls = append(calls, countScript.call([]string{key}))
		all = append(all, plainSplit("s"+key))
		away[i] = cluster.Master(t, key) == dead
	}
	runAll(t.Context(), client, calls)
	_, err := NewLog(client, client).State(t.Context(), all)
	require.NoError(t, err)
	dead.Pause(t)
	for round := range 3 { // the first meets connections that are there, the others make new ones
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		began := time.Now()
		for i, r := range runAll(ctx, client, calls) {
			if away[i] {
				require.Error(t, r.err)
				continue
			}
			require.NoError(t, r.err)
			assert.Equal(t, fmt.Sprint(round+2), replyOf(r.value).word(0))
		}
		assert.Less(t, time.Since(began), timeout*9/10, "there is time left for another call")
		cancel()

		ctx, cancel = context.WithTimeout(t.Context(), timeout)
		states, err := NewLog(client, client).State(ctx, all)
		require.NoError(t, err)
		for i, state := range states {
			assert.Equal(t, cluster.Master(t, all[i].Key) == dead, state.Err != nil, "%v", state.Err)
		}
		cancel()
	}
}

// go-redis sends the reads of a cluster four times to a node that does not answer, and looks for
// another master only when all is over: a partition stood still for as long after its replica had
// been promoted, while its lease was renewed there.
func TestFetchAsksAFrozenNodeOnce(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0, "--cluster-require-full-coverage", "no")
	const timeout = time.Second
	var logs []*Log
	var requests []splits.FetchRequest
	for _, block := range []time.Duration{0, 50 * time.Millisecond} {
		for _, inspect := range []bool{false, true} {
			client := cluster.Client(t, func(o *redis.ClusterOptions) { o.ReadTimeout = timeout })
			l := NewLog(client, client)
			req := splits.FetchRequest{
				Cursors: []splits.Cursor{{Split: plainSplit("s"), Inspect: inspect}},
				Count:   10,
				Block:   block,
			}
			_, err := l.Fetch(t.Context(), req) // by the connection on which nobody will answer
			require.NoError(t, err)
			logs, requests = append(logs, l), append(requests, req)
		}
	}
	cluster.Master(t, "s").Pause(t)
	for i, l := range logs {
		began := time.Now()
		_, err := l.Fetch(t.Context(), requests[i])
		require.Error(t, err)
		assert.Less(t, time.Since(began), 3*timeout, "%+v", requests[i])
	}
}

// While a slot moves, a script is refused that names a key which is not there: that kept every
// member from being heard of until the topic's slot had moved, and the leases of empty partitions
// from being renewed.
func TestMembersAreHeardOfWhileTheirSlotsMove(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	client := cluster.Client(t)
	_, _, err := NewTopics(client).Create(t.Context(), "cut", 1)
	require.NoError(t, err)
	for _, topic := range []string{"cut", "plain"} {
		beat := splits.Beat{Member: "a", TTL: time.Minute}
		split := NewGroup(client, topic, "g").splitsOf(map[string]int{"cut": 1}[topic])[0]
		leases := NewLeases(client, LeasesOptions{Topic: topic, Group: "g"})
		_, err = NewGroup(client, topic, "g").Beat(t.Context(), beat)
		require.NoError(t, err)
		granted := leases.Claim(t.Context(), "a", time.Minute, []splits.Claim{{Split: split}})
		require.NoError(t, granted[0].Err)
		lease := splits.Lease{Split: split, Member: "a", Epoch: granted[0].Epoch}
		works := func(when string) {
			_, err := NewGroup(client, topic, "g").Beat(t.Context(), beat)
			require.NoError(t, err, "%s %s", topic, when)
			require.NoError(t, leases.Renew(t.Context(), time.Minute, []splits.Lease{lease})[0], "%s %s", topic, when)
		}
		for _, key := range []string{topic, split.Key} {
			to := cluster.Nodes()[0]
			if to == cluster.Master(t, key) {
				to = cluster.Nodes()[1]
			}
			m := cluster.BeginMigration(t, cluster.Slot(t, key), to)
			works("before its keys have moved")
			m.Move(t)
			m.Finish(t)
			works("when its slot has moved")
		}
	}
}
