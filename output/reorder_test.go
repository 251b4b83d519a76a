package output

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/rafka-streams/rafka/input"
	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// came returns a message with the metadata of a rafka input.
func came(partition, seq int, key string, deliveries int) *service.Message {
	msg := service.NewMessage(nil)
	msg.MetaSetMut("rafka_topic", "t")
	msg.MetaSetMut("rafka_partition", partition)
	msg.MetaSetMut("rafka_offset", fmt.Sprintf("%d-%d", 1000+seq/10, seq%10))
	msg.MetaSetMut("rafka_delivery_count", deliveries)
	if key != "" {
		msg.MetaSetMut("rafka_key", key)
	}
	return msg
}

// lateOf returns how many of the numbered messages are out of order.
func lateOf(o *reorderDetector, key string, deliveries int, numbers ...int) int {
	late := 0
	for _, n := range numbers {
		late += len(o.check(service.MessageBatch{came(0, n, key, deliveries)}))
	}
	return late
}

func upTo(from, to int) (numbers []int) {
	for n := from; n < to; n++ {
		numbers = append(numbers, n)
	}
	return numbers
}

func TestMessageAfterALaterOneOfItsKeyIsFound(t *testing.T) {
	o := newReorderDetector()
	assert.Zero(t, lateOf(o, "a", 1, 1, 2, 5))
	assert.Equal(t, 2, lateOf(o, "a", 1, 3, 4), "both arrived after 5")
	assert.Zero(t, lateOf(o, "a", 1, 6))
	assert.Zero(t, lateOf(o, "b", 1, 0), "of another key")
	assert.Zero(t, lateOf(o, "", 1, 9, 8), "without a key")
	assert.Empty(t, o.check(service.MessageBatch{came(1, 2, "a", 1)}), "of another partition")
	late := o.check(service.MessageBatch{came(1, 19, "a", 1), service.NewMessage(nil), came(1, 5, "a", 1)})
	require.Len(t, late, 1)
	assert.Equal(t, reordered{source{"t", 1}, offset{1000, 5}, offset{1001, 9}}, late[0])
}

func TestRepeatedMessagesAreNotOutOfOrder(t *testing.T) {
	o := newReorderDetector()
	require.Zero(t, lateOf(o, "a", 1, upTo(100, 200)...))
	assert.Zero(t, lateOf(o, "a", 2, upTo(90, 200)...), "rejected before")
	assert.Zero(t, lateOf(o, "a", 1, upTo(150, 200)...), "delivered by another member")
	assert.Zero(t, lateOf(o, "a", 1, upTo(200, 200+2*orderSeen)...))
	assert.Zero(
		t,
		lateOf(o, "a", 1, upTo(0, 200+2*orderSeen)...),
		"the group was moved back beyond the remembered offsets",
	)
	assert.Equal(t, 1, lateOf(o, "a", 1, 210+2*orderSeen, 205+2*orderSeen))
}

func TestMemoryForTheOrderIsBounded(t *testing.T) {
	o := newReorderDetector()
	for n := range 3 * orderSources {
		o.check(service.MessageBatch{came(n, 1, "a", 1)})
	}
	for n := range 3 * orderSeen {
		o.check(service.MessageBatch{came(0, n, fmt.Sprint(n), 1)})
	}
	assert.Equal(t, orderSources, o.sources.Len())
	assert.Len(t, o.currentPass(source{"t", 0}).seen, orderSeen)
	assert.Len(t, o.last, orderKeys)
}

func TestOrderWithoutARafkaInputCostsNothing(t *testing.T) {
	o := newReorderDetector()
	batch := numbered(0, 100, 10)
	assert.Zero(t, testing.AllocsPerRun(100, func() { o.check(batch) }))
	assert.Nil(t, o.last)
}

// copyTopic copies the topic orders to the topic copy, with processors that divide its batches. It
// returns how many messages are in the copy after a later one of their key, and how many the output
// counted.
func copyTopic(
	t *testing.T,
	server *redistest.Server,
	n int,
	fields string,
) (disordered int, counted int64, log *journal) {
	t.Helper()
	metrics, log := &logtest.Counters{}, &journal{}
	env, err := metrics.Environment()
	require.NoError(t, err)
	builder := env.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, builder.SetYAML(fmt.Sprintf(`
input: { rafka: { url: '%s', stream_name: orders, consumer_group: copy } }
pipeline: { processors: [ { split: { size: 7 } } ] }
output: { rafka: { url: '%s', stream_name: copy, partitions: 4, key: '${! @rafka_key.or("") }', %s } }
`, server.URL(), server.URL(), fields)))
	require.NoError(t, builder.SetMetricsYAML("recorder: {}"))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }() // ended by StopWithin
	client := server.Client(t)
	written := func() (total int64) {
		for p := range 4 {
			total += client.XLen(t.Context(), fmt.Sprintf("copy:%d", p)).Val()
		}
		return total
	}
	require.Eventually(t, func() bool { return written() >= int64(n) }, time.Minute, 10*time.Millisecond)
	require.NoError(t, stream.StopWithin(10*time.Second))
	require.NoError(t, <-ended)
	for p := range 4 {
		last := map[int]int{}
		for _, body := range bodies(t, client, fmt.Sprintf("copy:%d", p)) {
			i := number(body)
			if i < last[i%50] {
				disordered++
			}
			last[i%50] = max(i, last[i%50])
		}
	}
	return disordered, metrics.Get("rafka_reordered_total topic=orders"), log
}

func TestPiecesOfABatchKeepTheirOrderByDefault(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, "partitions: 4\nkey: ${! @id }")
	const n = 4000
	for i := 0; i < n; i += 1000 {
		require.NoError(t, out.WriteBatch(t.Context(), numbered(i, i+1000, 50)))
	}
	disordered, counted, log := copyTopic(t, server, n, "")
	assert.Zero(t, disordered)
	assert.Zero(t, counted)
	assert.Empty(t, log.Lines("out of order"))

	require.NoError(t, server.Client(t).FlushAll(t.Context()).Err())
	out, _ = openOutput(t, server, "partitions: 4\nkey: ${! @id }")
	for i := 0; i < n; i += 1000 {
		require.NoError(t, out.WriteBatch(t.Context(), numbered(i, i+1000, 50)))
	}
	disordered, counted, log = copyTopic(t, server, n, "max_in_flight: 64")
	t.Logf("%d of %d are out of order, %d were counted", disordered, n, counted)
	assert.Positive(t, disordered)
	assert.InEpsilon(t, disordered, counted, 0.5, "they are counted a moment before they are written")
	assert.Len(t, log.Lines("set max_in_flight of this output to 1 (it is 64)"), 1)
}

// A failed batch is delivered again in pieces. Repeated messages are not out of order, however
// often they are repeated.
func TestRepeatedBatchIsNotOutOfOrder(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, "partitions: 4\nkey: ${! @id }\nmax_message_bytes: 1MB")
	const n = 1000
	batch := numbered(0, n, 50)
	for i := 500; i < n; i += 100 { // all of one key, so that the other keys continue
		batch[i].SetBytes([]byte(fmt.Sprintf("%d %s", i, strings.Repeat("x", tooLong))))
	}
	require.NoError(t, out.WriteBatch(t.Context(), batch))
	metrics, log := &logtest.Counters{}, &journal{}
	env, err := metrics.Environment()
	require.NoError(t, err)
	builder := env.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, builder.SetYAML(fmt.Sprintf(`
input: { rafka: { url: '%s', stream_name: orders, consumer_group: copy } }
output:
  rafka: { url: '%s', stream_name: copy, key: '${! @rafka_key.or("") }', max_message_bytes: 1KB, max_in_flight: 64 }
`, server.URL(), server.URL())))
	require.NoError(t, builder.SetMetricsYAML("recorder: {}"))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }() // ended by StopWithin
	client := server.Client(t)
	// The messages after the batch with the bad messages wait for those, but are repeated
	// themselves.
	require.Eventually(
		t,
		func() bool { return len(log.Lines("Failed to send")) >= 6 },
		time.Minute,
		10*time.Millisecond,
	)
	copies := map[string]int{}
	for _, body := range bodies(t, client, "copy") {
		copies[body]++
	}
	twice := 0
	for _, times := range copies {
		if times > 1 {
			twice++
		}
	}
	assert.Positive(t, twice, "pieces of the batch were repeated")
	require.NoError(t, stream.StopWithin(10*time.Second))
	require.NoError(t, <-ended)
	assert.Zero(t, metrics.Get("rafka_reordered_total topic=orders"), "%v", log.Lines("out of order"))
}

func TestNullKeyWarnsOncePerTopic(t *testing.T) {
	server := redistest.Start(t)
	out, journal := openOutput(t, server, "stream_name: ${! @topic }\nkey: ${! @rafka_key }")
	for range 3 {
		require.NoError(t, out.WriteBatch(t.Context(), service.MessageBatch{
			message(
				"a",
				"topic",
				"one",
			),
			message("b", "topic", "two"),
			message("c", "topic", "three", "rafka_key", "k"),
		}))
	}
	assert.Len(t, journal.Lines("has the key null"), 2)
	assert.Len(t, journal.Lines(`topic \"one\"`), 1)
}

func BenchmarkOrderCheck(b *testing.B) {
	o := newReorderDetector()
	n := 0
	batch := make(service.MessageBatch, 500)
	for b.Loop() {
		b.StopTimer()
		for i := range batch {
			batch[i] = came(n/500%8, n, fmt.Sprint(n%1000), 1)
			n++
		}
		b.StartTimer()
		o.check(batch)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/message")
}
