package acceptance

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// Each partition is received in order until the member notices the seek, and from then on from the
// new offset: nothing is missing, repeated or out of order.
func TestSeekUnderLoadDeliversWhatFollows(t *testing.T) {
	t.Parallel()
	const count = 4
	server := redistest.Start(t)
	client := server.Client(t)
	operator := admin.New(client)
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", count)
	require.NoError(t, err)
	tr := newReceivedOffsets()
	members := []*reader{startReader(t, server.URL(), "ann", "", tr), startReader(t, server.URL(), "bob", "", tr)}
	load := startTraffic(func(n int) error {
		return client.XAdd(context.Background(), &redis.XAddArgs{
			Stream: fmt.Sprintf(
				"orders:%d",
				n%count,
			),
			Values: []string{"body", strconv.Itoa(n), broker.KeyField, strconv.Itoa(n % 20)},
		}).Err()
	})
	shared := func() admin.GroupDescription {
		var group admin.GroupDescription
		require.Eventually(t, func() bool {
			group, err = operator.DescribeGroup(t.Context(), "orders", "readers")
			owned := map[string]int{}
			for _, p := range group.Partitions {
				owned[p.Owner]++
			}
			return err == nil && len(owned) == 2 && owned[""] == 0
		}, time.Minute, 10*time.Millisecond, "each member reads two partitions")
		return group
	}
	shared()
	load.awaitMore(t, 1000)
	middle := entriesOf(t, client, 1)[0]
	at, err := splits.ParseOffset(middle[len(middle)/2])
	require.NoError(t, err)

	var seeks []admin.SeekResult
	for _, to := range []string{"earliest", time.UnixMilli(int64(at.Millis)).UTC().Format(time.RFC3339Nano), "latest"} {
		before := shared()
		sought, err := operator.SeekGroup(t.Context(), admin.Seek{Topic: "orders", Group: "readers", To: to})
		require.NoError(t, err)
		seeks = append(seeks, sought)
		after := shared()
		for i := range after.Partitions {
			assert.Greater(
				t,
				after.Partitions[i].Epoch,
				before.Partitions[i].Epoch+1,
				"the seek and a claim raised it",
			)
		}
		load.awaitMore(t, 20*count) // no member can have received these under the old leases
		goal := entriesOf(t, client, count)
		require.Eventually(
			t,
			func() bool { return reached(tr, goal) },
			2*time.Minute,
			10*time.Millisecond,
			"the members catch up after %s",
			to,
		)
	}
	load.finish(t)
	all := entriesOf(t, client, count)
	require.Eventually(t, func() bool { return tr.atEnd(all) }, 2*time.Minute, 10*time.Millisecond)
	for p := range count {
		var starts []splits.Offset
		for _, s := range seeks {
			starts = append(starts, s.Partitions[p].After)
		}
		checkReceived(t, p, tr.of(p), all[p], starts)
	}
	for _, m := range members {
		assert.GreaterOrEqual(
			t,
			len(m.journal.Lines("level=INFO", "was moved")),
			3,
			"each seek fenced its commits",
		)
		assert.Empty(t, m.journal.Lines("level=WARN"))
		assert.Empty(t, m.journal.Lines("level=ERROR"))
		assert.Equal(t, 200, m.ready())
	}
	assert.Len(t, tr.members, 2)
}

// reached reports whether the last of the entries of every partition has been received.
func reached(tr *receivedOffsets, goal [][]string) bool {
	for p, entries := range goal {
		last, err := splits.ParseOffset(entries[len(entries)-1])
		got := tr.of(p)
		if err != nil || len(got) == 0 {
			return false
		}
		newest, err := splits.ParseOffset(got[len(got)-1])
		if err != nil || newest.Before(last) {
			return false
		}
	}
	return true
}

// checkReceived checks that everything was received in order, except for one jump to the offset of
// each seek. If a member had already reached the offset of the last seek, it does not jump.
func checkReceived(t *testing.T, partition int, got, all []string, seeks []splits.Offset) {
	t.Helper()
	next, used := 0, 0
	for i, offset := range got {
		if next < len(all) && offset == all[next] {
			next++
			continue
		}
		require.Less(
			t,
			used,
			len(seeks),
			"partition %d: received %s at index %d instead of %s",
			partition,
			offset,
			i,
			all[min(next, len(all)-1)],
		)
		next = indexAfter(t, all, seeks[used])
		require.Equal(t, all[next], offset, "partition %d: the first entry after seek %d, at %d", partition, used, i)
		used++
		next++
	}
	assert.Equal(t, len(all), next, "partition %d was read to its end", partition)
	assert.GreaterOrEqual(t, used, len(seeks)-1, "partition %d was moved", partition)
}

// indexAfter returns the index of the first entry after an offset.
func indexAfter(t *testing.T, all []string, offset splits.Offset) int {
	t.Helper()
	return slices.IndexFunc(all, func(id string) bool {
		at, err := splits.ParseOffset(id)
		require.NoError(t, err)
		return offset.Before(at)
	})
}

// A running output uses new partitions, and a running input reads them from their first entry, even
// with start_offset latest.
func TestTopicGrowsUnderLoad(t *testing.T) {
	t.Parallel()
	const before, after = 2, 6
	server := redistest.Start(t)
	client := server.Client(t)
	operator := admin.New(client)
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", before)
	require.NoError(t, err)
	tr := newReceivedOffsets()
	member := startReader(t, server.URL(), "ann", "start_offset: latest\n", tr)
	require.Eventually(t, func() bool {
		group, err := operator.DescribeGroup(t.Context(), "orders", "readers")
		return err == nil &&
			!slices.ContainsFunc(group.Partitions, func(p admin.GroupPartition) bool { return p.Owner == "" })
	}, time.Minute, 10*time.Millisecond)

	builder, log := service.NewStreamBuilder(), &journal{}
	builder.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(
		t,
		builder.AddOutputYAML("rafka:\n  url: "+server.URL()+"\n  stream_name: orders\n  key: ${! @key }\n"),
	)
	push, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	runStream(t, builder, log)
	load := startTraffic(func(n int) error {
		m := service.NewMessage([]byte(strconv.Itoa(n)))
		m.MetaSetMut("key", strconv.Itoa(n%50))
		return push(context.Background(), service.MessageBatch{m})
	})
	load.awaitMore(t, 200)
	require.NoError(
		t,
		client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders:5", Values: []string{"body", "early"}}).Err(),
	)
	_, err = operator.GrowTopic(t.Context(), "orders", after)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(
			entriesOf(t, client, after),
			func(entries []string) bool { return len(entries) < 10 },
		)
	}, 2*time.Minute, 50*time.Millisecond, "the output uses all partitions")
	load.finish(t)

	all := entriesOf(t, client, after)
	require.Eventually(t, func() bool { return tr.atEnd(all) }, 2*time.Minute, 10*time.Millisecond)
	for p := range after {
		assert.Equal(t, all[p], tr.of(p), "partition %d", p)
	}
	assert.Len(t, tr.bodies, load.count()+1)
	assert.Equal(t, 1, tr.bodies["early"])
	for _, j := range []*journal{member.journal, log} {
		assert.Empty(t, j.Lines("level=ERROR"))
	}
	assert.Equal(t, 200, member.ready())
}
