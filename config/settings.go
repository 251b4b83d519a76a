package config

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// Fields is an object of a configuration, as both the linter and the constructor receive it:
// defaults are filled in, and optional fields that are not set are missing.
type Fields map[string]any

// Object returns the object in the named field, or an empty one.
func (f Fields) Object(name string) Fields {
	switch object := f[name].(type) {
	case map[string]any:
		return object
	case Fields:
		return object
	}
	return Fields{}
}

// Text returns the string in the named field, and whether the field is set. Values of other types
// are formatted by fmt.Sprint.
func (f Fields) Text(name string) (string, bool) {
	value, ok := f[name]
	if !ok || value == nil {
		return "", false
	}
	if text, isText := value.(string); isText {
		return text, true
	}
	return fmt.Sprint(value), true
}

// Int returns the whole number in the named field, or 0.
func (f Fields) Int(name string) int {
	switch n := f[name].(type) {
	case int:
		return n
	case int64:
		return int(n)
	case float64:
		return int(n)
	}
	return 0
}

// Whole returns the number in a field, or 0 if the field is not set, and whether it is a whole
// number within the bounds.
func (f Fields) Whole(field string, lowest, highest int64) (int64, bool) {
	var n int64
	switch v := f[field].(type) {
	case nil:
		return 0, true
	case int:
		n = int64(v)
	case int64:
		n = v
	case uint64:
		if v > math.MaxInt64 {
			return 0, false
		}
		n = int64(v)
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, false
		}
		n = int64(v)
	default:
		return 0, false
	}
	return n, n >= lowest && n <= highest
}

// Shown returns the value of the named field for an error text. A string is shown in quotes, since
// it can look like a valid number.
func (f Fields) Shown(field string) string {
	if text, isText := f[field].(string); isText {
		return fmt.Sprintf("the string %.100q (remove the quotes)", text)
	}
	return fmt.Sprintf("%.100s", fmt.Sprint(f[field]))
}

// Bool returns the boolean in the named field, or false.
func (f Fields) Bool(name string) bool {
	b, _ := f[name].(bool)
	return b
}

// settings are the fields of the connection, each checked alone. A zero duration is not set.
type settings struct {
	url, kind, master                     string
	clientName                            *string
	username, password                    string
	sentinelUsername, sentinelPassword    string
	tls                                   bool
	poolSize, minIdle                     int
	wait, dialTimeout, readTimeout, write time.Duration
}

func readSettings(f Fields, p *Problems) settings {
	text := func(name string) string {
		value, _ := f.Text(name)
		return value
	}
	s := settings{
		url: text(fieldURL), kind: text(fieldKind), master: text(fieldMaster),
		username: text(fieldUsername), password: text(fieldPassword),
		sentinelUsername: text(fieldSentinelUsername), sentinelPassword: text(fieldSentinelPassword),
		tls: f.Object(fieldTLS).Bool("enabled"),
	}
	if name, ok := f.Text(fieldClientName); ok {
		s.clientName = &name
		checkClientName(fieldClientName, name, p)
	}
	for _, name := range []string{fieldPassword, fieldSentinelPassword} {
		checkSecret(name, f[name], p)
	}
	pool := f.Object(fieldPool)
	s.poolSize = readPoolNumber(pool, fieldPoolSize, p)
	s.minIdle = readPoolNumber(pool, fieldPoolMinIdle, p)
	if s.poolSize > 0 && s.minIdle > s.poolSize {
		p.Add(fieldPool+"."+fieldPoolMinIdle, "%d is more than %s.%s, which is %d: lower %s or raise %s",
			s.minIdle, fieldPool, fieldPoolSize, s.poolSize, fieldPoolMinIdle, fieldPoolSize)
	}
	s.wait = readDuration(pool, fieldPoolWait, fieldPool+"."+fieldPoolWait, p)
	s.dialTimeout = readDuration(f, fieldDialTimeout, fieldDialTimeout, p)
	s.readTimeout = readDuration(f, fieldReadTimeout, fieldReadTimeout, p)
	s.write = readDuration(f, fieldWriteTimeout, fieldWriteTimeout, p)
	return s
}

func readPoolNumber(pool Fields, name string, p *Problems) int {
	n := pool.Int(name)
	checkPoolNumber(fieldPool+"."+name, "", n, p)
	return n
}

// leastTimeout is shorter than the reply time of any server.
const leastTimeout = time.Millisecond

// maxPool is the number of connections that one client address can have to one server port.
const maxPool = 65535

func checkPoolNumber(field, what string, n int, p *Problems) {
	switch {
	case n < 0:
		p.Add(field, "%smust not be negative, and is %d: use 0 for the default", what, n)
	case n > maxPool:
		p.Add(field, "%sis %d, which is more than %d: lower it", what, n, maxPool)
	}
}

func readDuration(f Fields, name, path string, p *Problems) time.Duration {
	value, ok := f.Text(name)
	if !ok {
		return 0
	}
	d, err := ParsePositiveDuration(path, value)
	p.AddErr(err)
	p.AddShort(path, d, leastTimeout)
	return d
}

// checkClientName rejects the names that Redis rejects.
func checkClientName(field, name string, p *Problems) {
	if strings.ContainsFunc(name, func(r rune) bool { return r < '!' || r > '~' }) {
		p.Add(field, "Redis allows no spaces, line breaks or special characters in %q: use printable ASCII", name)
	}
}

// WholeField returns a field for a whole number. It is declared with any type: the engine truncates
// fractions in a number field before a check can reject them, and with a string in a number field
// the linter does not run the component's own check. Check the field with [Fields.Whole], and read
// it with [Whole].
func WholeField(name string) *service.ConfigField { return service.NewAnyField(name) }

// Whole returns the number in a checked [WholeField], or 0.
func Whole(conf *service.ParsedConfig, path ...string) (int, error) {
	value, err := conf.FieldAny(path...)
	if err != nil {
		return 0, err
	}
	n, _ := Fields{"": value}.Whole("", math.MinInt64, math.MaxInt64)
	return int(n), nil
}

// Size returns the number of bytes in a field, at least 1. "1MB" is 1,000,000 bytes and "1MiB" is
// 1,048,576. The error names the field and the remedy.
func Size(conf *service.ParsedConfig, path ...string) (int64, error) {
	value, err := conf.FieldString(path...)
	if err != nil {
		return 0, err
	}
	return ParseSize(strings.Join(path, "."), value)
}

// PositiveDuration returns the duration in a field, which must be above zero. The error names the
// field and the remedy.
func PositiveDuration(conf *service.ParsedConfig, path ...string) (time.Duration, error) {
	value, err := conf.FieldString(path...)
	if err != nil {
		return 0, err
	}
	return ParsePositiveDuration(strings.Join(path, "."), value)
}

// ParseSize is [Size] for a value that has been read.
func ParseSize(field, value string) (int64, error) {
	n, err := humanize.ParseBytes(strings.TrimSpace(value))
	if err != nil {
		return 0, fmt.Errorf(
			"%s: %q is not a size: use a number of bytes, with or without a unit, such as 65536, 512KiB or 1MB",
			field,
			value,
		)
	}
	if n == 0 {
		return 0, fmt.Errorf("%s: must be greater than zero, and is %q: use a size such as 1MB", field, value)
	}
	if n > math.MaxInt64 {
		return 0, fmt.Errorf("%s: %q is too large: use a size such as 1MB", field, value)
	}
	return int64(n), nil
}

// ParsePositiveDuration is [PositiveDuration] for a value that has been read.
func ParsePositiveDuration(field, value string) (time.Duration, error) {
	d, err := time.ParseDuration(value)
	if err != nil {
		return 0, fmt.Errorf(
			"%s: %q is not a duration: use a number with a unit, such as 500ms, 5s or 2m",
			field,
			value,
		)
	}
	if d <= 0 {
		return 0, fmt.Errorf("%s: must be greater than zero, and is %q: use a duration such as 5s", field, value)
	}
	return d, nil
}
