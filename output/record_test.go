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
)

// newRecorder makes the recorder that the fields describe.
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
	record, dropped, err := newRecorder(t, "").record(&pad{}, msg, "k1")
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
	record, dropped, err := newRecorder(t, "metadata: {exclude_prefixes: [secret_]}").record(&pad{}, msg, "")
	require.NoError(t, err)
	assert.Empty(t, dropped)
	assert.Equal(t, []string{"body", "hello", "open", "x"}, record.Fields)
}

func TestRecordReportsMetadataInConflict(t *testing.T) {
	msg := service.NewMessage([]byte("hello"))
	msg.MetaSetMut("body", "x")
	msg.MetaSetMut("traceparent", "x")
	record, dropped, err := newRecorder(t, "").record(&pad{}, msg, "")
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"body", "traceparent"}, dropped)
	assert.Equal(t, []string{"body", "hello"}, record.Fields)
}

func TestRecordOfNilAndStructuredBody(t *testing.T) {
	r := newRecorder(t, "")
	record, _, err := r.record(&pad{}, service.NewMessage(nil), "")
	require.NoError(t, err)
	assert.Equal(t, []string{"body", ""}, record.Fields)

	msg := service.NewMessage(nil)
	msg.SetStructuredMut(map[string]any{"a": 1})
	record, _, err = r.record(&pad{}, msg, "")
	require.NoError(t, err)
	assert.Equal(t, []string{"body", `{"a":1}`}, record.Fields)
}

func TestEmptyBodyKeyMakesFieldsOfMembers(t *testing.T) {
	r := newRecorder(t, "body_key: ''")
	record, _, err := r.record(&pad{}, service.NewMessage([]byte(`{"name":"x","n":1,"list":[1, 2]}`)), "k")
	require.NoError(t, err)
	assert.Equal(t, []string{"name", "x", "n", "1", "list", "[1,2]", "rafka_key", "k"}, record.Fields)

	for _, body := range []string{"hello", "[1]", "", "{"} {
		_, _, err = r.record(&pad{}, service.NewMessage([]byte(body)), "")
		require.ErrorContains(t, err, "body_key", "body %q", body)
	}
}

func TestRecordTooLargeNamesTheLimit(t *testing.T) {
	r := newRecorder(t, "max_message_bytes: '20'")
	_, _, err := r.record(&pad{}, service.NewMessage([]byte(strings.Repeat("x", 16))), "")
	require.NoError(t, err, "16 bytes under the name body")
	_, _, err = r.record(&pad{}, service.NewMessage([]byte(strings.Repeat("x", 17))), "")
	require.ErrorContains(t, err, "max_message_bytes (20)")
	require.ErrorContains(t, err, "21 bytes")
}

// A record with more fields than a script takes would fail everything that is appended with it.
func TestRecordWithTooManyFieldsFailsAlone(t *testing.T) {
	msg := service.NewMessage([]byte("hello"))
	for i := range broker.MaxFields {
		msg.MetaSetMut("m"+strconv.Itoa(i), "x")
	}
	_, _, err := newRecorder(t, "").record(&pad{}, msg, "")
	require.ErrorContains(t, err, "2501 fields")
}
