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
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

func TestAppendToADeadClusterNodeIsRefused(t *testing.T) {
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
	// The first attempt may use the broken connection.
	require.Eventually(
		t,
		func() bool { return appendOne(t, a, part(1, 2, "b")).Status == appender.Refused },
		time.Minute,
		10*time.Millisecond,
	)
}

// One dead node must not make the states of streams on other nodes fail. Package script has a
// similar test.
func TestDeadNodeDoesNotAffectStatesOfOtherNodes(t *testing.T) {
	t.Parallel()
	const timeout = 4 * time.Second
	cluster := redistest.StartCluster(t, 3, 0, "--cluster-require-full-coverage", "no")
	client := cluster.Client(t, func(o *redis.ClusterOptions) {
		o.DialTimeout, o.ReadTimeout, o.ClusterStateReloadInterval = timeout/2, timeout/2, time.Hour
	})
	dead := cluster.Nodes()[0]
	var all []splits.Split
	for i := range 12 {
		all = append(all, PlainSplit(fmt.Sprintf("k%d", i)))
	}
	_, err := NewLog(client, client).State(t.Context(), all)
	require.NoError(t, err)
	dead.Pause(t)
	for range 3 { // the first uses existing connections, the others open new ones
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		states, err := NewLog(client, client).State(ctx, all)
		require.NoError(t, err)
		for i, state := range states {
			assert.Equal(t, cluster.Master(t, all[i].Key) == dead, state.Err != nil, "%v", state.Err)
		}
		cancel()
	}
}

// go-redis sends the reads of a cluster four times to a node that does not reply, and searches for
// another master only afterwards. A partition once stood still for this time after its replica had
// been promoted, while its lease was renewed on the replica.
func TestFetchSendsOneRequestToAFrozenNode(t *testing.T) {
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
				Cursors: []splits.Cursor{{Split: PlainSplit("s"), Inspect: inspect}},
				Count:   10,
				Block:   block,
			}
			_, err := l.Fetch(t.Context(), req) // uses the connection to the node that will not reply
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

// While a slot moves, a cluster rejects a script that names a missing key. This once made all
// heartbeats fail until the topic's slot had moved, and also the renewals of the leases of empty
// partitions.
func TestHeartbeatsAndRenewalsSucceedWhileSlotsMove(t *testing.T) {
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
			require.NoError(t, client.Del(t.Context(), keys.Groups(topic)).Err()) // a group can be older
			works("although the groups of its topic are lost")
			m.Move(t)
			m.Finish(t)
			works("when its slot has moved")
			assert.Equal(t, []string{"g"}, client.SMembers(t.Context(), keys.Groups(topic)).Val())
		}
	}
}

func TestShardIsTheSlotOnAClusterOnly(t *testing.T) {
	single := redis.NewClient(&redis.Options{})
	defer single.Close()
	assert.Empty(t, NewLog(single, single).Shard(PlainSplit("foo")))
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"192.0.2.1:1"}})
	defer cluster.Close()
	assert.Equal(t, "12182", NewLog(cluster, cluster).Shard(PlainSplit("foo")))
}

// A cluster of one node routes requests, splits pipelines and rejects requests across slots like
// any other cluster.
func TestClusterIsReadAndWrittenLikeOneServer(t *testing.T) {
	nodes := redistest.StartCluster(t, 1, 0)
	ctx, cluster, server := t.Context(), nodes.Client(t), nodes.Nodes()[0]

	_, _, err := NewTopics(cluster).Create(ctx, "t", 8)
	require.NoError(t, err)
	topic := Topic{Name: "t", Partitions: 8}
	appends := NewAppends(cluster, AppendOptions{})
	var round []appender.Request
	for _, split := range topic.Splits() {
		p := part(1, 1, "x")
		p.Target.Key = split.Key
		assert.Contains(t, appends.Node(p.Target), server.Addr()[len("127.0.0.1"):])
		round = append(round, p)
	}
	for _, want := range []appender.Status{appender.Written, appender.Duplicate} {
		for _, result := range appends.Append(ctx, round) {
			require.Equal(t, want, result.Status, result.Err)
		}
	}

	l := NewLog(cluster, cluster)
	shards := map[string]bool{}
	for _, split := range topic.Splits() {
		shards[l.Shard(split)] = true
		fetched, err := l.Fetch(
			ctx,
			splits.FetchRequest{Cursors: []splits.Cursor{{Split: split, Inspect: true}}, Block: time.Second},
		)
		require.NoError(t, err)
		assert.Len(t, fetched[0].Entries, 1)
		assert.EqualValues(t, 1, fetched[0].State.EntriesAdded)
	}
	assert.Len(t, shards, 8)
	states, err := l.State(ctx, topic.Splits())
	require.NoError(t, err)
	for _, state := range states {
		assert.EqualValues(t, 1, state.Length)
	}
	_, err = l.Fetch(ctx, splits.FetchRequest{Cursors: cursorsOf("t:0", "t:1")})
	assert.ErrorContains(t, err, "CROSSSLOT", "what Shard is there for")
}
