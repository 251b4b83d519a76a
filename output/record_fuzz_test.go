package output

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
)

// Each metadata value of any message is written once and decoded to the same value, or is reported
// as dropped, or has a reserved prefix.
func FuzzRecordsHoldTheirMessages(f *testing.F) {
	f.Add([]byte("hello"), "k1", "b\x011\x01a\x012\x01rafka_topic\x01t", "body")
	f.Add([]byte("\xff\x00"), "", "body\x01x\x01traceparent\x01y\x01\x01z\x01secret_a\x01s", "body")
	f.Add([]byte(`{"a":"x","rafka_key":"y","b":[1]}`), "k", "a\x01loses\x01c\x01d", "")
	f.Add([]byte(`{}`), "", "", "")
	f.Add([]byte(`[]`), "k", "m\x01v", "")
	f.Fuzz(func(t *testing.T, body []byte, key, text, bodyKey string) {
		if broker.Reserved(bodyKey) { // the configuration does not allow it
			return
		}
		r := newRecorder(t, "max_message_bytes: 1000\nmetadata: {exclude_prefixes: [secret_]}")
		r.bodyKey = bodyKey
		msg, metadata := service.NewMessage(body), map[string]string{}
		words := strings.Split(text, "\x01")
		for i := 0; i+1 < len(words); i += 2 {
			msg.MetaSetMut(words[i], words[i+1])
			metadata[words[i]] = words[i+1]
		}
		record, dropped, err := r.record(&arena{}, msg, key)
		if err != nil {
			require.True(t, slices.ContainsFunc([]string{"max_message_bytes", "body_key"}, func(field string) bool {
				return strings.Contains(err.Error(), field)
			}), "no remedy: %s", err)
			require.True(t, bodyKey == "" || len(body)+len(text)+len(key) > 900)
			return
		}
		require.LessOrEqual(t, record.Size(), 1000)
		d := broker.Decode(record.Fields, bodyKey)
		require.Equal(t, key, d.Key)
		if bodyKey == "" {
			require.False(t, d.HasBody)
			return
		}
		require.Equal(t, string(body), d.Body)
		for _, m := range d.Metadata {
			require.Equal(t, metadata[m.Name], m.Value, m.Name)
			delete(metadata, m.Name)
		}
		for name := range metadata { // what was not written
			require.True(
				t,
				slices.Contains(dropped, name) || strings.HasPrefix(name, ownMetadata) ||
					strings.HasPrefix(name, "secret_"),
				name,
			)
		}
	})
}

// Metadata of any type becomes text.
func FuzzMetadataValues(f *testing.F) {
	f.Add("x", 1.5, int64(7), true)
	f.Add("\xff", 0.0, int64(-9007199254740993), false)
	f.Fuzz(func(t *testing.T, text string, number float64, whole int64, yes bool) {
		msg := service.NewMessage(nil)
		for _, value := range []any{
			text, []byte(text), number, whole, yes, nil,
			[]any{text, number, nil},
			map[string]any{text: number},
			errors.New(text),
		} {
			msg.MetaSetMut("m", value)
			got, there := msg.MetaGetMut("m")
			require.True(t, there)
			written := metadataText(msg, "m", got)
			switch v := value.(type) {
			case string:
				require.Equal(t, v, written)
			case []byte:
				require.Equal(t, string(v), written)
			default:
				require.NotContains(t, written, "\n")
			}
		}
	})
}
