package broker

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEncodeLaysOutBodyKeyAndMetadataInOrder(t *testing.T) {
	fields, dropped := Encode(nil, "hello", "body", "k1", []Field{{"b", "2"}, {"a", "1"}})
	assert.Equal(t, []string{"body", "hello", "rafka_key", "k1", "b", "2", "a", "1"}, fields)
	assert.Empty(t, dropped)
}

func TestEncodeAppendsToTheGivenFields(t *testing.T) {
	fields, _ := Encode([]string{"before", "1"}, "", "body", "", nil)
	assert.Equal(t, []string{"before", "1", "body", ""}, fields)
}

func TestEncodeLeavesOutAnEmptyKey(t *testing.T) {
	fields, _ := Encode(nil, "x", "payload", "", nil)
	assert.NotContains(t, fields, KeyField)
}

func TestEncodeDropsMetadataWithReservedNames(t *testing.T) {
	fields, dropped := Encode(nil, "x", "body", "k", []Field{
		{"body", "evil"}, {KeyField, "evil"}, {TraceField, "evil"}, {TraceStateField, "evil"}, {"fine", "1"},
	})
	assert.Equal(t, []string{"body", "x", "rafka_key", "k", "fine", "1"}, fields)
	assert.Equal(t, []string{"body", KeyField, TraceField, TraceStateField}, dropped)
}

func TestEncodeObjectKeepsOrderAndTypes(t *testing.T) {
	fields, dropped, err := EncodeObject(
		[]byte(`{"z":"text","a":1.50,"n":null,"t":true,"o":{ "x": [1, "<&>"] },"":"e","d":"1","d":2}`),
		"k",
		[]Field{{"a", "loses"}, {"m", "v"}},
	)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"z", "text", "a", "1.50", "n", "null", "t", "true", "o", `{"x":[1,"<&>"]}`, "", "e", "d", "1", "d", "2",
		"rafka_key", "k", "m", "v",
	}, fields)
	assert.Equal(t, []string{"a"}, dropped)
}

func TestEncodeObjectDropsReservedMembers(t *testing.T) {
	fields, dropped, err := EncodeObject(
		[]byte(`{"rafka_key":"evil","traceparent":"evil","a":"b"}`),
		"",
		[]Field{{TraceField, "evil"}},
	)
	require.NoError(t, err)
	assert.Equal(t, []string{"a", "b"}, fields)
	assert.Equal(t, []string{KeyField, TraceField, TraceField}, dropped)
}

func TestEncodeObjectRejectsBodiesThatAreNotObjects(t *testing.T) {
	for _, body := range []string{
		"", "hello", "[1]", `"text"`, "1", "null", `{"a":`, `{"a":1} {}`, `{"a":1}x`, `{"a" 1}`, "{}", `{"a":"\x"}`,
	} {
		_, _, err := EncodeObject([]byte(body), "", nil)
		require.Error(t, err, body)
		assert.Contains(t, err.Error(), "body_key", body)
	}
}

func TestEncodeObjectAcceptsAnEmptyObjectWithMetadata(t *testing.T) {
	fields, _, err := EncodeObject([]byte(" {} "), "", []Field{{"m", "v"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"m", "v"}, fields)
}

func TestDecodeReadsEntriesOfOtherPrograms(t *testing.T) {
	tests := []struct {
		name    string
		fields  []string
		bodyKey string
		want    Decoded
	}{
		{
			"body anywhere",
			[]string{"a", "1", "body", "x", "b", ""},
			"body",
			Decoded{Body: "x", HasBody: true, Metadata: []Field{{"a", "1"}, {"b", ""}}},
		},
		{"key", []string{"body", "", "rafka_key", "k"}, "body", Decoded{HasBody: true, Key: "k"}},
		{"empty key is none", []string{"body", "x", "rafka_key", ""}, "body", Decoded{Body: "x", HasBody: true}},
		{
			"repeated metadata",
			[]string{"a", "1", "body", "x", "a", "<2>", "b", "3", "a", `"`},
			"body",
			Decoded{Body: "x", HasBody: true, Metadata: []Field{{"a", `["1","<2>","\""]`}, {"b", "3"}}},
		},
		{"repeated body", []string{"body", "x", "body", "y"}, "body", Decoded{Body: `["x","y"]`, HasBody: true}},
		{
			"no body",
			[]string{"b", "1", "rafka_key", "k", "traceparent", "t", "a", "2", "tracestate", "s", "b", "3"},
			"body",
			Decoded{
				Body:     `{"b":["1","3"],"a":"2"}`,
				Key:      "k",
				Metadata: []Field{{"traceparent", "t"}, {"tracestate", "s"}},
			},
		},
		{"no body key", []string{"body", "<x>", "n", "1"}, "", Decoded{Body: `{"body":"<x>","n":"1"}`}},
		{"an empty name is not a body", []string{"", "x"}, "", Decoded{Body: `{"":"x"}`}},
		{"nothing", nil, "body", Decoded{Body: "{}"}},
		{"odd", []string{"body", "x", "half"}, "body", Decoded{Body: "x", HasBody: true}},
		{"not UTF-8", []string{"a", "\xff\x00"}, "body", Decoded{Body: `{"a":"\ufffd\u0000"}`}},
		{
			"bytes pass",
			[]string{"body", "\xff\x00", "m", "\xfe"},
			"body",
			Decoded{Body: "\xff\x00", HasBody: true, Metadata: []Field{{"m", "\xfe"}}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { assert.Equal(t, test.want, Decode(test.fields, test.bodyKey)) })
	}
}

func TestDecodeMergesManyFieldsLikeFew(t *testing.T) {
	var fields []string
	for i := range 3 * manyFields {
		fields = append(fields, strings.Repeat("n", i%manyFields+1), "v")
	}
	d := Decode(append(fields, "body", "x"), "body")
	require.Len(t, d.Metadata, manyFields)
	assert.Equal(t, Field{"n", `["v","v","v"]`}, d.Metadata[0])
}

func FuzzEncodeDecodeRoundTrip(f *testing.F) {
	f.Add("hello", "body", "k", "a", "1", "b", "\xff")
	f.Add("", "payload", "", "payload", "x", "rafka_key", "y")
	f.Add("{}", "b", "", "same", "x", "traceparent", "y")
	f.Fuzz(func(t *testing.T, body, bodyKey, key, name1, value1, name2, value2 string) {
		if bodyKey == "" || Reserved(bodyKey) || name1 == name2 {
			return
		}
		metadata := []Field{{name1, value1}, {name2, value2}}
		fields, dropped := Encode(nil, body, bodyKey, key, metadata)
		kept := slices.DeleteFunc(metadata, func(m Field) bool { return slices.Contains(dropped, m.Name) })
		if len(kept) == 0 {
			kept = nil
		}
		assert.Equal(t, Decoded{Body: body, HasBody: true, Key: key, Metadata: kept}, Decode(fields, bodyKey))
	})
}

func FuzzEncodeObjectRoundTrip(f *testing.F) {
	f.Add(`{"a":"b","c":"d"}`)
	f.Add(`{"a":1,"a":"\u0000","rafka_key":{}}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, body string) {
		fields, dropped, err := EncodeObject([]byte(body), "", nil)
		if err != nil {
			return
		}
		require.True(t, json.Valid([]byte(body)))
		d := Decode(fields, "")
		require.True(t, json.Valid([]byte(d.Body)), d.Body)
		assert.Empty(t, d.Key)
		var flat map[string]string
		if len(dropped) == 0 && utf8.ValidString(body) && json.Unmarshal([]byte(body), &flat) == nil &&
			len(flat)*2 == len(fields) {
			for i := 0; i < len(fields); i += 2 { // json.Unmarshal accepts null for a string
				if fields[i+1] == "null" {
					return
				}
			}
			var back map[string]string
			require.NoError(t, json.Unmarshal([]byte(d.Body), &back))
			assert.Equal(t, flat, back)
		}
	})
}

func FuzzDecodeNeverFails(f *testing.F) {
	f.Add("a\x01b\x01a\x01c", "body")
	f.Fuzz(func(t *testing.T, joined, bodyKey string) {
		d := Decode(strings.Split(joined, "\x01"), bodyKey)
		if !d.HasBody {
			require.True(t, json.Valid([]byte(d.Body)), d.Body)
		}
	})
}
