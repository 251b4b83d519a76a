package broker

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

func TestCreatedTopicIsDescribed(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topics := NewTopics(s.Client)
		topic, created, err := topics.Create(t.Context(), "orders", 4)
		require.NoError(t, err)
		assert.True(t, created)
		assert.Equal(t, 4, topic.Partitions)
		assert.InDelta(t, s.Now(t), topic.CreatedMS, 2000)
		again, err := topics.Describe(t.Context(), "orders")
		require.NoError(t, err)
		assert.Equal(t, topic, again)
		assert.Equal(
			t,
			[]string{"rafka:{orders}:topic"},
			s.Client.Keys(t.Context(), "*").Val(),
			"nothing else was written",
		)
	})
}

func TestCreateReturnsAnExistingTopicUnchanged(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topics := NewTopics(s.Client)
		first, _, err := topics.Create(t.Context(), "orders", 4)
		require.NoError(t, err)
		second, created, err := topics.Create(t.Context(), "orders", 8)
		require.NoError(t, err)
		assert.False(t, created)
		assert.Equal(t, first, second)
	})
}

func TestCreateFailsIfAKeyHasTheNameOfTheTopic(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.Add(t, "orders", "*")
		require.NoError(t, s.Client.Set(t.Context(), "config", "x", 0).Err())
		for name, kind := range map[string]string{"orders": "stream", "config": "string"} {
			_, _, err := NewTopics(s.Client).Create(t.Context(), name, 4)
			var plain *PlainStreamError
			require.ErrorAs(t, err, &plain)
			assert.Equal(t, PlainStreamError{Name: name, Type: kind}, *plain)
			require.ErrorContains(t, err, "stream_name")
			topic, err := NewTopics(s.Client).Describe(t.Context(), name)
			require.NoError(t, err)
			assert.True(t, topic.Plain())
		}
	})
}

func TestCreateRejectsInvalidNamesAndNumbers(t *testing.T) {
	topics := NewTopics(nil) // no request is sent
	for _, n := range []int{-1, 0, keys.MaxPartitions + 1} {
		_, _, err := topics.Create(t.Context(), "orders", n)
		require.ErrorContains(t, err, "partitions")
	}
	_, _, err := topics.Create(t.Context(), "orders:3", 4)
	require.ErrorContains(t, err, "stream_name")
	_, err = topics.Describe(t.Context(), "a{")
	require.ErrorContains(t, err, "stream_name")
}

func TestErrorNamesTheKeyOfDamagedMetadata(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		key := keys.Metadata("orders")
		for _, bad := range []map[string]any{
			{"partitions": "x"},
			{"partitions": "0"},
			{"partitions": "-1"},
			{"partitions": "100001"},
			{"created_ms": "1"},
			{"partitions": "1", "created_ms": "x"},
		} {
			require.NoError(t, s.Client.Del(t.Context(), key).Err())
			require.NoError(t, s.Client.HSet(t.Context(), key, bad).Err())
			_, err := NewTopics(s.Client).Describe(t.Context(), "orders")
			require.ErrorContains(t, err, key, bad)
		}
	})
}

func TestErrorNamesTheMetadataKeyOfAnotherType(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		require.NoError(t, s.Client.Set(t.Context(), keys.Metadata("orders"), "x", 0).Err())
		_, err := NewTopics(s.Client).Describe(t.Context(), "orders")
		require.ErrorContains(t, err, keys.Metadata("orders"))
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err))
		_, _, err = NewTopics(s.Client).Create(t.Context(), "orders", 4)
		require.ErrorContains(t, err, keys.Metadata("orders"))
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err))
	})
}

func TestCreateFailsWithoutAServer(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	_, _, err := NewTopics(client).Create(t.Context(), "orders", 4)
	require.ErrorContains(t, err, "creating topic orders")
	assert.Equal(t, rediserr.ClassConnection, rediserr.Classify(err))
}

func TestSplitsHaveOneKeyForEachPartition(t *testing.T) {
	assert.Equal(t, []splits.Split{{Topic: "orders", Partition: 0, Key: "orders"}}, Topic{Name: "orders"}.Splits())
	assert.Equal(t, []splits.Split{
		{Topic: "orders", Partition: 0, Key: "orders:0"}, {Topic: "orders", Partition: 1, Key: "orders:1"},
	}, Topic{Name: "orders", Partitions: 2}.Splits())
	assert.Equal(
		t,
		[]splits.Split{{Topic: "orders", Partition: 0, Key: "orders:0"}},
		Topic{Name: "orders", Partitions: 1}.Splits(),
		"one partition is not a plain topic",
	)
}
