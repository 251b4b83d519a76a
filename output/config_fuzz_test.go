package output

import (
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// fuzzFields are fields that a fuzzed value is put into.
var fuzzFields = []string{
	"stream_name",
	"partitions",
	"partitioner",
	"key",
	"partition",
	"body_key",
	"metadata",
	"idempotent_write",
	"max_message_bytes",
	"max_length",
	"max_age",
	"max_retries",
	"backoff",
	"max_in_flight",
	"batching",
	"url",
	"kind",
	"master",
	"client_name",
	"username",
	"pool",
	"dial_timeout",
	"read_timeout",
	"write_timeout",
}

// Whatever value a field has, nobody panics; the constructor passes what the linter passes; what it
// refuses it names the field of, and it never shows the password beside it.
func FuzzFields(f *testing.F) {
	for i := range fuzzFields {
		for _, value := range []string{
			"''", "x", "-1", "0", "1.5", "1e30", "9223372036854775807", "18446744073709551615", "1s", "-1ns", "9999999h",
			"1MB", "8EiB", "null", "true", "[a]", "{a: b}",
			"{max_interval: 0}", "{max_interval: 9999999h}",
			"'${! @x }'", "'${! '", ".nan", "\"\\n\"", "!!binary aGk=", "&a [*a]", "2026-01-31", "rafka_key",
		} {
			f.Add(uint8(i), value)
		}
	}
	linter := service.GlobalEnvironment().NewComponentConfigLinter()
	f.Fuzz(func(t *testing.T, which uint8, value string) {
		field := fuzzFields[int(which)%len(fuzzFields)]
		// other fields, and the engine's variables
		if strings.ContainsAny(value, "\n\r#$") && !strings.Contains(value, "${!") {
			return
		}
		const secret = "hunter2"
		fields := "password: " + secret + "\n" + field + ": " + value + "\n"
		for line := range strings.Lines(minimal) {
			if !strings.HasPrefix(line, field+":") {
				fields = line + fields
			}
		}
		conf, err := spec().ParseYAML(fields, nil)
		if err != nil { // in the engine's own words
			require.NotContains(t, err.Error(), secret)
			return
		}
		_, err = parse(conf)
		lints, lintErr := linter.LintOutputYAML([]byte("rafka:\n  " + strings.ReplaceAll(fields, "\n", "\n  ")))
		for _, l := range lints {
			require.NotContains(t, l.Error(), secret)
		}
		if lintErr == nil && len(lints) == 0 {
			require.NoError(t, err, fields)
		}
		if err != nil {
			require.ErrorContains(t, err, field)
			require.NotContains(t, err.Error(), secret)
		}
	})
}
