package output

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestTopicWithoutMetadataIsOnePlainStream(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, "key: ${! @id }")
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 3, 3)))
	assert.Equal(t, []string{"0", "1", "2"}, bodies(t, server.Client(t), "orders"))
}

func TestTopicIsCreatedOnConnect(t *testing.T) {
	server := redistest.Start(t)
	openOutput(t, server, "partitions: 6")
	topic, err := broker.NewTopics(server.Client(t)).Describe(t.Context(), "orders")
	require.NoError(t, err)
	assert.Equal(t, 6, topic.Partitions)
}

func TestTopicKeepsItsOwnPartitionsWithOneWarning(t *testing.T) {
	server := redistest.Start(t)
	topics := broker.NewTopics(server.Client(t))
	_, _, err := topics.Create(t.Context(), "orders", 3)
	require.NoError(t, err)

	out, journal := openOutput(t, server, "partitions: 8\npartitioner: round_robin")
	require.NoError(t, out.Connect(t.Context()))
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 9, 1)))
	for p := range 3 {
		assert.Len(t, bodies(t, server.Client(t), fmt.Sprintf("orders:%d", p)), 3)
	}
	assert.Len(t, journal.Lines("keeps this number"), 1)
	assert.Contains(t, journal.Lines("keeps this number")[0], "has 3 partitions")
}

func TestPartitionsOnAPlainStreamAreRejected(t *testing.T) {
	server := redistest.Start(t)
	require.NoError(t, server.Client(t).Do(t.Context(), "XADD", "orders", "*", "body", "x").Err())
	out, _ := closedOutput(t, server, "partitions: 4")
	err := out.Connect(t.Context())
	require.ErrorContains(t, err, "plain stream already")
	assert.NotContains(t, err.Error(), "cannot be reached")
}

// A partitioned topic must not be treated as a plain stream when its metadata is missing: readers
// would not find the entries of the plain stream.
func TestFlushedMetadataIsWrittenBack(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", 5)
	require.NoError(t, err)
	out, journal := openOutput(t, server, "key: ${! @id }") // without the field partitions
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 50, 50)))

	require.NoError(t, client.FlushAll(t.Context()).Err())
	out.current().topics.now = func() time.Time { return time.Now().Add(topicTTL) }
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 50, 50)))
	topic, err := broker.NewTopics(client).Describe(t.Context(), "orders")
	require.NoError(t, err)
	assert.Equal(t, 5, topic.Partitions)
	assert.Zero(t, client.Exists(t.Context(), "orders").Val(), "no message is in a plain stream")
	assert.Len(t, journal.Lines("wrote it back with 5 partitions"), 1)
}

func TestTopicPartitionedMeanwhileIsRoutedAgainInOrder(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "key: ${! @id }")
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", 4)
	require.NoError(t, err)
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 200, 10)))
	assert.Zero(t, client.Exists(t.Context(), "orders").Val())
	total := 0
	for p := range 4 {
		all := bodies(t, client, fmt.Sprintf("orders:%d", p))
		total += len(all)
		assert.True(t, slices.IsSortedFunc(all, func(a, b string) int { return number(a) - number(b) }))
	}
	assert.Equal(t, 200, total)
}

func number(text string) int {
	var n int
	_, _ = fmt.Sscan(text, &n)
	return n
}

func TestWrongTypeFailsThenRecovers(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "partitions: 2\npartitioner: manual\npartition: ${! @p }")
	require.NoError(t, client.Set(t.Context(), "orders:1", "in the way", 0).Err())

	batch := service.MessageBatch{message("a", "p", "0"), message("b", "p", "1"), message("c", "p", "0")}
	index := batch.Index()
	failed := failures(t, index, out.WriteBatch(t.Context(), batch))
	require.Len(t, failed, 1)
	assert.ErrorContains(t, failed[1], "WRONGTYPE")
	assert.ErrorContains(t, failed[1], "rename or delete that key")
	assert.Equal(t, []string{"a", "c"}, bodies(t, client, "orders:0"))

	// Nothing is written until the key is deleted, so that the engine does not call the output in a
	// loop.
	retry := service.MessageBatch{message("d", "p", "0"), message("b", "p", "1")}
	require.ErrorIs(t, out.WriteBatch(t.Context(), retry), service.ErrNotConnected)
	require.ErrorContains(t, out.Connect(t.Context()), "WRONGTYPE")
	require.ErrorIs(t, out.WriteBatch(t.Context(), retry), service.ErrNotConnected)
	require.NoError(t, client.Del(t.Context(), "orders:1").Err())
	require.NoError(t, out.Connect(t.Context()))
	require.NoError(t, out.WriteBatch(t.Context(), retry))
	assert.Equal(t, []string{"a", "c", "d"}, bodies(t, client, "orders:0"))
	assert.Equal(t, []string{"b"}, bodies(t, client, "orders:1"))
}

func TestBrokenTopicDoesNotStopOtherTopics(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "stream_name: ${! @topic }")
	require.NoError(t, client.Set(t.Context(), "bad", "in the way", 0).Err())
	for range 3 {
		batch := service.MessageBatch{message("a", "topic", "good"), message("b", "topic", "bad")}
		index := batch.Index()
		failed := failures(t, index, out.WriteBatch(t.Context(), batch))
		require.Len(t, failed, 1)
		assert.ErrorContains(t, failed[1], "WRONGTYPE")
	}
	assert.Len(t, bodies(t, client, "good"), 3)
}
