package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// KeyField is the entry field that holds the key of the message.
const KeyField = "rafka_key"

// These entry fields hold the trace context. They have the names of the W3C headers. Encode never
// writes them: the tracing code appends them to the fields. Decode leaves them in the metadata.
const (
	TraceField      = "traceparent"
	TraceStateField = "tracestate"
)

// Field is the name and the value of an entry field other than the body and the key: one metadata
// value of a message.
type Field struct{ Name, Value string }

// Encode appends the entry fields of a message: the body under bodyKey, which must not be empty,
// then the key unless it is empty, then the metadata in its order. Metadata named bodyKey or with a
// Reserved name would be mistaken for those fields. Encode leaves it out and returns its names as
// dropped.
func Encode(fields []string, body, bodyKey, key string, metadata []Field) (encoded, dropped []string) {
	fields = append(fields, bodyKey, body)
	if key != "" {
		fields = append(fields, KeyField, key)
	}
	for _, m := range metadata {
		if m.Name == bodyKey || Reserved(m.Name) {
			dropped = append(dropped, m.Name)
			continue
		}
		fields = append(fields, m.Name, m.Value)
	}
	return fields, dropped
}

// EncodeObject encodes a message whose body is a JSON object, without a body field. Each member
// becomes a field, in the order of the object: strings unchanged, all other values as compact JSON.
// EncodeObject leaves out members with a Reserved name, and metadata whose name is Reserved or the
// name of a member, and returns these names as dropped. It returns an error if the body is not a
// JSON object, or if the entry would have no fields.
func EncodeObject(body []byte, key string, metadata []Field) (fields []string, dropped []string, err error) {
	if fields, dropped, err = members(body); err != nil {
		return nil, nil, fmt.Errorf("writing the message's members as fields, since body_key is empty: %w", err)
	}
	names := make(map[string]struct{}, len(fields)/2)
	for i := 0; i < len(fields); i += 2 {
		names[fields[i]] = struct{}{}
	}
	if key != "" {
		fields = append(fields, KeyField, key)
	}
	for _, m := range metadata {
		if _, taken := names[m.Name]; taken || Reserved(m.Name) {
			dropped = append(dropped, m.Name)
			continue
		}
		fields = append(fields, m.Name, m.Value)
	}
	if len(fields) == 0 {
		return nil, nil, errors.New(
			"writing the message's members as fields, since body_key is empty: the object has no members, " +
				"and an entry needs at least one field: set body_key, or drop empty messages",
		)
	}
	return fields, dropped, nil
}

// Reserved reports whether the name belongs to the key field, to a trace context field or to a
// field of dead letters.
func Reserved(name string) bool { return name == KeyField || IsTrace(name) || ofLetters(name) }

// IsTrace reports whether a field of this name holds trace context.
func IsTrace(name string) bool { return name == TraceField || name == TraceStateField }

// errNoObject is the error of members for a body that is not a JSON object.
var errNoObject = errors.New(
	"the body is not a JSON object: set body_key to write it as one field, or make it an object",
)

// members parses a JSON object token by token, because a map would lose the order of the members.
func members(body []byte) (fields []string, dropped []string, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, nil, errNoObject
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("%w (%w)", errNoObject, err)
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, nil, fmt.Errorf("%w (%w)", errNoObject, err)
		}
		value, err := memberText(raw)
		if err != nil {
			return nil, nil, fmt.Errorf("%w (%w)", errNoObject, err)
		}
		if text := name.(string); Reserved(text) {
			dropped = append(dropped, text)
		} else {
			fields = append(fields, text, value)
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, nil, fmt.Errorf("%w (%w)", errNoObject, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, nil, fmt.Errorf("%w (something follows the object)", errNoObject)
	}
	return fields, dropped, nil
}

// memberText returns the value of a JSON string, or the compact JSON of any other value.
func memberText(raw json.RawMessage) (string, error) {
	if raw[0] == '"' {
		var text string
		err := json.Unmarshal(raw, &text)
		return text, err
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, raw)
	return compact.String(), err
}

// Decoded is an entry decoded as a message. Its strings share the memory of the entry's strings,
// unless a field is repeated or the entry has no body field.
type Decoded struct {
	Body string
	// HasBody is false if the entry has no body field. Body is then a JSON object of the entry's
	// fields.
	HasBody bool
	// Key is empty if the message has no key.
	Key string
	// Metadata contains each name once. If the entry has no body field, Metadata contains only
	// trace context and the fields of dead letters, because Body contains the other fields.
	Metadata []Field
}

// Decode decodes the fields of any entry, written by rafka or by another program, as a message. If
// bodyKey is "", no field is the body. If a field is repeated, its values become one JSON array of
// strings, which appears where the first value appeared. Decode does not skip an entry without the
// body field: the body is then a JSON object of all fields that are not Reserved, with their values
// as strings. Redis values are bytes, but JSON strings are Unicode: in a JSON array or object,
// Decode replaces each byte that is not valid UTF-8 by U+FFFD. All other values stay unchanged.
func Decode(fields []string, bodyKey string) Decoded {
	var few [8]gathered // avoids an allocation for entries with few fields
	merged := gather(few[:0], fields)
	body := -1
	if bodyKey != "" {
		body = slices.IndexFunc(merged, func(f gathered) bool { return f.name == bodyKey })
	}
	d := Decoded{HasBody: body >= 0}
	var object []gathered
	for i, f := range merged {
		switch {
		case i == body:
			d.Body = f.text()
		case f.name == KeyField:
			d.Key = f.text()
		case d.HasBody || IsTrace(f.name) || ofLetters(f.name):
			d.Metadata = append(d.Metadata, Field{f.name, f.text()})
		default:
			object = append(object, f)
		}
	}
	if !d.HasBody {
		d.Body = objectText(object)
	}
	return d
}

// gathered is one field name of an entry with all its values. more is nil unless the name is
// repeated.
type gathered struct {
	name, value string
	more        []string
}

// gather collects the values of each field name. It appends one element per field name to names,
// which must be empty, in the order in which the field names first appear.
func gather(names []gathered, fields []string) []gathered {
	var indexes map[string]int
	if len(fields) > manyFields {
		indexes = make(map[string]int, len(fields)/2)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		at, known := find(names, indexes, fields[i])
		if known {
			names[at].more = append(names[at].more, fields[i+1])
			continue
		}
		if indexes != nil {
			indexes[fields[i]] = len(names)
		}
		names = append(names, gathered{name: fields[i], value: fields[i+1]})
	}
	return names
}

// manyFields is the number of names and values above which a map finds repeated names faster than a
// linear search.
const manyFields = 64

func find(names []gathered, indexes map[string]int, name string) (at int, known bool) {
	if indexes != nil {
		at, known = indexes[name]
		return at, known
	}
	at = slices.IndexFunc(names, func(g gathered) bool { return g.name == name })
	return at, at >= 0
}

// text returns the value, or a JSON array of all values if the field is repeated.
func (g gathered) text() string {
	if g.more == nil {
		return g.value
	}
	return string(g.appendJSON(nil))
}

// appendJSON appends the value as a JSON string, or as an array of strings if the field is
// repeated.
func (g gathered) appendJSON(out []byte) []byte {
	if g.more == nil {
		return appendQuoted(out, g.value)
	}
	out = appendQuoted(append(out, '['), g.value)
	for _, value := range g.more {
		out = appendQuoted(append(out, ','), value)
	}
	return append(out, ']')
}

func objectText(fields []gathered) string {
	out := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendQuoted(out, f.name), ':')
		out = f.appendJSON(out)
	}
	return string(append(out, '}'))
}

// appendQuoted appends text as a JSON string. It does not escape HTML characters, because the
// escapes would make the text harder to read.
func appendQuoted(out []byte, text string) []byte {
	buffer := bytes.NewBuffer(out)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // encoding a string into a buffer cannot fail
	return bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'})
}
