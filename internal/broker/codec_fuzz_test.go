package broker

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fieldsOf splits a text into names and values of an entry at a separator byte.
func fieldsOf(text string) []string {
	fields := strings.Split(text, "\x01")
	return fields[:len(fields)/2*2]
}

// valuesOf returns the names in their order and the values of each name.
func valuesOf(fields []string) (names []string, values map[string][]string) {
	values = map[string][]string{}
	for i := 0; i < len(fields); i += 2 {
		if _, known := values[fields[i]]; !known {
			names = append(names, fields[i])
		}
		values[fields[i]] = append(values[fields[i]], fields[i+1])
	}
	return names, values
}

// inJSON returns a text as JSON represents it: another character replaces each byte that is not
// valid UTF-8.
func inJSON(text string) string { return string([]rune(text)) }

// requireText checks that the text is the only value, or a JSON array of all values.
func requireText(t *testing.T, values []string, text string) {
	t.Helper()
	if len(values) == 1 {
		require.Equal(t, values[0], text)
		return
	}
	var list []string
	require.NoError(t, json.Unmarshal([]byte(text), &list), text)
	requireAll(t, values, list)
}

func requireAll(t *testing.T, values, list []string) {
	t.Helper()
	require.Len(t, list, len(values))
	for i := range values {
		require.Equal(t, inJSON(values[i]), list[i])
	}
}

// Every value of an entry appears in the message, whichever program wrote the entry.
func FuzzForeignEntriesAreNeverLost(f *testing.F) {
	for _, text := range []string{
		"body\x01x", "a\x011\x01a\x012\x01body\x01x", "rafka_key\x01k\x01rafka_key\x01l\x01body\x01x\x01body\x01y",
		"sensor\x017\x01n\x01", "\xff\x011\x01\xfe\x012",
		"traceparent\x01t\x01traceparent\x01u\x01rafka_key\x01k\x01\x01", "\x01\x01\x01",
	} {
		f.Add(text, "body")
		f.Add(text, "")
	}
	f.Add(strings.Repeat("a\x011\x01b\x012\x01", manyFields), "c")
	f.Fuzz(func(t *testing.T, text, bodyKey string) {
		fields := fieldsOf(text)
		d := Decode(fields, bodyKey)
		names, values := valuesOf(fields)
		metadata := map[string]string{}
		for _, m := range d.Metadata {
			require.NotContains(t, metadata, m.Name, "twice")
			metadata[m.Name] = m.Value
		}
		require.Equal(t, bodyKey != "" && values[bodyKey] != nil, d.HasBody)
		var object []string // the names that the body must contain
		for _, name := range names {
			switch {
			case d.HasBody && name == bodyKey:
				requireText(t, values[name], d.Body)
			case name == KeyField:
				requireText(t, values[name], d.Key)
			case d.HasBody || IsTrace(name) || ofLetters(name):
				require.Contains(t, metadata, name)
				requireText(t, values[name], metadata[name])
				delete(metadata, name)
			default:
				object = append(object, name)
			}
		}
		require.Empty(t, metadata, "more than there was")
		if !d.HasBody {
			requireObject(t, d.Body, object, values)
		}
	})
}

// requireObject checks that a JSON object has these members in this order. Names that become equal
// in JSON remain separate members.
func requireObject(t *testing.T, text string, names []string, values map[string][]string) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	next := func() any {
		token, err := decoder.Token()
		require.NoError(t, err, text)
		return token
	}
	require.Equal(t, json.Delim('{'), next())
	for _, name := range names {
		require.Equal(t, inJSON(name), next())
		if len(values[name]) == 1 {
			require.Equal(t, inJSON(values[name][0]), next())
			continue
		}
		var list []string
		require.NoError(t, decoder.Decode(&list))
		requireAll(t, values[name], list)
	}
	require.Equal(t, json.Delim('}'), next())
	_, err := decoder.Token()
	require.ErrorIs(t, err, io.EOF)
}

// Encode writes the body, the key and each metadata value once, or reports the metadata as dropped.
func FuzzMetadataIsWrittenOrReported(f *testing.F) {
	f.Add("x", "body", "k", "a\x011\x01b\x012")
	f.Add("x", "b", "", "b\x011\x01rafka_key\x012\x01traceparent\x013\x01\x014")
	f.Fuzz(func(t *testing.T, body, bodyKey, key, text string) {
		if bodyKey == "" || Reserved(bodyKey) { // the configuration allows neither
			return
		}
		names, values := valuesOf(fieldsOf(text))
		var metadata, kept []Field
		for _, name := range names { // a message has each name once
			metadata = append(metadata, Field{name, values[name][0]})
		}
		fields, dropped := Encode(nil, body, bodyKey, key, metadata)
		for _, m := range metadata {
			if m.Name == bodyKey || m.Name == KeyField || m.Name == TraceField || m.Name == TraceStateField {
				require.Equal(t, m.Name, dropped[0])
				dropped = dropped[1:]
				continue
			}
			kept = append(kept, m)
		}
		require.Empty(t, dropped)
		require.Equal(t, Decoded{Body: body, HasBody: true, Key: key, Metadata: kept}, Decode(fields, bodyKey))
	})
}
