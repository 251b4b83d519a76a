package access

import (
	"context"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
)

// clusterOf returns a client of a cluster whose only node is at the address and has all slots.
func clusterOf(t *testing.T, addr string) *redis.ClusterClient {
	t.Helper()
	cluster := redis.NewClusterClient(&redis.ClusterOptions{
		Addrs: []string{addr},
		ClusterSlots: func(context.Context) ([]redis.ClusterSlot, error) {
			return []redis.ClusterSlot{{Start: 0, End: script.Slots - 1, Nodes: []redis.ClusterNode{{Addr: addr}}}}, nil
		},
	})
	t.Cleanup(func() { _ = cluster.Close() })
	return cluster
}

func TestChecksOfAnEmptyServerPassAndWriteNothing(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		require.NoError(t, CheckReader(t.Context(), s.Client, "t", "g"))
		require.NoError(t, CheckWriter(t.Context(), s.Client, "t", 0))
		require.NoError(t, CheckWriter(t.Context(), s.Client, "t", 700))
		keys, err := s.Client.Keys(t.Context(), "*").Result()
		require.NoError(t, err)
		assert.Empty(t, keys)
	})
}

func TestChecksOfATopicInUsePassAndChangeNothing(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		ctx := t.Context()
		_, _, err := broker.NewTopics(s.Client).Create(ctx, "t", 2)
		require.NoError(t, err)
		s.Add(t, keys.Partition("t", 1), "5-5")
		s.Set(t, keys.Plan("t", "g"), "version", 1)
		s.Set(t, keys.Lease(keys.Partition("t", 1), "g"), "owner", "m")
		require.NoError(t, s.Client.ZAdd(ctx, keys.Members("t", "g"), redis.Z{Score: 1, Member: "m"}).Err())
		before, err := s.Client.Keys(ctx, "*").Result()
		require.NoError(t, err)

		require.NoError(t, CheckReader(ctx, s.Client, "t", "g"))
		require.NoError(t, CheckWriter(ctx, s.Client, "t", 0))
		require.NoError(t, CheckWriter(ctx, s.Client, "t", 9), "the topic keeps the partitions that it has")
		after, err := s.Client.Keys(ctx, "*").Result()
		require.NoError(t, err)
		assert.ElementsMatch(t, before, after)
		assert.Equal(t, int64(1), s.Client.ZCard(ctx, keys.Members("t", "g")).Val())
		assert.Equal(t, int64(1), s.Client.XLen(ctx, keys.Partition("t", 1)).Val())
	})
}

func TestChecksNameTheKeyOfAnotherType(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		ctx := t.Context()
		_, _, err := broker.NewTopics(s.Client).Create(ctx, "t", 3)
		require.NoError(t, err)
		for _, key := range []string{
			keys.Partition("t", 2), keys.Plan("t", "g"), keys.Members("t", "g"),
			keys.Lease(keys.Partition("t", 1), "g"),
		} {
			require.NoError(t, s.Client.Set(ctx, key, "text", 0).Err())
			err := CheckReader(ctx, s.Client, "t", "g")
			assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err), err)
			assert.ErrorContains(t, err, "key "+key+" is a string")
			assert.ErrorContains(t, err, "rename or delete")
			if key == keys.Partition("t", 2) {
				assert.ErrorContains(
					t,
					CheckWriter(ctx, s.Client, "t", 0),
					"key "+key+" is a string and should be a stream",
				)
			}
			require.NoError(t, s.Client.Del(ctx, key).Err())
		}
		require.NoError(t, s.Client.Set(ctx, "plain", "text", 0).Err())
		assert.ErrorContains(t, CheckReader(ctx, s.Client, "plain", "g"), "key plain is a string")
		assert.ErrorContains(t, CheckWriter(ctx, s.Client, "plain", 0), "key plain is a string")
		require.NoError(t, s.Client.Set(ctx, keys.Metadata("odd"), "text", 0).Err())
		assert.ErrorContains(t, CheckWriter(ctx, s.Client, "odd", 0), keys.Metadata("odd"))
	})
}

func TestCheckWriterReportsWhyATopicCannotBeCreated(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		s.Add(t, "taken", "*")
		var plain *broker.PlainStreamError
		require.ErrorAs(t, CheckWriter(t.Context(), s.Client, "taken", 4), &plain)
		assert.Equal(t, "stream", plain.Type)
		require.NoError(t, CheckWriter(t.Context(), s.Client, "taken", 0))
		require.ErrorContains(t, CheckWriter(t.Context(), s.Client, "x:1", 4), "stream_name")
		require.ErrorContains(t, CheckWriter(t.Context(), s.Client, "x", -1+keys.MaxPartitions+2), "partitions")
		require.ErrorContains(t, CheckReader(t.Context(), s.Client, "x", ""), "consumer_group")
		require.ErrorContains(t, CheckReader(t.Context(), s.Client, "a{b", "g"), "stream_name")
	})
}

func TestChecksReportAReadOnlyReplica(t *testing.T) {
	s := scripttest.OnRedis(t)
	require.NoError(t, s.Client.Do(t.Context(), "replicaof", "127.0.0.1", "1").Err())
	for _, err := range []error{
		CheckReader(t.Context(), s.Client, "t", "g"), CheckWriter(t.Context(), s.Client, "t", 0),
	} {
		assert.Equal(t, rediserr.ClassTransient, rediserr.Classify(err), err)
		assert.ErrorContains(t, err, "`url` to the master")
	}
}

func TestCheckWriterReportsAFullServer(t *testing.T) {
	s := scripttest.OnRedis(t)
	require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	err := CheckWriter(t.Context(), s.Client, "t", 0)
	assert.Equal(t, rediserr.ClassTransient, rediserr.Classify(err), err)
	assert.ErrorContains(t, err, "maxmemory")
}

func TestChecksNameTheRemedyWithoutServerOrPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "open-sesame")
	assert.ErrorContains(t, CheckReader(t.Context(), server.Client(t), "t", "g"), "set `password`")
	wrong := server.Client(t, func(o *redis.Options) { o.Password = "my-guess" })
	err := CheckWriter(t.Context(), wrong, "t", 0)
	assert.Equal(t, rediserr.ClassAuth, rediserr.Classify(err), err)
	assert.NotContains(t, err.Error(), "guess")
	server.Kill(t)
	assert.ErrorContains(t, CheckReader(t.Context(), server.Client(t), "t", "g"), "check `url`")
}

// A stream whose last ID is the highest possible ID rejects every entry. Only an attempt to write
// can detect this, and the attempt must change nothing.
func TestCheckWriterReportsAStreamWithoutIDsLeft(t *testing.T) {
	s := scripttest.OnRedis(t)
	_, _, err := broker.NewTopics(s.Client).Create(t.Context(), "t", 3)
	require.NoError(t, err)
	require.NoError(t, s.Client.XGroupCreateMkStream(t.Context(), keys.Partition("t", 0), "g", "$").Err())
	s.Add(t, keys.Partition("t", 1), "0-1")
	s.Add(t, keys.Partition("t", 2), "18446744073709551615-18446744073709551614")
	require.NoError(t, CheckWriter(t.Context(), s.Client, "t", 0))
	s.Add(t, keys.Partition("t", 2), "18446744073709551615-18446744073709551615")
	err = CheckWriter(t.Context(), s.Client, "t", 0)
	require.ErrorContains(t, err, "t:2")
	require.ErrorContains(t, err, "exhausted the last possible ID")
	require.ErrorContains(t, err, "read the stream to its end and delete it")
	assert.True(t, rediserr.Exhausted(err))
	for partition, length := range []int64{0, 1, 2} {
		assert.Equal(t, length, s.Client.XLen(t.Context(), keys.Partition("t", partition)).Val())
	}
}
