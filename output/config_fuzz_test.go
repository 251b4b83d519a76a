package output

import (
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// fuzzFields are the fields that get a fuzzed value.
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

// With any value of any field, neither the linter nor the constructor panics. The constructor
// accepts what the linter accepts. An error names the field and does not show the password.
func FuzzFields(f *testing.F) {
	for i := range fuzzFields {
		for _, value := range []string{
			"''", "x", "-1", "0", "1.5", "1e30", "9223372036854775807", "18446744073709551615",
			"1s", "-1ns", "9999999h",
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
		// other fields and the engine's variables
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
		if err != nil { // an error of the engine
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
