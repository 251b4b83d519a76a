package broker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// KeyField is the field of an entry that holds the key of its message.
const KeyField = "rafka_key"

// The fields of an entry that hold its trace context, as W3C's headers of these names. Encode never
// writes them: who traces appends them to the fields. Decode leaves them in the metadata.
const (
	TraceField      = "traceparent"
	TraceStateField = "tracestate"
)

// Field is one name and value of an entry beside its body and key: one metadata value of a message.
type Field struct{ Name, Value string }

// Encode appends the fields of an entry that holds a message: the body under bodyKey, which is not
// empty, the key unless it is empty, then the metadata in its order. Metadata named like the body
// or Reserved would be mistaken for those fields: it is left out and its names are returned as
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

// EncodeObject lays out a message whose body is a JSON object, without a body field: each member
// becomes a field, strings as they are and all else as compact JSON, in the order of the object. A
// member whose name is Reserved is left out and reported as dropped, and so is metadata named like
// one of those or like a member. The error says that the body is no JSON object, or an empty one,
// which no entry can hold.
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

// Reserved reports whether a field of that name holds something else than the body or metadata.
func Reserved(name string) bool { return name == KeyField || IsTrace(name) }

// IsTrace reports whether a field of that name holds trace context.
func IsTrace(name string) bool { return name == TraceField || name == TraceStateField }

// errNoObject is what members finds wrong with a body that is something else.
var errNoObject = errors.New(
	"the body is not a JSON object: set body_key to write it as one field, or make it an object",
)

// members reads a JSON object token by token, because a map would lose the order of its members.
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

// memberText is a string itself, or the compact JSON of anything else.
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

// Decoded is an entry as a message. Its strings are those of the entry unless a field was repeated
// or there is no body field.
type Decoded struct {
	Body string
	// HasBody is false if the entry has no body field: Body is a JSON object of its fields then.
	HasBody bool
	// Key is empty if the message has none.
	Key string
	// Metadata has each name once. Without a body field it holds trace context at most, as all else
	// is in the body.
	Metadata []Field
}

// Decode reads the fields of any entry, ours or a foreign one, as a message; bodyKey "" says that
// no field is the body. The values of a repeated field become one JSON array of strings, in the
// place of the first. An entry without the body field is not skipped: its body is a JSON object of
// all fields but the Reserved ones, their values as strings. Redis values are bytes and JSON
// strings are not: in a JSON array or object each byte that is no UTF-8 is replaced by U+FFFD; all
// else comes through unchanged.
func Decode(fields []string, bodyKey string) Decoded {
	var few [8]gathered // so that an entry with few fields costs no memory
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
		case d.HasBody || IsTrace(f.name):
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

// gathered is one field name of an entry with all its values; more is nil unless the name was
// repeated.
type gathered struct {
	name, value string
	more        []string
}

// gather brings the values of each name together, in the order in which the names first appear,
// behind names, which is empty.
func gather(names []gathered, fields []string) []gathered {
	var places map[string]int
	if len(fields) > manyFields {
		places = make(map[string]int, len(fields)/2)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		at, known := place(names, places, fields[i])
		if known {
			names[at].more = append(names[at].more, fields[i+1])
			continue
		}
		if places != nil {
			places[fields[i]] = len(names)
		}
		names = append(names, gathered{name: fields[i], value: fields[i+1]})
	}
	return names
}

// manyFields is the number from which a map finds repeated names faster than a look at each.
const manyFields = 64

func place(names []gathered, places map[string]int, name string) (at int, known bool) {
	if places != nil {
		at, known = places[name]
		return at, known
	}
	at = slices.IndexFunc(names, func(g gathered) bool { return g.name == name })
	return at, at >= 0
}

// text is the value as a string: itself, or a JSON array of the values of a repeated field.
func (g gathered) text() string {
	if g.more == nil {
		return g.value
	}
	return string(g.appendJSON(nil))
}

// appendJSON writes the value as a JSON string, or as an array of strings if the field was
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

// appendQuoted writes a JSON string without the escapes for HTML, which would only be in the
// reader's way.
func appendQuoted(out []byte, text string) []byte {
	buffer := bytes.NewBuffer(out)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string into a buffer: there is nothing to go wrong
	return bytes.TrimSuffix(buffer.Bytes(), []byte{'\n'})
}
