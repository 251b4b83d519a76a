package input

import (
	"strings"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
)

// lint returns the lints of the input's fields.
func lint(t *testing.T, fields string) string {
	t.Helper()
	text := "rafka:\n  " + strings.ReplaceAll(strings.TrimSpace(fields), "\n", "\n  ") + "\n"
	lints, err := service.GlobalEnvironment().NewComponentConfigLinter().LintInputYAML([]byte(text))
	require.NoError(t, err)
	var all []string
	for _, l := range lints {
		all = append(all, l.Error())
	}
	return strings.Join(all, "\n")
}

// construct parses the fields like the constructor.
func construct(t *testing.T, fields string) (*settings, error) {
	t.Helper()
	conf, err := spec().ParseYAML(fields, nil)
	if err != nil {
		return nil, err
	}
	return parse(conf)
}

const (
	local   = "url: redis://localhost:6379\n"
	minimal = local + "stream_name: orders\nconsumer_group: billing\n"
)

func TestLinterAndConstructorRejectWrongFields(t *testing.T) {
	tomorrow := "'" + time.Now().Add(24*time.Hour).Format(time.RFC3339) + "'"
	const name, group = "stream_name: orders\n", "consumer_group: billing\n"
	long := strings.Repeat("x", keys.MaxName+1)
	// Both the lint and the error contain the field and parts of the remedy.
	for what, c := range map[string]struct {
		fields string
		want   string // parts of the text, separated by bars
	}{
		"stream name missing": {local + group, "stream_name"},
		"stream name empty": {
			local + group + "stream_name: ''",
			"stream_name | set it to the name of the topic",
		},
		"stream name blank": {
			local + group + "stream_name: '  '",
			"stream_name | set it to the name of the topic",
		},
		"stream name open brace":  {local + group + "stream_name: 'a{b'", "stream_name | hash tag"},
		"stream name close brace": {local + group + "stream_name: 'a}b'", "stream_name | hash tag"},
		"stream name two tags":    {local + group + "stream_name: '{a}{b}'", "stream_name | hash tag"},
		"stream name empty tag":   {local + group + "stream_name: 'a{}'", "stream_name | hash tag"},
		"stream name control":     {local + group + "stream_name: \"a\\nb\"", "stream_name | control characters"},
		"group missing":           {local + name, "consumer_group"},
		"group empty":             {local + name + "consumer_group: ''", "consumer_group | set it to a name"},
		"group blank":             {local + name + "consumer_group: ' '", "consumer_group | set it to a name"},
		"group control": {
			local + name + "consumer_group: \"a\\tb\"",
			"consumer_group | control characters",
		},
		"name control": {minimal + "consumer_name: \"a\\tb\"", "consumer_name | remove them"},
		"stream name too long": {
			local + group + "stream_name: " + long,
			"stream_name | 250 characters: use 249 at most",
		},
		"group too long": {
			local + name + "consumer_group: " + long,
			"consumer_group | 250 characters: use 249 at most",
		},
		"name too long": {
			minimal + "consumer_name: " + long,
			"consumer_name | 250 characters: use 249 at most",
		},
		"instance too long": {
			minimal + "instance_id: " + long,
			"instance_id | 250 characters: use 249 at most",
		},
		"stream name bidi": {
			local + group + "stream_name: \"a\\u202eb\"",
			"stream_name | U+202E | remove it",
		},
		"group of no width": {
			local + name + "consumer_group: \"a\\u200bb\"",
			"consumer_group | U+200B | remove it",
		},
		"name bidi":             {minimal + "consumer_name: \"a\\u2066b\"", "consumer_name | U+2066 | remove it"},
		"instance of no width":  {minimal + "instance_id: \"a\\ufeffb\"", "instance_id | U+FEFF | remove it"},
		"instance control":      {minimal + "instance_id: \"a\\tb\"", "instance_id | remove them"},
		"instance with a slash": {minimal + "instance_id: a/b", "instance_id | slash | remove it"},
		"start nonsense": {
			minimal + "start_offset: yesterday",
			"start_offset | use earliest, latest, a time such as",
		},
		"start empty":         {minimal + "start_offset: ''", "start_offset | use earliest, latest"},
		"start letter case":   {minimal + "start_offset: Latest", "start_offset | use earliest, latest"},
		"start a date":        {minimal + "start_offset: '2026-01-31'", "start_offset | 2026-01-31T08:00:00Z"},
		"start half an ID":    {minimal + "start_offset: '12-'", "start_offset | 1767225600000-0"},
		"start in the future": {minimal + "start_offset: " + tomorrow, "start_offset | future | use latest"},
		"start ID in the future": {
			minimal + "start_offset: 99999999999999-0",
			"start_offset | future | use latest",
		},
		"start before 1970": {
			minimal + "start_offset: '1969-12-31T23:59:59Z'",
			"start_offset | 1970 | use earliest",
		},
		"delete in a consumer group": {
			minimal + "delete_on_ack: true",
			"delete_on_ack | remove it, or set group_type to share | max_length",
		},
		"heartbeat too long": {
			minimal + "heartbeat_interval: 4s",
			"heartbeat_interval | third of session | 3.333333333s or less",
		},
		"heartbeat too long for a short session": {
			minimal + "session_timeout: 6s\nheartbeat_interval: 3s",
			"heartbeat_interval | 2s or less | lengthen session_timeout",
		},
		"session too short":   {minimal + "session_timeout: 500ms", "session_timeout | 1s or more"},
		"session no duration": {minimal + "session_timeout: 10", "session_timeout | number with a unit"},
		"session in days":     {minimal + "session_timeout: 1d", "session_timeout | number with a unit"},
		"heartbeat no duration": {
			minimal + "heartbeat_interval: often",
			"heartbeat_interval | number with a unit",
		},
		"heartbeat zero":         {minimal + "heartbeat_interval: 0s", "heartbeat_interval | greater than zero"},
		"commit period zero":     {minimal + "commit_period: 0s", "commit_period | greater than zero"},
		"commit period negative": {minimal + "commit_period: -1s", "commit_period | greater than zero"},
		"rebalance no duration":  {minimal + "rebalance_timeout: x", "rebalance_timeout | number with a unit"},
		"metadata period zero": {
			minimal + "metadata_refresh_period: 0s",
			"metadata_refresh_period | greater than zero",
		},
		"lag period no duration": {minimal + "lag_refresh_period: '5'", "lag_refresh_period | number with a unit"},
		"batch size zero":        {minimal + "batch_size: 0", "batch_size: is 0: set it to a whole number from 1"},
		"batch size negative":    {minimal + "batch_size: -1", "batch_size | whole number from 1"},
		"batch size fraction": {
			minimal + "batch_size: 1.5",
			"batch_size: is 1.5: set it to a whole number from 1",
		},
		"heartbeat too short": {
			minimal + "heartbeat_interval: 10ms",
			"heartbeat_interval: is 10ms: set it to 100ms or more",
		},
		"metadata too often": {
			minimal + "metadata_refresh_period: 1ms",
			"metadata_refresh_period: is 1ms: set it to 100ms or more",
		},
		"lag too often": {
			minimal + "lag_refresh_period: 99ms",
			"lag_refresh_period: is 99ms: set it to 100ms or more",
		},
		"commits too often": {minimal + "commit_period: 1ms", "commit_period: is 1ms: set it to 10ms or more"},
		"batch size in quotes": {
			minimal + "batch_size: '500'",
			"batch_size: is the string \"500\" (remove the quotes): set it to a whole",
		},
		"batch size text": {minimal + "batch_size: many", "batch_size | whole number from 1"},
		"batch size huge": {minimal + "batch_size: 99999999999", "batch_size | whole number from 1"},
		"checkpoint zero": {
			minimal + "checkpoint_limit: 0",
			"checkpoint_limit | from 1",
		},
		"distance zero": {
			minimal + "max_ahead: 0",
			"max_ahead | from 1",
		},
		"checkpoint limit fraction": {
			minimal + "checkpoint_limit: 2.5",
			"checkpoint_limit | whole number",
		},
		"share by key":         {minimal + "group_type: share\nordering: key", "ordering | keeps no order"},
		"share start group":    {minimal + "group_type: share\nstart_offset: group", "start_offset | remove it"},
		"share that fails":     {minimal + "group_type: share\non_data_loss: fail", "on_data_loss | reads on"},
		"ordering unknown":     {minimal + "ordering: customer", "ordering | partition, key, none"},
		"ordering letter case": {minimal + "ordering: KEY", "ordering | lower case"},
		"order key empty":      {minimal + "ordering: key\norder_key: ''", "order_key | is empty"},
		"buffer no size":       {minimal + "partition_buffer_bytes: lots", "partition_buffer_bytes | 512KiB"},
		"buffer zero": {
			minimal + "partition_buffer_bytes: '0'",
			"partition_buffer_bytes | greater than zero",
		},
		"buffer negative":          {minimal + "partition_buffer_bytes: '-1'", "partition_buffer_bytes | 512KiB"},
		"fetch max no size":        {minimal + "fetch_max_bytes: 5 apples", "fetch_max_bytes | 512KiB"},
		"fetch max zero":           {minimal + "fetch_max_bytes: 0MB", "fetch_max_bytes | greater than zero"},
		"on data loss unknown":     {minimal + "on_data_loss: ignore", "on_data_loss | continue | fail"},
		"on data loss letter case": {minimal + "on_data_loss: FAIL", "on_data_loss | continue, fail | lower case"},
		"body key taken":           {minimal + "body_key: rafka_key", "body_key | another name"},
		"body key of traces":       {minimal + "body_key: traceparent", "body_key | another name"},
		"kind wrong":               {minimal + "kind: sentinel", "kind | simple | cluster | failover"},
		"kind letter case":         {minimal + "kind: CLUSTER", "kind | lower case"},
		"url scheme":               {"url: http://localhost\n" + name + group, "url | redis://"},
		"url missing":              {name + group, "url"},
		"url empty":                {"url: ''\n" + name + group, "url | redis://localhost:6379"},
	} {
		t.Run(what, func(t *testing.T) {
			lints := lint(t, c.fields)
			_, err := construct(t, c.fields)
			require.Error(t, err)
			for text := range strings.SplitSeq(c.want, " | ") {
				assert.Contains(t, lints, text, "lint")
				assert.ErrorContains(t, err, text)
			}
		})
	}
}

// The constructor never receives unknown fields, so the linter must reject them.
func TestLinterRejectsUnknownFields(t *testing.T) {
	assert.Contains(t, lint(t, minimal+"batch_sise: 3"), "batch_sise")
	assert.Contains(t, lint(t, minimal+"pool: {limit: 3}"), "limit")
}

// The linter does not convert types, so the constructor must reject values that can't be converted.
func TestConstructorRejectsFieldsOfTheWrongType(t *testing.T) {
	for field, value := range map[string]string{
		"batch_size": "ten", "auto_replay_nacks": "perhaps", "checkpoint_limit": "lots",
		"stream_name": "[a, b]",
	} {
		_, err := construct(t, local+"consumer_group: g\n"+field+": "+value+"\n"+name(field))
		require.ErrorContains(t, err, field)
	}
}

func name(field string) string {
	if field == "stream_name" {
		return ""
	}
	return "stream_name: orders"
}

func TestAllProblemsAreReportedTogether(t *testing.T) {
	_, err := construct(t, minimal+"batch_size: 0\nstart_offset: x\ncommit_period: 0s")
	require.ErrorContains(t, err, "batch_size")
	require.ErrorContains(t, err, "start_offset")
	require.ErrorContains(t, err, "commit_period")
}

func TestGoodFieldsPassLinterAndConstructor(t *testing.T) {
	for what, fields := range map[string]string{
		"minimal":           minimal,
		"latest":            minimal + "start_offset: latest",
		"a time":            minimal + "start_offset: '2026-01-31T08:00:00Z'",
		"a time elsewhere":  minimal + "start_offset: '2024-01-31T08:00:00.5+02:00'",
		"1970":              minimal + "start_offset: '1970-01-01T00:00:00Z'",
		"an ID":             minimal + "start_offset: 1767225600000-7",
		"half an ID":        minimal + "start_offset: '1767225600000'",
		"tagged name":       local + "stream_name: '{tenant}:orders'\nconsumer_group: g",
		"name like a split": local + "stream_name: orders:1\nconsumer_group: g",
		"group with braces": local + "stream_name: orders\nconsumer_group: 'a:{b}%'",
		"long session":      minimal + "session_timeout: 1m\nheartbeat_interval: 20s",
		"short session":     minimal + "session_timeout: 1s",
		"single messages":   minimal + "batch_size: 1",
		"unordered":         minimal + "ordering: none\ncheckpoint_limit: 1",
		"by key":            minimal + "ordering: key\norder_key: customer",
		"sizes":             minimal + "partition_buffer_bytes: 64KiB\nfetch_max_bytes: 1000000",
		"loss fails":        minimal + "on_data_loss: fail",
		"objects":           minimal + "body_key: ''",
		"static":            minimal + "instance_id: orders-0",
		"named":             minimal + "consumer_name: worker 1\nauto_replay_nacks: false",
		"cluster":           "url: redis://a:1,redis://b:2\nkind: cluster\nstream_name: orders\nconsumer_group: g",
		"embedded":          "url: embedded://demo\nstream_name: orders\nconsumer_group: g",
	} {
		t.Run(what, func(t *testing.T) {
			assert.Empty(t, lint(t, fields))
			_, err := construct(t, fields)
			require.NoError(t, err)
		})
	}
}

func TestExamplesOfTheSpecPassTheLinter(t *testing.T) {
	view, ok := service.GlobalEnvironment().GetInputConfig("rafka")
	require.True(t, ok)
	data, err := view.TemplateData()
	require.NoError(t, err)
	require.NotEmpty(t, data.Examples)
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	for _, example := range data.Examples {
		lints, err := linter.LintYAML([]byte(example.Config))
		require.NoError(t, err)
		for _, l := range lints { // this package registers no outputs
			assert.Contains(t, l.Error(), "unable to infer component type", example.Title)
		}
	}
}
