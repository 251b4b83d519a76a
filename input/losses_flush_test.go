package input

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestEverythingWrittenAfterAFlushIsRead(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	createTopic(t, client, 3)
	in, journal := openInput(t, server.URL(), "start_offset: latest")
	require.Eventually(t, func() bool { return in.current().consumer.Owned() == 3 }, time.Minute, time.Millisecond)
	write(t, client, "orders:0", "", "before")
	assert.Equal(t, []string{"before"}, consume(t, in, 1))
	require.NoError(t, client.FlushAll(t.Context()).Err())
	write(t, client, "orders:0", "", "first")
	write(t, client, "orders:2", "", "second")
	seen := map[string]bool{}
	for len(seen) < 2 {
		seen[consume(t, in, 1)[0]] = true
	}
	require.Eventually(t, func() bool {
		return client.Exists(
			t.Context(),
			"rafka:{orders:0}:lease:g",
			"rafka:{orders:1}:lease:g",
			"rafka:{orders:2}:lease:g",
		).Val() == 3
	}, time.Minute, 10*time.Millisecond, "it claims its partitions anew")
	write(t, client, "orders:1", "", "third")
	for !seen["third"] {
		seen[consume(t, in, 1)[0]] = true
	}
	assert.Equal(t, map[string]bool{"first": true, "second": true, "third": true}, seen)
	assert.Zero(
		t,
		client.Exists(t.Context(), "rafka:{orders}:lease:g").Val(),
		"it never takes the topic for a plain one",
	)
	assert.NotEmpty(
		t,
		append(journal.Lines("Lost the lease"), journal.Lines("level=ERROR", "orders:0")...),
		"one of them is noticed first",
	)
}

func TestFlushOfManyPartitionsIsOneLogLine(t *testing.T) {
	const partitions = 16
	server := redistest.Start(t)
	client := server.Client(t)
	createTopic(t, client, partitions)
	for p := range partitions {
		write(t, client, fmt.Sprintf("orders:%d", p), "", numbers(0, 3)...)
	}
	in, journal, counters := countingInput(t, server.URL(), "")
	require.NoError(t, in.Connect(patient(t)))
	consume(t, in, 3*partitions)
	require.NoError(t, client.FlushAll(t.Context()).Err())
	require.Eventually(t, func() bool {
		told := int64(0)
		for p := range partitions {
			told += counters.Get(fmt.Sprintf("rafka_recreated_total topic=orders partition=%d group=g", p))
		}
		return told == partitions
	}, time.Minute, 10*time.Millisecond)
	lines := journal.Lines("level=ERROR")
	assert.NotEmpty(
		t,
		journal.Lines(
			"level=ERROR",
			"partitions of topic orders",
			"is gone: its stream was deleted, evicted or flushed",
		),
	)
	assert.Less(t, len(lines), partitions, "%v", lines) // renewals can detect some of the losses first
}

// The server returned without the last writes: the stream and the group's position are older than
// what was read.
func TestFailoverThatLostWritesDoesNotRepeatEverything(t *testing.T) {
	l := newLossCase(t, "")
	require.NoError(t, l.client.Save(t.Context()).Err())
	write(t, l.client, "orders:0", "", numbers(10, 15)...)
	assert.Equal(t, numbers(10, 15), consume(t, l.in, 5))
	l.awaitCommitted(t)
	l.server.Kill(t)
	l.server.Restart(t)
	require.Eventually(
		t,
		func() bool { return l.count("rafka_recreated_total") == 1 },
		time.Minute,
		10*time.Millisecond,
	)
	write(t, l.client, "orders:0", "", numbers(20, 25)...)
	got := l.readUntil(t, "24")
	assert.Equal(t, numbers(20, 24), got[max(0, len(got)-4):])
	assert.NotContains(t, got, "0", "what it read last may come again, but not all of it")
	l.awaitCommitted(t)
	assert.Zero(t, l.count("rafka_lost_entries_total"), "all that is gone had been read")
	assert.Len(t, l.journal.Lines("level=ERROR", "was recreated or went back in time", "undone=5"), 1)
	assert.EqualValues(t, 1, l.count("rafka_recreated_total"))
}

func TestDeletedLeaseLosesNoEntry(t *testing.T) {
	for name, mirrored := range map[string]bool{"with the mirror": true, "without it": false} {
		t.Run(name, func(t *testing.T) {
			l := newLossCase(t, "start_offset: earliest")
			require.NoError(t, l.in.Close(context.Background()))
			l.open(t, "start_offset: latest")
			write(t, l.client, "orders:0", "", "10")
			assert.Equal(t, []string{"10"}, consume(t, l.in, 1))
			l.awaitCommitted(t)
			pipe := l.client.TxPipeline()
			pipe.Del(t.Context(), "rafka:{orders:0}:lease:g")
			if !mirrored {
				pipe.XGroupDestroy(t.Context(), "orders:0", "g")
			}
			_, err := pipe.Exec(t.Context())
			require.NoError(t, err)
			require.Eventually(
				t,
				func() bool { return committed(t, l.client, "orders:0") != "" },
				time.Minute,
				10*time.Millisecond,
				"it is claimed anew",
			)
			write(t, l.client, "orders:0", "", numbers(11, 20)...)
			got := append(l.readUntil(t, "19"), "19")
			if mirrored {
				assert.Equal(t, numbers(11, 20), got)
			}
			assert.Subset(t, got, numbers(11, 20))
			assert.NotEmpty(t, l.journal.Lines("level=WARN", "Lost the lease"))
			assert.Zero(t, l.count("rafka_lost_entries_total")+l.count("rafka_recreated_total"))
			l.awaitCommitted(t)
		})
	}
}

func TestEvictedStreamIsReportedAsGone(t *testing.T) {
	l := newLossCase(t, "")
	l.awaitSeen(t)
	used, err := l.client.InfoMap(t.Context(), "memory").Result()
	require.NoError(t, err)
	var bytes int64
	_, err = fmt.Sscan(used["Memory"]["used_memory"], &bytes)
	require.NoError(t, err)
	require.NoError(t, l.client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-random").Err())
	require.NoError(t, l.client.ConfigSet(t.Context(), "maxmemory", fmt.Sprint(bytes+1<<20)).Err())
	ballast := strings.Repeat("x", 100_000)
	for i := 0; l.client.Exists(t.Context(), "orders:0").Val() == 1; i++ {
		require.NoError(t, l.client.Set(patient(t), fmt.Sprint("ballast", i), ballast, 0).Err())
	}
	spent := func() bool {
		return len(
			l.journal.Lines(
				"level=INFO",
				"partitions=0",
				"expired or were deleted after everything in them had been read",
			),
		) == 1
	}
	gone := func() bool {
		return len(
			l.journal.Lines("level=ERROR", "orders:0", "is gone: its stream was deleted, evicted or flushed"),
		) == 1
	}
	require.Eventually(
		t,
		func() bool { return spent() || gone() },
		time.Minute,
		10*time.Millisecond,
		"the lease may have been evicted too",
	)
	assert.Equal(t, gone(), l.count("rafka_recreated_total") == 1)
	require.NoError(t, l.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	write(t, l.client, "orders:0", "", numbers(20, 25)...)
	write(t, l.client, "orders:1", "", "other")
	want, got := append(numbers(20, 25), "other"), []string(nil)
	for len(got) < len(want) { // any lease can be evicted, and then its messages are delivered again
		got = append(got, consume(t, l.in, 1)...)
		slices.Sort(got)
		got = slices.Compact(got)
	}
	assert.ElementsMatch(t, want, got)
}

func TestDeletedPartitionIsReadAgain(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	createTopic(t, client, 2)
	in, _ := openInput(t, server.URL(), "")
	write(t, client, "orders:0", "", "a")
	assert.Equal(t, []string{"a"}, consume(t, in, 1))
	require.NoError(t, client.Del(t.Context(), "orders:0").Err())
	write(t, client, "orders:0", "", "b")
	write(t, client, "orders:1", "", "c")
	got := consume(t, in, 2)
	slices.Sort(got)
	assert.Equal(t, []string{"b", "c"}, got)
}

// The embedded server has no entry counters. Nevertheless a reader must not wait for an offset that
// can't occur.
func TestRolledBackEmbeddedStreamsAreReadFromTheStart(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		t.Helper()
		write(t, client, "orders", "", "a")
		in, journal := openInput(t, url, "")
		assert.Equal(t, []string{"a"}, consume(t, in, 1))
		require.NoError(t, client.Del(t.Context(), "orders").Err())
		require.NoError(
			t,
			client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", ID: "5-1", Values: []string{"body", "b"}}).Err(),
		)
		assert.Equal(t, []string{"b"}, consume(t, in, 1))
		require.Eventually(
			t,
			func() bool { return len(journal.Lines("went back in time")) == 1 },
			time.Minute,
			10*time.Millisecond,
		)
		require.NoError(t, client.Del(t.Context(), "orders").Err())
		require.Eventually(t, func() bool {
			return len(journal.Lines("is gone"))+len(journal.Lines("everything in them had been read")) == 1
		}, time.Minute, 10*time.Millisecond)
		require.NoError(
			t,
			client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", ID: "2-1", Values: []string{"body", "c"}}).Err(),
		)
		assert.Equal(t, []string{"c"}, consume(t, in, 1))
	})
}
