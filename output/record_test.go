package output

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// newRecorder returns the recorder for the fields.
func newRecorder(t *testing.T, fields string) *recorder {
	t.Helper()
	s, err := construct(t, minimal+fields)
	require.NoError(t, err)
	return &recorder{bodyKey: s.bodyKey, metadata: s.metadata, limit: s.maxMessageBytes}
}

func TestRecordHasBodyKeyAndMetadataInOrder(t *testing.T) {
	msg := service.NewMessage([]byte("hello"))
	msg.MetaSetMut("b", "text")
	msg.MetaSetMut("a", 7)
	msg.MetaSetMut("c", map[string]any{"x": []any{1, "<y>"}})
	msg.MetaSetMut("d", []byte("raw"))
	msg.MetaSetMut("e", true)
	msg.MetaSetMut("f", nil)
	msg.MetaSetMut("g", math.Inf(1))
	msg.MetaSetMut("h", "")
	record, dropped, err := newRecorder(t, "").record(&arena{}, msg, "k1")
	require.NoError(t, err)
	assert.Empty(t, dropped)
	assert.Equal(t, []string{
		"body", "hello", "rafka_key", "k1",
		"a", "7", "b", "text", "c", `{"x":[1,"<y>"]}`, "d", "raw", "e", "true", "f", "null", "g", "+Inf", "h", "",
	}, record.Fields)
}

func TestRecordLeavesOutOwnAndExcludedMetadata(t *testing.T) {
	msg := service.NewMessage([]byte("hello"))
	for _, key := range []string{"rafka_topic", "rafka_key", "rafka_offset", "secret_a", "open"} {
		msg.MetaSetMut(key, "x")
	}
	record, dropped, err := newRecorder(t, "metadata: {exclude_prefixes: [secret_]}").record(&arena{}, msg, "")
	require.NoError(t, err)
	assert.Empty(t, dropped)
	assert.Equal(t, []string{"body", "hello", "open", "x"}, record.Fields)
}

func TestRecordReportsMetadataInConflict(t *testing.T) {
	msg := service.NewMessage([]byte("hello"))
	msg.MetaSetMut("body", "x")
	msg.MetaSetMut("traceparent", "x")
	record, dropped, err := newRecorder(t, "").record(&arena{}, msg, "")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"body", "traceparent"}, dropped)
	assert.Equal(t, []string{"body", "hello"}, record.Fields)
}

func TestRecordOfNilAndStructuredBody(t *testing.T) {
	r := newRecorder(t, "")
	record, _, err := r.record(&arena{}, service.NewMessage(nil), "")
	require.NoError(t, err)
	assert.Equal(t, []string{"body", ""}, record.Fields)

	msg := service.NewMessage(nil)
	msg.SetStructuredMut(map[string]any{"a": 1})
	record, _, err = r.record(&arena{}, msg, "")
	require.NoError(t, err)
	assert.Equal(t, []string{"body", `{"a":1}`}, record.Fields)
}

func TestEmptyBodyKeyTurnsMembersIntoFields(t *testing.T) {
	r := newRecorder(t, "body_key: ''")
	record, _, err := r.record(&arena{}, service.NewMessage([]byte(`{"name":"x","n":1,"list":[1, 2]}`)), "k")
	require.NoError(t, err)
	assert.Equal(t, []string{"name", "x", "n", "1", "list", "[1,2]", "rafka_key", "k"}, record.Fields)

	for _, body := range []string{"hello", "[1]", "", "{"} {
		_, _, err = r.record(&arena{}, service.NewMessage([]byte(body)), "")
		require.ErrorContains(t, err, "body_key", "body %q", body)
	}
}

func TestRecordTooLargeNamesTheLimit(t *testing.T) {
	r := newRecorder(t, "max_message_bytes: '20'")
	_, _, err := r.record(&arena{}, service.NewMessage([]byte(strings.Repeat("x", 16))), "")
	require.NoError(t, err, "16 bytes under the name body")
	_, _, err = r.record(&arena{}, service.NewMessage([]byte(strings.Repeat("x", 17))), "")
	require.ErrorContains(t, err, "max_message_bytes (20)")
	require.ErrorContains(t, err, "21 bytes")
}

// A record with more fields than a script accepts would fail everything that is appended with it.
func TestRecordWithTooManyFieldsFails(t *testing.T) {
	msg := service.NewMessage([]byte("hello"))
	for i := range broker.MaxFields {
		msg.MetaSetMut("m"+strconv.Itoa(i), "x")
	}
	_, _, err := newRecorder(t, "").record(&arena{}, msg, "")
	require.ErrorContains(t, err, "2501 fields")
}

// The topic name of a message can have any length. Long names filled the memory of the output and
// of Redis.
func TestInvalidTopicNamesFailTheirMessagesOnly(t *testing.T) {
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

func TestErrorShortensALongTextInFieldPartition(t *testing.T) {
	_, err := manualPartition("t", 1, strings.Repeat("7", 1<<20))
	require.ErrorContains(t, err, "not a number")
	assert.Less(t, len(err.Error()), 300)
}
