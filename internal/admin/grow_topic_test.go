package admin

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
)

func TestMembersGetTheNewPartitionsOfAGrownTopic(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 2)
		group := s.group()
		before := beat(t, group, "m1")
		require.Len(t, before.Splits, 2)

		ctx, cancel := context.WithCancel(t.Context())
		hints := make(chan struct{}, 10)
		ended := make(chan error, 1)
		go func() { ended <- group.Wake(ctx, func() { hints <- struct{}{} }) }() // ended by cancel
		defer func() {
			cancel()
			assert.ErrorIs(t, <-ended, context.Canceled)
		}()
		<-hints // the first hint confirms the subscription

		grown, err := New(s.Client).GrowTopic(t.Context(), "orders", 5)
		require.NoError(t, err)
		assert.Equal(t, 2, grown.Before)
		assert.Equal(t, 5, grown.Partitions)
		select {
		case <-hints:
		case <-time.After(time.Minute):
			require.Fail(t, "no hint came")
		}
		after := beat(t, group, "m1")
		assert.Len(t, after.Splits, 5)
		assert.Equal(t, 2, after.Initial, "the others are read from their first entry")
		assert.Greater(t, after.Version, before.Version)
	})
}

func TestGrowTopicKeepsAllKeys(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		used(t, s.Client, written(t, s.Client, "orders", 2), "billing", "m1")
		before := keysOf(t, s.Client)
		_, err := New(s.Client).GrowTopic(t.Context(), "orders", 5)
		require.NoError(t, err)
		assert.ElementsMatch(t, before, keysOf(t, s.Client))
	})
}

func TestGrowTopicToTheSameSizeChangesNothing(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		created, _, err := broker.NewTopics(s.Client).Create(t.Context(), "orders", 3)
		require.NoError(t, err)
		grown, err := New(s.Client).GrowTopic(t.Context(), "orders", 3)
		require.NoError(t, err)
		assert.Equal(t, GrownTopic{Topic: created, Before: 3}, grown)
	})
}

func TestGrowTopicRejectsInvalidRequests(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 3)
		s.Add(t, "plain", "*")
		require.NoError(t, s.Client.Set(t.Context(), "text", "x", 0).Err())
		require.NoError(t, s.Client.Set(t.Context(), keys.Metadata("wrong"), "x", 0).Err())
		s.Set(t, keys.Metadata("damaged"), "partitions", "many")
		for name, c := range map[string]struct {
			topic      string
			partitions int
			says       []string
		}{
			"shrink":      {"orders", 2, []string{"partitions is 2", "it has 3", "create another topic"}},
			"none":        {"orders", 0, []string{"partitions is 0", "from 1 to"}},
			"too many":    {"orders", keys.MaxPartitions + 1, []string{"partitions is 100001", "from 1 to 100000"}},
			"plain":       {"plain", 3, []string{"plain stream, which can't get partitions", "create another topic"}},
			"text":        {"text", 3, []string{"plain string", "create another topic"}},
			"not there":   {"nowhere", 3, []string{`there is no topic "nowhere"`}},
			"wrong type":  {"wrong", 3, []string{"WRONGTYPE", keys.Metadata("wrong")}},
			"damaged":     {"damaged", 3, []string{"'many'", keys.Metadata("damaged"), "HSET"}},
			"empty name":  {"", 3, []string{"stream_name is empty"}},
			"rafka's own": {"rafka:{x}:topic", 3, []string{"stream_name", "rafka's own keys"}},
		} {
			_, err := New(s.Client).GrowTopic(t.Context(), c.topic, c.partitions)
			require.Error(t, err, name)
			for _, text := range c.says {
				assert.ErrorContains(t, err, text, name)
			}
		}
		assert.Equal(t, "3", s.Field(t, keys.Metadata("orders"), "partitions"))
		_, err := New(s.Client).GrowTopic(t.Context(), "nowhere", 3)
		require.ErrorAs(t, err, new(*TopicNotFoundError))
	})
}
