package output

import (
	"strings"
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lint returns the linter's result for the output's fields.
func lint(t *testing.T, fields string) string {
	t.Helper()
	text := "rafka:\n" + indent(fields)
	lints, err := service.GlobalEnvironment().NewComponentConfigLinter().LintOutputYAML([]byte(text))
	require.NoError(t, err)
	var all []string
	for _, l := range lints {
		all = append(all, l.Error())
	}
	return strings.Join(all, "\n")
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n  ") + "\n"
}

// construct parses the fields as the constructor does.
func construct(t testing.TB, fields string) (*settings, error) {
	t.Helper()
	conf, err := spec().ParseYAML(fields, nil)
	if err != nil {
		return nil, err
	}
	return parse(conf)
}

const minimal = "url: redis://localhost:6379\nstream_name: orders\n"

func TestLinterAndConstructorRejectWrongFields(t *testing.T) {
	// Both the lint and the error contain each text: the field, and a word of the remedy.
	for name, c := range map[string]struct {
		fields string
		says   []string
	}{
		"stream name missing": {"url: redis://localhost:6379", []string{"stream_name"}},
		"stream name empty": {
			"url: redis://localhost:6379\nstream_name: ''",
			[]string{"stream_name", "set it to the name of the topic"},
		},
		"stream name blank": {
			"url: redis://localhost:6379\nstream_name: ' '",
			[]string{"stream_name", "set it to the name of the topic"},
		},
		"stream name braces": {
			"url: redis://localhost:6379\nstream_name: 'a{b'",
			[]string{"stream_name", "hash tag"},
		},
		"stream name control": {
			"url: redis://localhost:6379\nstream_name: \"a\\tb\"",
			[]string{"stream_name", "control characters"},
		},
		"stream name too long": {
			"url: redis://localhost\nstream_name: " + strings.Repeat("x", 250),
			[]string{"use 249 at most"},
		},
		"stream name of no width": {
			"url: redis://localhost\nstream_name: \"a\\u200db\"",
			[]string{"stream_name", "U+200D", "remove it"},
		},
		"stream name like another": {
			"url: redis://localhost\nstream_name: a:1\npartitions: 3",
			[]string{"stream_name", "does not end in a colon"},
		},
		"partitions zero":     {minimal + "partitions: 0", []string{"partitions", "from 1 to 100000"}},
		"partitions negative": {minimal + "partitions: -1", []string{"partitions", "from 1 to 100000"}},
		"partitions fraction": {
			minimal + "partitions: 1.5",
			[]string{"partitions", "whole number from 1 to 100000"},
		},
		"partitions too many": {minimal + "partitions: 100001", []string{"partitions", "from 1 to 100000"}},
		"manual without partition": {
			minimal + "partitioner: manual",
			[]string{"partition:", "partitioner manual", "set it"},
		},
		"partition without manual": {minimal + "partition: '1'", []string{"partition:", "set partitioner to manual"}},
		"key with round robin": {
			minimal + "partitioner: round_robin\nkey: ${! @id }",
			[]string{"key:", "round_robin", "murmur2_hash"},
		},
		"partitioner unknown":     {minimal + "partitioner: sticky", []string{"partitioner", "murmur2_hash"}},
		"partitioner in capitals": {minimal + "partitioner: MURMUR2_HASH", []string{"partitioner", "lower case"}},
		"body key taken":          {minimal + "body_key: rafka_key", []string{"body_key", "another name"}},
		"message size wrong":      {minimal + "max_message_bytes: lots", []string{"max_message_bytes", "512KiB"}},
		"message size zero": {
			minimal + "max_message_bytes: '0'",
			[]string{"max_message_bytes", "greater than zero"},
		},
		"message size above Redis": {
			minimal + "max_message_bytes: 513MiB",
			[]string{"max_message_bytes", "use 512MiB or less"},
		},
		"max length fraction": {minimal + "max_length: 1.5", []string{"max_length", "whole number"}},
		"retries fraction":    {minimal + "max_retries: 0.5", []string{"max_retries", "whole number"}},
		"metadata list":       {minimal + "metadata: [a]", []string{"metadata", "exclude_prefixes"}},
		"metadata unknown": {
			minimal + "metadata: {include_prefixes: [a]}",
			[]string{"metadata.include_prefixes", "exclude_prefixes"},
		},
		"metadata text": {
			minimal + "metadata: {exclude_prefixes: a}",
			[]string{"metadata.exclude_prefixes", "list"},
		},
		"max length negative": {minimal + "max_length: -5", []string{"max_length", "0 for no limit"}},
		"max age wrong":       {minimal + "max_age: 1d", []string{"max_age", "number with a unit"}},
		"max age zero":        {minimal + "max_age: 0s", []string{"max_age", "greater than zero"}},
		"retries negative":    {minimal + "max_retries: -1", []string{"max_retries", "0 for no limit"}},
		"in flight zero":      {minimal + "max_in_flight: 0", []string{"max_in_flight", "from 1"}},
		"back-off wrong": {
			minimal + "backoff: {initial_interval: soon}",
			[]string{"backoff.initial_interval", "number with a unit"},
		},
		"back-off too short": {
			minimal + "backoff: {initial_interval: 1us}",
			[]string{"initial_interval: is 1µs: set it to 1ms or more"},
		},
		"partitions in quotes": {
			minimal + "partitions: '3'",
			[]string{`partitions: is the string "3" (remove the quotes)`},
		},
		"back-off upside down": {
			minimal + "backoff: {initial_interval: 10s, max_interval: 1s}",
			[]string{"initial_interval", "shorten"},
		},
		"back-off without end wrong": {
			minimal + "backoff: {max_elapsed_time: -1s}",
			[]string{"backoff.max_elapsed_time", "0s for no limit"},
		},
		"url wrong": {"url: http://localhost\nstream_name: orders", []string{"url", "redis://"}},
	} {
		t.Run(name, func(t *testing.T) {
			lints := lint(t, c.fields)
			_, err := construct(t, c.fields)
			require.Error(t, err)
			for _, text := range c.says {
				assert.Contains(t, lints, text, "lint")
				assert.ErrorContains(t, err, text)
			}
		})
	}
}

func TestGoodFieldsPassLinterAndConstructor(t *testing.T) {
	for name, fields := range map[string]string{
		"minimal":               minimal,
		"partitioned":           minimal + "partitions: 12\nkey: ${! @id }",
		"many partitions":       minimal + "partitions: 100000",
		"round robin":           minimal + "partitioner: round_robin",
		"round robin empty key": minimal + "partitioner: round_robin\nkey: ''",
		"manual with key":       minimal + "partitioner: manual\npartition: ${! @p }\nkey: ${! @id }",
		"interpolated name":     "url: redis://localhost:6379\nstream_name: orders-${! @region.or(\"{}\") }",
		"tagged name":           "url: redis://localhost:6379\nstream_name: '{tenant}:orders'",
		"plain stream by :1":    "url: redis://localhost:6379\nstream_name: orders:1",
		"object body":           minimal + "body_key: ''",
		"limits":                minimal + "max_length: 1000\nmax_age: 24h\nmax_message_bytes: 512MiB",
		"no limit on retries":   minimal + "max_retries: 0\nbackoff: {max_elapsed_time: 0s}",
		"metadata filter":       minimal + "metadata: {exclude_prefixes: [secret_]}",
		"batching":              minimal + "batching: {count: 100, period: 1s}",
	} {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, lint(t, fields))
			_, err := construct(t, fields)
			require.NoError(t, err)
		})
	}
}

// The linter converts no types, so only the constructor rejects these values.
func TestConstructorRejectsFieldsOfWrongType(t *testing.T) {
	for field, value := range map[string]string{
		"partitions": "ten", "max_length": "many", "max_retries": "often", "max_in_flight": "some",
		"idempotent_write": "perhaps",
	} {
		_, err := construct(t, minimal+field+": "+value)
		require.ErrorContains(t, err, field)
	}
}

func TestExamplesOfTheSpecPassTheLinter(t *testing.T) {
	view, ok := service.GlobalEnvironment().GetOutputConfig("rafka")
	require.True(t, ok)
	data, err := view.TemplateData()
	require.NoError(t, err)
	require.NotEmpty(t, data.Examples)
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	for _, example := range data.Examples {
		lints, err := linter.LintYAML([]byte(example.Config))
		require.NoError(t, err)
		assert.Empty(t, lints, example.Title)
	}
}
