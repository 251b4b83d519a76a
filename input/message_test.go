package input

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// entry returns an entry in its third delivery, from partition 2 of the topic orders.
func entry(fields ...string) (*splits.Batch, splits.Entry) {
	b := &splits.Batch{Split: splits.Split{Topic: "orders", Partition: 2, Key: "orders:2"}, Attempts: 2, Lag: 17}
	return b, splits.Entry{Offset: splits.Offset{Millis: 1767225600000, Seq: 7}, Fields: fields}
}

// metadata returns the body and the metadata of the message for an entry.
func metadata(t *testing.T, bodyKey string, fields ...string) (body string, meta map[string]any) {
	t.Helper()
	b, e := entry(fields...)
	m := newBatchMetadata(b).message(e, bodyKey)
	meta = map[string]any{}
	require.NoError(t, m.MetaWalkMut(func(key string, value any) error {
		meta[key] = value
		return nil
	}))
	text, err := m.AsBytes()
	require.NoError(t, err)
	return string(text), meta
}

// withMetadata returns the metadata of every message for the entry, and more.
func withMetadata(more map[string]any) map[string]any {
	meta := map[string]any{
		"rafka_topic":          "orders",
		"rafka_partition":      2,
		"rafka_offset":         "1767225600000-7",
		"rafka_timestamp_ms":   int64(1767225600000),
		"rafka_delivery_count": 3,
		"rafka_lag":            int64(17),
	}
	maps.Copy(meta, more)
	return meta
}

func TestMessagesOfEntries(t *testing.T) {
	for what, c := range map[string]struct {
		fields  []string
		bodyKey string
		body    string
		more    map[string]any
	}{
		"a dead letter": {
			[]string{
				"body", "hello", "rafka_origin_topic", "returns", "rafka_replay_group", "g", "rafka_topic", "forged",
			},
			"body", "hello",
			map[string]any{"rafka_origin_topic": "returns"},
		},
		"our own": {
			[]string{"body", "hello", "rafka_key", "ann", "colour", "red"},
			"body", "hello",
			map[string]any{"rafka_key": "ann", "colour": "red"},
		},
		"without a key":     {[]string{"body", "hello"}, "body", "hello", nil},
		"with an empty key": {[]string{"body", "hello", "rafka_key", ""}, "body", "hello", nil},
		"an empty body":     {[]string{"body", ""}, "body", "", nil},
		"a binary body": {
			[]string{"body", "\x00\xff\r\n", "rafka_key", "\xff"},
			"body", "\x00\xff\r\n",
			map[string]any{"rafka_key": "\xff"},
		},
		"a body that is not first": {
			[]string{"colour", "red", "body", "hello"}, "body", "hello", map[string]any{"colour": "red"},
		},
		"an empty value": {[]string{"body", "hello", "note", ""}, "body", "hello", map[string]any{"note": ""}},
		"another body key": {
			[]string{"payload", "hello", "body", "x"}, "payload", "hello", map[string]any{"body": "x"},
		},
		"a repeated field": {
			[]string{"body", "hello", "tag", "a", "tag", "b"}, "body", "hello", map[string]any{"tag": `["a","b"]`},
		},
		"trace context": {
			[]string{"body", "hello", "traceparent", "00-1-2-01"},
			"body", "hello",
			map[string]any{"traceparent": "00-1-2-01"},
		},
		"foreign": {[]string{"sensor", "7", "temp", "21.5"}, "body", `{"sensor":"7","temp":"21.5"}`, nil},
		"foreign, replayed": {
			[]string{"sensor", "7", "rafka_origin_topic", "returns", "rafka_replay_group", "g"},
			"body", `{"sensor":"7"}`,
			map[string]any{"rafka_origin_topic": "returns"},
		},
		"foreign, repeated": {[]string{"t", "1", "t", "2"}, "body", `{"t":["1","2"]}`, nil},
		"foreign with a key": {
			[]string{"sensor", "7", "rafka_key", "ann", "traceparent", "00"},
			"body", `{"sensor":"7"}`,
			map[string]any{"rafka_key": "ann", "traceparent": "00"},
		},
		"all fields as the body": {[]string{"body", "hello", "n", "1"}, "", `{"body":"hello","n":"1"}`, nil},
		"a forger": {
			[]string{
				"body", "hello", "rafka_topic", "x", "rafka_partition", "x", "rafka_offset", "x",
				"rafka_timestamp_ms", "x", "rafka_lag", "x",
				"rafka_delivery_count", "x", "rafka_other", "x",
			}, "body", "hello", nil,
		},
	} {
		t.Run(what, func(t *testing.T) {
			body, meta := metadata(t, c.bodyKey, c.fields...)
			assert.Equal(t, c.body, body)
			assert.Equal(t, withMetadata(c.more), meta)
		})
	}
}

func TestUnknownLagIsLeftOut(t *testing.T) {
	b, e := entry("body", "x", "rafka_lag", "5")
	b.Lag = -1
	_, there := newBatchMetadata(b).message(e, "body").MetaGetMut("rafka_lag")
	assert.False(t, there)
	b.Lag = 0
	lag, _ := newBatchMetadata(b).message(e, "body").MetaGetMut("rafka_lag")
	assert.Equal(t, int64(0), lag)
}

func TestBatchKeepsItsOrder(t *testing.T) {
	b, first := entry("body", "a")
	_, second := entry("body", "b")
	b.Entries = []splits.Entry{first, second}
	assert.Equal(t, []string{"a", "b"}, bodies(t, messages(b, "body")))
}

// The body must not share memory with the reply that contained it: processors change bodies in
// place.
func TestBodyIsACopy(t *testing.T) {
	b, e := entry("body", "hello")
	m := newBatchMetadata(b).message(e, "body")
	text, err := m.AsBytes()
	require.NoError(t, err)
	text[0] = 'j'
	assert.Equal(t, "hello", e.Fields[1])
}

func TestOrderKeyIsTheKeyField(t *testing.T) {
	for want, fields := range map[string][]string{
		"ann": {"body", "rafka_key", "rafka_key", "ann"},
		"":    {"rafka", "x", "body", "rafka_key"},
		"bob": {"rafka_key", "bob", "body", ""},
	} {
		assert.Equal(t, want, keyField(broker.KeyField)(splits.Entry{Fields: fields}))
	}
	assert.Empty(t, keyField(broker.KeyField)(splits.Entry{}))
}
