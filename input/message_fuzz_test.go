package input

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// No field of an entry can replace the metadata that the input sets.
func FuzzMessageMetadata(f *testing.F) {
	f.Add("body\x01x\x01rafka_key\x01k\x01m\x01v", "body", uint64(5), int64(3))
	f.Add(
		"rafka_topic\x01evil\x01rafka_offset\x010-0\x01rafka_lag\x017\x01rafka_partition\x019",
		"",
		uint64(0),
		int64(-1),
	)
	f.Add(
		"traceparent\x0100-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\x01tracestate\x01a=b\x01body\x01",
		"body",
		uint64(1),
		int64(0),
	)
	f.Add(
		"traceparent\x0100-x\x01traceparent\x01\x01\xff\x01\xfe\x01\x01",
		"body",
		uint64(18446744073709551615),
		int64(0),
	)
	f.Fuzz(func(t *testing.T, text, bodyKey string, millis uint64, lag int64) {
		fields := strings.Split(text, "\x01")
		entry := splits.Entry{Offset: splits.Offset{Millis: millis, Seq: 7}, Fields: fields[:len(fields)/2*2]}
		split := splits.Split{Topic: "orders", Partition: 3, Key: "orders:3"}
		batch := &splits.Batch{Split: split, Entries: []splits.Entry{entry}, Attempts: 1, Lag: lag}
		m := messages(batch, bodyKey)[0]
		body, err := m.AsBytes()
		require.NoError(t, err)
		decoded := broker.Decode(entry.Fields, bodyKey)
		require.Equal(t, decoded.Body, string(body))
		want := map[string]any{
			"rafka_topic":          "orders",
			"rafka_partition":      3,
			"rafka_offset":         entry.Offset.String(),
			"rafka_timestamp_ms":   int64(millis),
			"rafka_delivery_count": 2,
		}
		if lag >= 0 {
			want["rafka_lag"] = lag
		}
		if decoded.Key != "" {
			want["rafka_key"] = decoded.Key
		}
		for _, field := range decoded.Metadata {
			if !strings.HasPrefix(field.Name, "rafka_") {
				want[field.Name] = field.Value
			}
		}
		got := map[string]any{}
		require.NoError(t, m.MetaWalkMut(func(name string, value any) error {
			got[name] = value
			return nil
		}))
		require.Equal(t, want, got)
		// The order depends on the key of the message, also if an entry has several keys.
		if strings.Count(text, broker.KeyField) < 2 {
			require.Equal(t, decoded.Key, keyField(broker.KeyField)(entry))
		}
	})
}
