package output

import (
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// A topic name of a message may be anything: a long one filled the memory of the output and of
// Redis.
func TestNamesOfMessagesThatCanBeNoTopicFailAlone(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "stream_name: ${! @topic }")
	batch := service.MessageBatch{
		message("good", "topic", strings.Repeat("a", 249)),
		message("long", "topic", strings.Repeat("a", 250)),
		message("huge", "topic", strings.Repeat("b", 1<<20)),
		message("bidi", "topic", "a\u202eb"),
		message("no width", "topic", "a\u200bb"),
		message("escape", "topic", "\x1b[2J"),
		message("bytes", "topic", "a\xffb"),
	}
	index := batch.Index()
	failed := failures(t, index, out.WriteBatch(t.Context(), batch))
	require.Len(t, failed, 6)
	for i, reason := range map[int]string{
		1: "has 250 characters: use 249 at most", 2: "has 1048576 characters: use 249 at most",
		3: "U+202E", 4: "U+200B", 5: "control characters", 6: "UTF-8",
	} {
		assert.ErrorContains(t, failed[i], "stream_name: ")
		assert.ErrorContains(t, failed[i], reason)
		assert.Less(t, len(failed[i].Error()), 300)
	}
	assert.Equal(t, []string{"good"}, bodies(t, client, strings.Repeat("a", 249)))
	for _, key := range client.Keys(t.Context(), "*").Val() {
		assert.Less(t, len(key), 400)
	}
}

func TestALongTextInThePlaceOfAPartitionIsNotRepeated(t *testing.T) {
	_, err := manualPartition("t", 1, strings.Repeat("7", 1<<20))
	require.ErrorContains(t, err, "no number")
	assert.Less(t, len(err.Error()), 300)
}
