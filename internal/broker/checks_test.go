package broker

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// clusterOf is a client of a cluster whose only node is at the address and has all slots.
func clusterOf(t *testing.T, addr string) *redis.ClusterClient {
	t.Helper()
	cluster := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{addr},
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{{Start: 0, End: clusterSlots - 1, Nodes: []redis.ClusterNode{{Addr: addr}}}}, nil
		},
	})
	t.Cleanup(func() { _ = cluster.Close() })
	return cluster
}

func TestChecksOfAnEmptyServerPassAndWriteNothing(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		require.NoError(t, CheckReader(t.Context(), s.client, "t", "g"))
		require.NoError(t, CheckWriter(t.Context(), s.client, "t", 0))
		require.NoError(t, CheckWriter(t.Context(), s.client, "t", 700))
		keys, err := s.client.Keys(t.Context(), "*").Result()
		require.NoError(t, err)
		assert.Empty(t, keys)
	})
}

func TestChecksOfATopicInUsePassAndChangeNothing(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		ctx := t.Context()
		_, _, err := NewTopics(s.client).Create(ctx, "t", 2)
		require.NoError(t, err)
		s.add(t, partitionKey("t", 1), "5-5")
		s.set(t, planKey("t", "g"), "version", 1)
		s.set(t, leaseKey(partitionKey("t", 1), "g"), "owner", "m")
		require.NoError(t, s.client.ZAdd(ctx, membersKey("t", "g"), redis.Z{Score: 1, Member: "m"}).Err())
		before, err := s.client.Keys(ctx, "*").Result()
		require.NoError(t, err)

		require.NoError(t, CheckReader(ctx, s.client, "t", "g"))
		require.NoError(t, CheckWriter(ctx, s.client, "t", 0))
		require.NoError(t, CheckWriter(ctx, s.client, "t", 9), "it has partitions already: theirs count")
		after, err := s.client.Keys(ctx, "*").Result()
		require.NoError(t, err)
		assert.ElementsMatch(t, before, after)
		assert.Equal(t, int64(1), s.client.ZCard(ctx, membersKey("t", "g")).Val())
		assert.Equal(t, int64(1), s.client.XLen(ctx, partitionKey("t", 1)).Val())
	})
}

func TestChecksNameTheKeyOfAnotherType(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		ctx := t.Context()
		_, _, err := NewTopics(s.client).Create(ctx, "t", 3)
		require.NoError(t, err)
		for _, key := range []string{
			partitionKey("t", 2), planKey("t", "g"), membersKey("t", "g"), leaseKey(partitionKey("t", 1), "g"),
		} {
			require.NoError(t, s.client.Set(ctx, key, "text", 0).Err())
			err := CheckReader(ctx, s.client, "t", "g")
			assert.Equal(t, ClassWrongType, Classify(err), err)
			assert.ErrorContains(t, err, "key "+key+" is a string")
			assert.ErrorContains(t, err, "rename or delete")
			if key == partitionKey("t", 2) {
				assert.ErrorContains(
					t,
					CheckWriter(ctx, s.client, "t", 0),
					"key "+key+" is a string and should be a stream",
				)
			}
			require.NoError(t, s.client.Del(ctx, key).Err())
		}
		require.NoError(t, s.client.Set(ctx, "plain", "text", 0).Err())
		assert.ErrorContains(t, CheckReader(ctx, s.client, "plain", "g"), "key plain is a string")
		assert.ErrorContains(t, CheckWriter(ctx, s.client, "plain", 0), "key plain is a string")
		require.NoError(t, s.client.Set(ctx, topicKey("odd"), "text", 0).Err())
		assert.ErrorContains(t, CheckWriter(ctx, s.client, "odd", 0), topicKey("odd"))
	})
}

func TestCheckWriterFindsWhatStandsInTheWayOfANewTopic(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.add(t, "taken", "*")
		var plain *PlainStreamError
		require.ErrorAs(t, CheckWriter(t.Context(), s.client, "taken", 4), &plain)
		assert.Equal(t, "stream", plain.Type)
		require.NoError(t, CheckWriter(t.Context(), s.client, "taken", 0))
		require.ErrorContains(t, CheckWriter(t.Context(), s.client, "x:1", 4), "stream_name")
		require.ErrorContains(t, CheckWriter(t.Context(), s.client, "x", -1+MaxPartitions+2), "partitions")
		require.ErrorContains(t, CheckReader(t.Context(), s.client, "x", ""), "consumer_group")
		require.ErrorContains(t, CheckReader(t.Context(), s.client, "a{b", "g"), "stream_name")
	})
}

func TestChecksFindAReadOnlyReplica(t *testing.T) {
	s := onRedis(t)
	require.NoError(t, s.client.Do(t.Context(), "replicaof", "127.0.0.1", "1").Err())
	for _, err := range []error{CheckReader(t.Context(), s.client, "t", "g"), CheckWriter(t.Context(), s.client, "t", 0)} {
		assert.Equal(t, ClassTransient, Classify(err), err)
		assert.ErrorContains(t, err, "`url` to the master")
	}
}

func TestCheckWriterFindsAFullServer(t *testing.T) {
	s := onRedis(t)
	require.NoError(t, s.client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	err := CheckWriter(t.Context(), s.client, "t", 0)
	assert.Equal(t, ClassTransient, Classify(err), err)
	assert.ErrorContains(t, err, "maxmemory")
}

func TestChecksWithoutAServerOrPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "open-sesame")
	assert.ErrorContains(t, CheckReader(t.Context(), server.Client(t), "t", "g"), "set `password`")
	wrong := server.Client(t, func(o *redis.Options) { o.Password = "my-guess" })
	err := CheckWriter(t.Context(), wrong, "t", 0)
	assert.Equal(t, ClassAuth, Classify(err), err)
	assert.NotContains(t, err.Error(), "guess")
	server.Kill(t)
	assert.ErrorContains(t, CheckReader(t.Context(), server.Client(t), "t", "g"), "check `url`")
}

// A stream whose last ID is the highest one refuses every entry. Nothing tells so but an attempt to
// write, which must change nothing.
func TestCheckWriterFindsAStreamWithoutIDsLeft(t *testing.T) {
	s := onRedis(t)
	_, _, err := NewTopics(s.client).Create(t.Context(), "t", 3)
	require.NoError(t, err)
	require.NoError(t, s.client.XGroupCreateMkStream(t.Context(), partitionKey("t", 0), "g", "$").Err())
	s.add(t, partitionKey("t", 1), "0-1")
	s.add(t, partitionKey("t", 2), "18446744073709551615-18446744073709551614")
	require.NoError(t, CheckWriter(t.Context(), s.client, "t", 0))
	s.add(t, partitionKey("t", 2), "18446744073709551615-18446744073709551615")
	err = CheckWriter(t.Context(), s.client, "t", 0)
	require.ErrorContains(t, err, "t:2")
	require.ErrorContains(t, err, "exhausted the last possible ID")
	require.ErrorContains(t, err, "read the stream to its end and delete it")
	assert.True(t, Exhausted(err))
	for partition, length := range []int64{0, 1, 2} {
		assert.Equal(t, length, s.client.XLen(t.Context(), partitionKey("t", partition)).Val())
	}
}
