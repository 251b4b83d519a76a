package output

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/embedded"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestKeyedBatchIsOnKafkasPartitionsInOrder(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "partitions: 4\nkey: ${! @id }")
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 500, 20)))

	want := map[int][]string{}
	for i := range 500 {
		p := keyPartition([]byte(fmt.Sprint(i%20)), 4)
		want[p] = append(want[p], fmt.Sprint(i))
	}
	require.Greater(t, len(want), 1)
	for p := range 4 {
		assert.Equal(
			t,
			want[p],
			append([]string(nil), bodies(t, client, fmt.Sprintf("orders:%d", p))...),
			"partition %d",
			p,
		)
	}
	entries, err := client.XRangeN(
		t.Context(),
		fmt.Sprintf("orders:%d", keyPartition([]byte("7"), 4)),
		"-",
		"+",
		1,
	).Result()
	require.NoError(t, err)
	assert.Contains(t, entries[0].Values, "rafka_key")
	assert.Equal(t, entries[0].Values["rafka_key"], entries[0].Values["id"])
}

func TestBadMessagesFailWithTheirReasons(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, `
stream_name: ${! @topic }
partitions: 2
partitioner: manual
partition: ${! @p }
max_message_bytes: '40'
`)
	batch := service.MessageBatch{
		message("good 0", "topic", "a", "p", "0"),
		message("no topic", "topic", "", "p", "0"),
		message("bad topic", "topic", "x{y", "p", "0"),
		message("good 1", "topic", "a", "p", "1"),
		message("partition too high", "topic", "a", "p", "2"),
		message("no number", "topic", "a", "p", "two"),
		message(strings.Repeat("x", 60), "topic", "a", "p", "0"),
		message("good 2", "topic", "b", "p", "1"),
		message("name of a partition", "topic", "c:1", "p", "1"),
	}
	index := batch.Index()
	failed := failures(t, index, out.WriteBatch(t.Context(), batch))
	require.Len(t, failed, 6)
	for i, reason := range map[int]string{
		1: "stream_name", 2: "hash tag", 4: "partitions 0 to 1", 5: "not a number",
		6: "max_message_bytes (40)", 8: "stream_name",
	} {
		assert.ErrorContains(t, failed[i], reason)
	}
	assert.Equal(t, []string{"good 0"}, bodies(t, client, "a:0"))
	assert.Equal(t, []string{"good 1"}, bodies(t, client, "a:1"))
	assert.Equal(t, []string{"good 2"}, bodies(t, client, "b:1"))
}

func TestFailedInterpolationFailsItsMessageOnly(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, `key: ${! json("id") }`)
	batch := service.MessageBatch{message(`{"id":"a"}`), message("no json"), message(`{"id":"b"}`)}
	index := batch.Index()
	failed := failures(t, index, out.WriteBatch(t.Context(), batch))
	require.Len(t, failed, 1)
	assert.ErrorContains(t, failed[1], "field key")
	assert.Len(t, bodies(t, server.Client(t), "orders"), 2)
}

func TestInterpolationSeesTheWholeBatch(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, "stream_name: ${! json(\"to\").from(0) }-${! batch_index() }")
	require.NoError(t, out.WriteBatch(t.Context(), service.MessageBatch{message(`{"to":"x"}`), message(`{"to":"y"}`)}))
	assert.Len(t, bodies(t, server.Client(t), "x-0"), 1)
	assert.Len(t, bodies(t, server.Client(t), "x-1"), 1)
}

func TestMetadataConflictWarnsOnce(t *testing.T) {
	server := redistest.Start(t)
	out, journal := openOutput(t, server, "metadata: {exclude_prefixes: [secret]}")
	for range 3 {
		msg := message("x", "body", "y", "secret_z", "1", "rafka_topic", "t", "open", "1")
		require.NoError(t, out.WriteBatch(t.Context(), service.MessageBatch{msg}))
	}
	entries, err := server.Client(t).XRange(t.Context(), "orders", "-", "+").Result()
	require.NoError(t, err)
	require.Len(t, entries, 3)
	assert.Equal(t, map[string]any{"body": "x", "open": "1"}, entries[0].Values)
	assert.Len(t, journal.Lines("is not written"), 1)
}

func TestEmptyBodyKeyWritesMembersAsFields(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, "body_key: ''")
	batch := service.MessageBatch{message(`{"a":"x","b":{"c":1}}`), message("text")}
	index := batch.Index()
	failed := failures(t, index, out.WriteBatch(t.Context(), batch))
	require.Len(t, failed, 1)
	assert.ErrorContains(t, failed[1], "JSON object")
	entries, err := server.Client(t).XRange(t.Context(), "orders", "-", "+").Result()
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, map[string]any{"a": "x", "b": `{"c":1}`}, entries[0].Values)
}

func TestMaxLengthTrims(t *testing.T) {
	server := redistest.Start(t, "--stream-node-max-entries", "10")
	out, _ := openOutput(t, server, "max_length: 50")
	for i := range 10 {
		require.NoError(t, out.WriteBatch(t.Context(), numbered(100*i, 100*i+100, 1)))
	}
	length := server.Client(t).XLen(t.Context(), "orders").Val()
	assert.GreaterOrEqual(t, length, int64(50))
	assert.Less(t, length, int64(200))
}

func TestConcurrentBatchesAreAllWritten(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "partitions: 3\nkey: ${! @id }")
	results := make(chan error, 64)
	for i := range 64 {
		go func() { results <- out.WriteBatch(t.Context(), numbered(10*i, 10*i+10, 7)) }() // joined below
	}
	for range 64 {
		require.NoError(t, <-results)
	}
	total := 0
	for p := range 3 {
		total += len(bodies(t, client, fmt.Sprintf("orders:%d", p)))
	}
	assert.Equal(t, 640, total)
}

func TestWriteWithoutSequenceNumbers(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "idempotent_write: false")
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 5, 1)))
	assert.Len(t, bodies(t, client, "orders"), 5)
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	assert.Equal(t, []string{"orders"}, keys, "no state of a producer")
}

func TestEmbeddedServerTakesWrites(t *testing.T) {
	name := strings.ToLower(rand.Text()) // an embedded server per run
	set, err := construct(
		t,
		"url: embedded://"+name+"\nstream_name: orders\npartitions: 3\nkey: ${! @id }\nmax_length: "+
			"1000\nmax_age: 1h",
	)
	require.NoError(t, err)
	out := newOutput(set, (&journal{}).Resources())
	t.Cleanup(func() { require.NoError(t, out.Close(context.Background())) })
	require.NoError(t, out.Connect(t.Context()))
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 100, 10)))
	addr, err := embedded.Open(name)
	require.NoError(t, err)
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	collect(t, client, 3, 100, 10, true)
}

func TestWriteWithCancelledContextWritesNothing(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, out.WriteBatch(ctx, numbered(0, 1, 1)), context.Canceled)
	require.NoError(t, out.WriteBatch(t.Context(), numbered(1, 2, 1)))
	assert.Equal(t, []string{"1"}, bodies(t, server.Client(t), "orders"))
}

func BenchmarkWriteBatch(b *testing.B) {
	server := redistest.Start(b)
	set, err := construct(b, "url: "+server.URL()+"\nstream_name: orders\npartitions: 4\nkey: ${! @id }")
	require.NoError(b, err)
	out := newOutput(set, (&journal{}).Resources())
	b.Cleanup(func() { require.NoError(b, out.Close(context.Background())) })
	require.NoError(b, out.Connect(b.Context()))
	for _, size := range []int{1, 100, 1000} {
		batch := numbered(0, size, 100)
		b.Run(fmt.Sprintf("messages=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, out.WriteBatch(b.Context(), batch))
			}
			b.ReportMetric(float64(size*b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
