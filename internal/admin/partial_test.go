package admin

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

// partial returns the texts of the problems. It fails the test if the error is not a PartialError.
func partial(t *testing.T, err error) []string {
	t.Helper()
	var p *PartialError
	require.ErrorAs(t, err, &p)
	var texts []string
	for _, problem := range p.Problems {
		texts = append(texts, problem.Error())
	}
	return texts
}

func TestADamagedTopicDoesNotHideTheOthers(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		for _, name := range []string{"bad1", "bad2", "bad3", "good1", "good2"} {
			_, _, err := broker.NewTopics(s.Client).Create(t.Context(), name, 2)
			require.NoError(t, err)
		}
		s.Set(t, keys.Metadata("bad1"), "partitions", "x")
		s.Set(t, keys.Metadata("bad2"), "created_ms", strings.Repeat("\x1b[2J", 1000))
		require.NoError(t, s.Client.Del(t.Context(), keys.Metadata("bad3")).Err())
		require.NoError(t, s.Client.Set(t.Context(), keys.Metadata("bad3"), "x", 0).Err())
		topics, err := New(s.Client).ListTopics(t.Context())
		require.Len(t, topics, 2)
		assert.Equal(t, []string{"good1", "good2"}, []string{topics[0].Name, topics[1].Name})
		texts := partial(t, err)
		require.Len(t, texts, 3)
		assert.Contains(t, texts[0], `topic bad1: field partitions of key rafka:{bad1}:topic is "x"`)
		assert.Contains(t, texts[1], `topic bad2: field created_ms of key rafka:{bad2}:topic is "\x1b[2J`)
		assert.Less(t, len(texts[1]), 1000, "a long value is cut")
		assert.Contains(t, texts[2], "topic bad3: key rafka:{bad3}:topic: WRONGTYPE")
		assert.Contains(t, texts[2], "rename or delete that key")
		for _, text := range texts {
			assert.NotContains(t, text, "\x1b")
		}
	})
}

func TestADamagedGroupDoesNotHideTheOthers(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		for _, group := range []string{"bad1", "bad2", "bad3", "good"} {
			beat(t, broker.NewGroup(s.Client, "orders", group), "m")
		}
		ctx := t.Context()
		require.NoError(t, s.Client.Del(ctx, keys.Plan("orders", "bad1"), keys.Members("orders", "bad2")).Err())
		require.NoError(t, s.Client.Set(ctx, keys.Plan("orders", "bad1"), "x", 0).Err())
		require.NoError(t, s.Client.Set(ctx, keys.Members("orders", "bad2"), "x", 0).Err())
		require.NoError(t, s.Client.HDel(ctx, keys.Plan("orders", "bad3"), "group_type").Err())
		for _, topic := range []string{"", "orders"} {
			groups, err := New(s.Client).ListGroups(ctx, topic)
			assert.Equal(t, []GroupSummary{{Topic: "orders", Group: "good", Type: "consumer", Members: 1}}, groups)
			texts := partial(t, err)
			require.Len(t, texts, 3)
			assert.Contains(t, texts[0], "group bad1 of topic orders: key rafka:{orders}:plan:bad1: WRONGTYPE")
			assert.Contains(t, texts[1], "group bad2 of topic orders: key rafka:{orders}:members:bad2: WRONGTYPE")
			assert.Contains(t, texts[2], "group bad3 of topic orders: field group_type of key rafka:{orders}:plan:bad3")
		}
		_, err := New(s.Client).DescribeGroup(ctx, "orders", "bad1")
		assert.ErrorContains(t, err, "key rafka:{orders}:plan:bad1: WRONGTYPE")
		d, err := New(s.Client).DescribeGroup(ctx, "orders", "bad2")
		assert.Contains(t, partial(t, err)[0], "key rafka:{orders}:members:bad2: WRONGTYPE")
		assert.Len(t, d.Partitions, 1, "the partitions are described despite the error")
	})
}

func TestADamagedPartitionDoesNotHideTheOthers(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		ctx := t.Context()
		s.partitioned(t, 4)
		beat(t, s.group(), "m")
		topic := broker.Topic{Name: "orders", Partitions: 4}
		for i := range 4 {
			s.Add(t, keys.Partition("orders", i), "1-0")
			claim := []splits.Claim{{Split: topic.Split(i)}}
			require.NoError(t, s.leases().Claim(ctx, "m", testTTL, claim)[0].Err)
		}
		s.Set(t, keys.Lease("orders:1", "billing"), "offset", "x")
		require.NoError(t, s.Client.Del(ctx, keys.Lease("orders:2", "billing"), "orders:3").Err())
		require.NoError(t, s.Client.Set(ctx, keys.Lease("orders:2", "billing"), "x", 0).Err())
		require.NoError(t, s.Client.Set(ctx, "orders:3", "x", 0).Err())

		described, err := New(s.Client).DescribeTopic(ctx, "orders")
		texts := partial(t, err)
		require.Len(t, texts, 1)
		assert.Contains(t, texts[0], "orders:3: WRONGTYPE")
		require.Len(t, described.Partitions, 4)
		assert.Equal(t, int64(1), described.Partitions[2].Length)
		assert.Empty(t, described.Partitions[2].Error)
		assert.Contains(t, described.Partitions[3].Error, "orders:3: WRONGTYPE")

		group, err := New(s.Client).DescribeGroup(ctx, "orders", "billing")
		texts = partial(t, err)
		require.Len(t, texts, 3)
		assert.Contains(t, texts[0], "field offset of key rafka:{orders:1}:lease:billing")
		assert.Contains(t, texts[1], "key rafka:{orders:2}:lease:billing: WRONGTYPE")
		assert.Contains(t, texts[2], "orders:3: WRONGTYPE")
		require.Len(t, group.Partitions, 4)
		assert.Equal(t, int64(1), group.Partitions[0].Lag)
		assert.Equal(t, "m", group.Partitions[1].Owner, "the undamaged fields of a lease are shown")
		for _, p := range group.Partitions[1:] {
			assert.Equal(t, LagUnknown, p.Lag)
			assert.NotEmpty(t, p.Error)
		}
		encoded, err := json.Marshal(group)
		require.NoError(t, err)
		assert.Equal(t, 3, strings.Count(string(encoded), `"error":`))
	})
}

// A user with permissions for one topic sees that topic next to any number of other topics.
func TestTopicsWithoutPermissionDoNotHideTheOthers(t *testing.T) {
	l := scripttest.StartLimited(t)
	ctx := t.Context()
	for _, name := range []string{"a", "b", "orders"} {
		_, _, err := broker.NewTopics(l.Admin).Create(ctx, name, 2)
		require.NoError(t, err)
		_, err = broker.NewGroup(l.Admin, name, "billing").Beat(ctx, splits.Beat{Member: "m", TTL: testTTL})
		require.NoError(t, err)
	}
	rules, err := access.ACL{Role: access.RoleAdmin, Topic: "orders"}.Rules()
	require.NoError(t, err)
	l.As(t, rules, func(client *redis.Client) {
		topics, err := New(client).ListTopics(ctx)
		require.Len(t, topics, 1)
		texts := partial(t, err)
		require.Len(t, texts, 1, "one line for all topics without permission")
		assert.Contains(t, texts[0], "key rafka:{a}:topic: NOPERM")
		assert.Contains(t, texts[0], "and the same for 1 more")
		assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(err))
		groups, err := New(client).ListGroups(ctx, "")
		assert.Len(t, groups, 1)
		assert.Len(t, partial(t, err), 1)
	})
}

func TestUnreachableServerIsNotAPartialAnswer(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	pipe := client.Pipeline()
	pipe.Get(t.Context(), "a")
	pipe.Get(t.Context(), "b")
	assert.ErrorContains(t, execEach(t.Context(), pipe), "cannot be reached")
	assert.NoError(t, execEach(t.Context(), client.Pipeline()))
}
