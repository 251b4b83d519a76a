package broker

import (
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

func TestSharesConform(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) { testShares(t, s.Client, "topic", s.Embedded) })
}

func TestSharesConformOnACluster(t *testing.T) {
	t.Parallel()
	testShares(
		t,
		redistest.StartCluster(t, 3, 0).Client(t),
		"{tag}",
		false,
	) // all partitions of a topic are in one slot
}

func testShares(t *testing.T, client redis.UniversalClient, prefix string, noLag bool) {
	for _, c := range splitstest.ShareCases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			h := shareHarness(t, client, prefix)
			h.NoLag = noLag
			c.Run(t, h)
		})
	}
}

// shareHarness returns what the suite of share groups needs to run on a server or a cluster. The
// names of topics begin with the prefix.
func shareHarness(t *testing.T, client redis.UniversalClient, prefix string) splitstest.ShareHarness {
	registries := map[[2]string]*Registry{} // by topic and group
	registry := func(topic, group string) *Registry {
		key := [2]string{topic, group}
		if registries[key] == nil {
			registries[key] = NewRegistry()
		}
		return registries[key]
	}
	del := func(keys ...string) {
		for _, key := range keys {
			require.NoError(t, client.Del(t.Context(), key).Err())
		}
	}
	add := func(split splits.Split, id string, fields []string) splits.Offset {
		args := &redis.XAddArgs{Stream: split.Key, ID: id, Values: fields}
		offset, err := splits.ParseOffset(client.XAdd(t.Context(), args).Val())
		require.NoError(t, err)
		return offset
	}
	return splitstest.ShareHarness{
		Topic: func() string { return prefix + strconv.FormatInt(topicNumber.Add(1), 10) },
		Group: func(topic, group string) splits.ShareGroup {
			return NewShareGroup(client, topic, group, ReadGroups(registry(topic, group)))
		},
		Shares: func(topic, group string) splits.Shares {
			return NewShares(
				client,
				client,
				SharesOptions{Topic: topic, Group: group, Registry: registry(topic, group)},
			)
		},
		Consumers: func(topic, group string) splits.Group { return NewGroup(client, topic, group) },
		SetPartitions: func(topic string, partitions int) {
			require.NoError(t, client.HSet(t.Context(), keys.Metadata(topic), "partitions", partitions).Err())
		},
		Append: func(split splits.Split, fields ...string) splits.Offset { return add(split, "*", fields) },
		AppendAt: func(split splits.Split, at splits.Offset) splits.Offset {
			return add(split, at.String(), []string{"body", "x"})
		},
		TrimTo: func(split splits.Split, length int) {
			require.NoError(t, client.XTrimMaxLen(t.Context(), split.Key, int64(length)).Err())
		},
		Drop: func(split splits.Split) { del(split.Key) },
		SetWrongType: func(split splits.Split) {
			require.NoError(t, client.Set(t.Context(), split.Key, "no stream", 0).Err())
		},
		Flush: func(topic string) {
			del(
				topic,
				keys.Metadata(topic),
				keys.Members(topic, "group"),
				keys.Plan(topic, "group"),
				keys.Groups(topic),
			)
		},
		CreateNative: func(group string, split splits.Split) {
			require.NoError(t, client.XGroupCreate(t.Context(), split.Key, group, "0").Err())
		},
		DropRegistry: func(topic string) { del(keys.Groups(topic)) },
		DeliverForeign: func(group string, split splits.Split, consumer string, count int) []splits.Offset {
			read, err := client.XReadGroup(t.Context(), &redis.XReadGroupArgs{
				Group: group, Consumer: consumer, Streams: []string{split.Key, ">"}, Count: int64(count), Block: -1,
			}).Result()
			require.NoError(t, err)
			var all []splits.Offset
			for _, m := range read[0].Messages {
				offset, err := splits.ParseOffset(m.ID)
				require.NoError(t, err)
				all = append(all, offset)
			}
			return all
		},
		Destroy: func(group string, split splits.Split) {
			require.NoError(t, client.XGroupDestroy(t.Context(), split.Key, group).Err())
		},
		DropMembers: func(topic, group string) { del(keys.Members(topic, group)) },
		DropMark:    func(group string, split splits.Split) { del(keys.Share(split.Key, group)) },
	}
}

// Takeovers and audits must not count as deliveries: the number of deliveries is shown to
// operators.
func TestOnlyReadsOfAShareGroupCountAsDeliveries(t *testing.T) {
	s := onRedis(t)
	shares := NewShares(s.Client, s.Client, SharesOptions{Topic: "orders", Group: "billing"})
	h := shareHarness(t, s.Client, "orders")
	split := PlainSplit("orders")
	offset := h.Append(split, "body", "x")
	opened := shares.Open(t.Context(), []splits.ShareOpen{{Split: split}})[0]
	require.NoError(t, opened.Err)
	_, err := shares.Read(t.Context(), splits.ShareRead{Member: "a", Splits: []splits.Split{split}, Count: 1})
	require.NoError(t, err)
	taken, err := shares.Take(t.Context(), splits.ShareTake{Split: split, From: "a", To: "b", Most: 1})
	require.NoError(t, err)
	assert.Equal(t, []splits.Offset{offset}, taken.Offsets)
	shares.Pending(t.Context(), splits.SharePending{Member: "b", Splits: []splits.Split{split}, Most: 1})
	_, err = shares.Load(t.Context(), splits.ShareLoad{Split: split, Offsets: []splits.Offset{offset}, Bytes: 1})
	require.NoError(t, err)
	pending, err := s.Client.XPendingExt(t.Context(), &redis.XPendingExtArgs{
		Stream: "orders", Group: "billing", Start: "-", End: "+", Count: 1,
	}).Result()
	require.NoError(t, err)
	require.Len(t, pending, 1)
	assert.EqualValues(t, 1, pending[0].RetryCount)
	assert.Equal(t, keys.Consumer("orders", "b"), pending[0].Consumer)
}
