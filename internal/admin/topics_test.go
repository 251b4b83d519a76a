package admin

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

func TestListTopicsReturnsPartitionedTopicsOnly(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		topics, err := a.ListTopics(t.Context())
		require.NoError(t, err)
		assert.Empty(t, topics)
		for _, name := range []string{"orders", "{eu}:b*[x]", "{a}", "a"} {
			_, _, err := broker.NewTopics(s.Client).Create(t.Context(), name, 2)
			require.NoError(t, err)
		}
		s.Add(t, "plain", "*")
		s.Set(t, "rafka:{not:ours}x{y}:topic", "partitions", 1)
		beat(t, broker.NewGroup(s.Client, "orders", "topic"), "m1")
		topics, err = a.ListTopics(t.Context())
		require.NoError(t, err)
		var names []string
		for _, topic := range topics {
			names = append(names, topic.Name)
			assert.Equal(t, 2, topic.Partitions)
			assert.Positive(t, topic.CreatedMS)
		}
		assert.Equal(t, []string{"a", "orders", "{a}", "{eu}:b*[x]"}, names)
	})
}

func TestDescribeTopicReportsItsPartitions(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		_, _, err := broker.NewTopics(s.Client).Create(t.Context(), "orders", 2)
		require.NoError(t, err)
		for _, id := range []string{"1-0", "2-0", "3-7"} {
			s.Add(t, "orders:1", id)
		}
		require.NoError(t, s.Client.XTrimMaxLen(t.Context(), "orders:1", 2).Err())
		d, err := New(s.Client).DescribeTopic(t.Context(), "orders")
		require.NoError(t, err)
		added := int64(3)
		if s.Embedded {
			added = -1
		}
		assert.Equal(t, 2, d.Topic.Partitions)
		assert.Equal(t, []PartitionDescription{
			{Partition: 0, Key: "orders:0"},
			{
				Partition: 1, Key: "orders:1", Exists: true, Length: 2, Added: added,
				First: splits.Offset{Millis: 2}, Last: splits.Offset{Millis: 3, Seq: 7},
			},
		}, d.Partitions)
		text, err := json.Marshal(d)
		require.NoError(t, err)
		assert.JSONEq(t, `{"stream_name":"orders","created_ms":`+strconv.FormatInt(d.CreatedMS, 10)+`,"partitions":[
			{"partition_id":0,"key":"orders:0","exists":false,"length":0,"added":0,"first":"0-0","last":"0-0"},
			{"partition_id":1,"key":"orders:1","exists":true,"length":2,"added":`+strconv.FormatInt(added, 10)+`,
			 "first":"2-0","last":"3-7"}]}`,
			string(text))
	})
}

func TestDescribeTopicReportsPlainAndMissingTopics(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		_, err := New(s.Client).DescribeTopic(t.Context(), "orders")
		var missing *TopicNotFoundError
		require.ErrorAs(t, err, &missing)
		assert.Equal(t, "orders", missing.Topic)
		s.Add(t, "orders", "1-0")
		d, err := New(s.Client).DescribeTopic(t.Context(), "orders")
		require.NoError(t, err)
		require.Len(t, d.Partitions, 1)
		assert.True(t, d.Plain())
		assert.Equal(t, "orders", d.Partitions[0].Key)
		require.NoError(t, s.Client.Set(t.Context(), "text", "x", 0).Err())
		_, err = New(s.Client).DescribeTopic(t.Context(), "text")
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err))
	})
}
