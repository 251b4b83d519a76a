package broker

import (
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// topicNumber makes the names of topics unique among the tests.
var topicNumber atomic.Int64

func TestStoreConforms(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		for _, c := range splitstest.Cases() {
			if s.Embedded && c.Name == "SpoiledSplitDoesNotDisturbOthers" {
				continue // XREAD of the embedded server treats a key of another type as an empty stream
			}
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				c.Run(t, s.harness(t))
			})
		}
	})
}

// harness returns what the conformance suite of package splits needs to run on the server.
func (s testServer) harness(t *testing.T) splitstest.Harness {
	h := splitstest.Harness{
		Topic: func() string { return "topic" + strconv.FormatInt(topicNumber.Add(1), 10) },
		Group: func(topic, group string) splits.Group { return NewGroup(s.Client, topic, group) },
		Leases: func(topic, group string) splits.Leases {
			return NewLeases(s.Client, LeasesOptions{Topic: topic, Group: group})
		},
		Streams: func(string) splits.Streams { return NewLog(s.Client, s.Client) },
		SetPartitions: func(topic string, partitions int) {
			s.Set(t, keys.Metadata(topic), "partitions", partitions)
		},
		Append: func(split splits.Split, fields ...string) splits.Offset {
			id, err := s.Client.XAdd(t.Context(), &redis.XAddArgs{Stream: split.Key, Values: fields}).Result()
			require.NoError(t, err)
			offset, err := splits.ParseOffset(id)
			require.NoError(t, err)
			return offset
		},
		TrimTo: func(split splits.Split, length int) {
			require.NoError(t, s.Client.XTrimMaxLen(t.Context(), split.Key, int64(length)).Err())
		},
		Delete: func(split splits.Split, offset splits.Offset) {
			require.NoError(t, s.Client.XDel(t.Context(), split.Key, offset.String()).Err())
		},
		Drop: func(split splits.Split) { require.NoError(t, s.Client.Del(t.Context(), split.Key).Err()) },
		SetWrongType: func(split splits.Split) {
			require.NoError(t, s.Client.Set(t.Context(), split.Key, "no stream", 0).Err())
		},
		Flush:         func(topic string) { s.forget(t, topic) },
		NoExactCounts: s.Embedded,
	}
	if !s.Embedded {
		h.Mirror = func(group string, split splits.Split) (splits.Position, bool) {
			return s.mirrorPosition(t, split, group)
		}
		s.addForeignGroups(t, &h)
		h.ReadMirror = func(group string, split splits.Split, n int) {
			require.NoError(t, s.Client.XReadGroup(t.Context(), &redis.XReadGroupArgs{
				Group: group, Consumer: "another", Streams: []string{split.Key, ">"}, Count: int64(n), Block: -1,
			}).Err())
		}
		h.DropLease = func(group string, split splits.Split) {
			require.NoError(t, s.Client.Del(t.Context(), keys.Lease(split.Key, group)).Err())
		}
	}
	return h
}

// forget removes every key of a topic. The cases share a server, so the cases do not flush the
// server.
func (s testServer) forget(t *testing.T, topic string) {
	for _, pattern := range []string{
		topic, topic + ":*", keys.Prefix + "{" + topic + "}:*", keys.Prefix + "{" + topic + ":*}:*",
	} {
		keys, err := s.Client.Keys(t.Context(), pattern).Result()
		require.NoError(t, err)
		for _, key := range keys {
			require.NoError(t, s.Client.Del(t.Context(), key).Err())
		}
	}
}

func (s testServer) mirrorPosition(t *testing.T, split splits.Split, group string) (splits.Position, bool) {
	groups, err := s.Client.XInfoGroups(t.Context(), split.Key).Result()
	if redis.HasErrorPrefix(err, "no such key") {
		return splits.Position{}, false
	}
	require.NoError(t, err)
	for _, g := range groups {
		if g.Name != group {
			continue
		}
		offset, err := splits.ParseOffset(g.LastDeliveredID)
		require.NoError(t, err)
		return splits.Position{Offset: offset, EntriesRead: g.EntriesRead}, true
	}
	return splits.Position{}, false
}
