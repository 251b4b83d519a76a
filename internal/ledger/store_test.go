//go:build ledger

package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// This file spells out key names and fields: they are an interface for operators and other tools,
// so a change should show here.

// lease is the owner of a partition and the position of the group.
type lease struct {
	partition int
	owner     string // the consumer_name; "" if the partition has no owner
	epoch     string
	offset    splits.Offset
}

// leases reads the leases of all partitions.
func (s *scenario) leases(t testing.TB) []lease {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	all, err := s.readLeases(ctx, s.client)
	require.NoError(t, err)
	require.Len(t, all, s.Partitions)
	return all
}

// readLeases returns the leases on the servers that answer, and the errors of the others.
func (s *scenario) readLeases(ctx context.Context, client redis.Cmdable) (all []lease, err error) {
	pipe := client.Pipeline()
	replies := make([]*redis.MapStringStringCmd, s.Partitions)
	for i := range replies {
		replies[i] = pipe.HGetAll(ctx, fmt.Sprintf("rafka:{%s:%d}:lease:%s", s.Topic, i, s.Group))
	}
	_, _ = pipe.Exec(ctx) // each reply has its own error
	for i, reply := range replies {
		l, parseErr := parseLease(i, reply.Val())
		if refused := cmp.Or(reply.Err(), parseErr); refused != nil {
			err = errors.Join(err, refused)
			continue
		}
		all = append(all, l)
	}
	return all, err
}

func parseLease(partition int, h map[string]string) (l lease, err error) {
	l = lease{partition: partition, epoch: h["epoch"]}
	if member := strings.Split(h["owner"], "/"); len(member) == 3 {
		l.owner = member[1]
	}
	if h["offset"] != "" {
		l.offset, err = splits.ParseOffset(h["offset"])
	}
	return l, err
}

// heldBy returns the leases of a consumer.
func heldBy(all []lease, name string) (held []lease) {
	for _, l := range all {
		if l.owner == name {
			held = append(held, l)
		}
	}
	return held
}

// streamKeys returns the keys of all streams: of the plain stream, or of the partitions.
func (s *scenario) streamKeys() []string {
	if s.Partitions == 0 {
		return []string{s.Topic}
	}
	keys := make([]string, s.Partitions)
	for i := range keys {
		keys[i] = s.partitionKey(i)
	}
	return keys
}

// partitionKey returns the key of the stream of a partition.
func (s *scenario) partitionKey(i int) string { return s.Topic + ":" + strconv.Itoa(i) }

// entry is a message in its stream.
type entry struct {
	id   string
	line int64
	key  string
}

// entries returns the entries of a partition, in order.
func (s *scenario) entries(t testing.TB, partition int) (all []entry) {
	t.Helper()
	for after := ""; ; after = all[len(all)-1].id {
		page, more, err := s.entriesAfter(t.Context(), partition, after)
		require.NoError(t, err)
		if all = append(all, page...); !more {
			return all
		}
	}
}

// entriesAfter returns the next page of entries after an ID, or from the beginning, and whether
// there are more.
func (s *scenario) entriesAfter(ctx context.Context, partition int, after string) (page []entry, more bool, err error) {
	const most = 5000
	from := "-"
	if after != "" {
		from = "(" + after
	}
	messages, err := s.client.XRangeN(ctx, s.partitionKey(partition), from, "+", most).Result()
	for _, m := range messages {
		line, parseErr := strconv.ParseInt(fmt.Sprint(m.Values["line"]), 10, 64)
		if parseErr != nil {
			return nil, false, fmt.Errorf("entry %s: %v: %w", m.ID, m.Values, parseErr)
		}
		page = append(page, entry{m.ID, line, fmt.Sprint(m.Values["rafka_key"])})
	}
	return page, len(messages) == most, err
}

// requireMirror checks that the Redis consumer group of that name shows a partition as read to its
// end.
func (s *scenario) requireMirror(t testing.TB, partition int) {
	t.Helper()
	key := s.partitionKey(partition)
	group := s.nativeGroup(t, key)
	newest, err := s.client.XRevRangeN(t.Context(), key, "+", "-", 1).Result()
	require.NoError(t, err)
	require.NotEmpty(t, newest, "partition %d is empty", partition)
	require.Equal(t, newest[0].ID, group.LastDeliveredID, "last-delivered-id of partition %d", partition)
	require.Zero(t, group.Lag, "lag of partition %d", partition)
	added, err := s.client.XLen(t.Context(), key).Result()
	require.NoError(t, err)
	require.Equal(t, added, group.EntriesRead, "entries-read of partition %d", partition)
}

// nativeGroup returns the output of XINFO GROUPS for the group.
func (s *scenario) nativeGroup(t testing.TB, key string) redis.XInfoGroup {
	t.Helper()
	groups, err := s.client.XInfoGroups(t.Context(), key).Result()
	require.NoError(t, err)
	for _, g := range groups {
		if g.Name == s.Group {
			return g
		}
	}
	require.Fail(t, "missing Redis consumer group", "%s on stream %s; there are %+v", s.Group, key, groups)
	return redis.XInfoGroup{}
}
