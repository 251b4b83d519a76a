package input

import (
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// fuzzFields are the fields that receive fuzzed values.
var fuzzFields = []string{
	"stream_name",
	"consumer_group",
	"consumer_name",
	"instance_id",
	"start_offset",
	"batch_size",
	"partition_buffer_bytes",
	"fetch_max_bytes",
	"ordering", "order_key", "checkpoint_limit", "max_ahead",
	"commit_period",
	"session_timeout",
	"heartbeat_interval",
	"rebalance_timeout",
	"metadata_refresh_period",
	"lag_refresh_period",
	"body_key",
	"on_data_loss",
	"dead_letter",
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

// No value of a field causes a panic. The constructor accepts what the linter accepts. Its errors
// name the field and never contain the password.
func FuzzFields(f *testing.F) {
	for i := range fuzzFields {
		for _, value := range []string{
			"''", "x", "-1", "0", "1.5", "1e30", "9223372036854775807", "18446744073709551615",
			"1s", "-1ns", "9999999h",
			"1MB", "8EiB", "null", "true", "[a]", "{a: b}",
			"{stream_name: x, match: ['(']}", "{stream_name: orders}", "{match: x}", "{max_deliveries: [1]}",
			"{checkpoint_limit: 0}", "{checkpoint_limit: 9999999h}",
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
		if err != nil { // an error of the engine
			require.NotContains(t, err.Error(), secret)
			return
		}
		_, err = parse(conf)
		lints, lintErr := linter.LintInputYAML([]byte("rafka:\n  " + strings.ReplaceAll(fields, "\n", "\n  ")))
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
