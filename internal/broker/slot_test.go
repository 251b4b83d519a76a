package broker

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

func TestSlotOfIsTheCluster(t *testing.T) {
	s := testServer{client: redistest.Start(t, "--cluster-enabled", "yes").Client(t)}
	keys := []string{
		"123456789",
		"foo",
		"bar",
		"{user}:1",
		"{}x",
		"{",
		"a{b}c{d}",
		"x{}y{z}",
		"{a",
		"orders:3",
		"\xff\x00",
	}
	for _, key := range keys {
		want, err := s.client.ClusterKeySlot(t.Context(), key).Result()
		require.NoError(t, err)
		assert.EqualValues(t, want, slotOf(key), "%q", key)
	}
	// The reference of the specification: CRC16("123456789") is 0x31C3.
	assert.Equal(t, 0x31C3, slotOf("123456789"))
	assert.Equal(t, []int{12182, 5061, 5474}, []int{slotOf("foo"), slotOf("bar"), slotOf("{user}:1")})
	assert.Equal(t, slotOf("b"), slotOf("a{b}c{d}"))
}

func TestShardIsTheSlotOnAClusterOnly(t *testing.T) {
	single := redis.NewClient(&redis.Options{})
	defer single.Close()
	assert.Empty(t, NewLog(single, single).Shard(plainSplit("foo")))
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"192.0.2.1:1"}})
	defer cluster.Close()
	assert.Equal(t, "12182", NewLog(cluster, cluster).Shard(plainSplit("foo")))
}

// A cluster of one node routes, splits pipelines and refuses to cross slots like any other.
func TestReadingAndWritingOnACluster(t *testing.T) {
	server := redistest.Start(t, "--cluster-enabled", "yes")
	node := server.Client(t)
	ctx := t.Context()
	require.NoError(t, node.ClusterAddSlotsRange(ctx, 0, clusterSlots-1).Err())
	require.Eventually(
		t,
		func() bool { return node.Set(ctx, "probe", "x", 0).Err() == nil },
		time.Minute,
		10*time.Millisecond,
	)
	cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr()}})
	defer cluster.Close()

	_, _, err := NewTopics(cluster).Create(ctx, "t", 8)
	require.NoError(t, err)
	require.NoError(t, CheckReader(ctx, cluster, "t", "g"))
	require.NoError(t, CheckWriter(ctx, cluster, "t", 0))
	require.NoError(t, CheckWriter(ctx, cluster, "plain", 0))

	topic := Topic{Name: "t", Partitions: 8}
	appends := NewAppends(cluster, AppendOptions{})
	var round []appender.Append
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
