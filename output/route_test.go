package output

import (
	"strconv"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestBatchIsDividedByTopicAndPartition(t *testing.T) {
	for _, partitions := range []int{1, 4, 5, 50} {
		c := newGrouper(newPartitioner(manual))
		for i := range 300 {
			topic := broker.Topic{Name: []string{"orders", "bills"}[i%2], Partitions: partitions}
			require.NoError(t, c.add(i, outgoing{partition: strconv.Itoa(i / 2 % partitions)}, topic))
		}
		require.Len(t, c.batches, 2*partitions)
		for n, cut := range c.batches {
			var want []int
			for i := n; i < 300; i += 2 * partitions {
				want = append(want, i)
			}
			assert.Equal(t, want, cut.messages, cut.target.Key)
			assert.Len(t, cut.records, len(want))
		}
	}
}

// A topic can have grown since it was looked up, so it is looked up again before a partition number
// is rejected as too high.
func TestManualPartitionOfAGrownTopicIsWritten(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "partitions: 2\npartitioner: manual\npartition: ${! @p }")
	require.NoError(t, out.WriteBatch(t.Context(), service.MessageBatch{message("a", "p", "1")}))
	_, err := admin.New(client).GrowTopic(t.Context(), "orders", 4)
	require.NoError(t, err)

	batch := service.MessageBatch{
		message(
			"b",
			"p",
			"1",
		),
		message("c", "p", "3"),
		message("d", "p", "4"),
		message("e", "p", "x"),
		message("f", "p", "3"),
	}
	index := batch.Index()
	failed := failures(t, index, out.WriteBatch(t.Context(), batch))
	require.Len(t, failed, 2)
	assert.ErrorContains(t, failed[2], "partitions 0 to 3")
	assert.ErrorContains(t, failed[3], "not a number")
	assert.Equal(t, []string{"a", "b"}, bodies(t, client, "orders:1"))
	assert.Equal(t, []string{"c", "f"}, bodies(t, client, "orders:3"))
}
