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
	"github.com/rafka-streams/rafka/splits"
)

// lint returns what the linter says of the input's fields.
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

// construct parses the fields as the constructor does.
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

func TestWrongFieldsAreRefusedByLinterAndConstructor(t *testing.T) {
	tomorrow := "'" + time.Now().Add(24*time.Hour).Format(time.RFC3339) + "'"
	const name, group = "stream_name: orders\n", "consumer_group: billing\n"
	long := strings.Repeat("x", keys.MaxName+1)
	// Each text stands in both the lint and the error: the field, and words of the remedy.
	for what, c := range map[string]struct {
		fields string
		says   []string
	}{
		"stream name missing":     {local + group, []string{"stream_name"}},
		"stream name empty":       {local + group + "stream_name: ''", []string{"stream_name", "set it to the name of the topic"}},
		"stream name blank":       {local + group + "stream_name: '  '", []string{"stream_name", "set it to the name of the topic"}},
		"stream name open brace":  {local + group + "stream_name: 'a{b'", []string{"stream_name", "hash tag"}},
		"stream name close brace": {local + group + "stream_name: 'a}b'", []string{"stream_name", "hash tag"}},
		"stream name two tags":    {local + group + "stream_name: '{a}{b}'", []string{"stream_name", "hash tag"}},
		"stream name empty tag":   {local + group + "stream_name: 'a{}'", []string{"stream_name", "hash tag"}},
		"stream name control":     {local + group + "stream_name: \"a\\nb\"", []string{"stream_name", "control characters"}},
		"group missing":           {local + name, []string{"consumer_group"}},
		"group empty":             {local + name + "consumer_group: ''", []string{"consumer_group", "set it to a name"}},
		"group blank":             {local + name + "consumer_group: ' '", []string{"consumer_group", "set it to a name"}},
		"group control":           {local + name + "consumer_group: \"a\\tb\"", []string{"consumer_group", "control characters"}},
		"name control":            {minimal + "consumer_name: \"a\\tb\"", []string{"consumer_name", "remove them"}},
		"stream name too long":    {local + group + "stream_name: " + long, []string{"stream_name", "250 characters: use 249 at most"}},
		"group too long":          {local + name + "consumer_group: " + long, []string{"consumer_group", "250 characters: use 249 at most"}},
		"name too long":           {minimal + "consumer_name: " + long, []string{"consumer_name", "250 characters: use 249 at most"}},
		"instance too long":       {minimal + "instance_id: " + long, []string{"instance_id", "250 characters: use 249 at most"}},
		"stream name bidi":        {local + group + "stream_name: \"a\\u202eb\"", []string{"stream_name", "U+202E", "remove it"}},
		"group of no width":       {local + name + "consumer_group: \"a\\u200bb\"", []string{"consumer_group", "U+200B", "remove it"}},
		"name bidi":               {minimal + "consumer_name: \"a\\u2066b\"", []string{"consumer_name", "U+2066", "remove it"}},
		"instance of no width":    {minimal + "instance_id: \"a\\ufeffb\"", []string{"instance_id", "U+FEFF", "remove it"}},
		"instance control":        {minimal + "instance_id: \"a\\tb\"", []string{"instance_id", "remove them"}},
		"instance with a slash":   {minimal + "instance_id: a/b", []string{"instance_id", "slash", "remove it"}},
		"start nonsense":          {minimal + "start_offset: yesterday", []string{"start_offset", "use earliest, latest, a time such as"}},
		"start empty":             {minimal + "start_offset: ''", []string{"start_offset", "use earliest, latest"}},
		"start letter case":       {minimal + "start_offset: Latest", []string{"start_offset", "use earliest, latest"}},
		"start a date":            {minimal + "start_offset: '2026-01-31'", []string{"start_offset", "2026-01-31T08:00:00Z"}},
		"start half an ID":        {minimal + "start_offset: '12-'", []string{"start_offset", "1767225600000-0"}},
		"start in the future":     {minimal + "start_offset: " + tomorrow, []string{"start_offset", "future", "use latest"}},
		"start ID in the future":  {minimal + "start_offset: 99999999999999-0", []string{"start_offset", "future", "use latest"}},
		"start before 1970":       {minimal + "start_offset: '1969-12-31T23:59:59Z'", []string{"start_offset", "1970", "use earliest"}},
		"heartbeat too long":      {minimal + "heartbeat_interval: 4s", []string{"heartbeat_interval", "third of session", "3.333333333s or less"}},
		"heartbeat too long for a short session": {
			minimal + "session_timeout: 6s\nheartbeat_interval: 3s", []string{"heartbeat_interval", "2s or less", "lengthen session_timeout"},
		},
		"session too short":      {minimal + "session_timeout: 500ms", []string{"session_timeout", "1s or more"}},
		"session no duration":    {minimal + "session_timeout: 10", []string{"session_timeout", "number with a unit"}},
		"session in days":        {minimal + "session_timeout: 1d", []string{"session_timeout", "number with a unit"}},
		"heartbeat no duration":  {minimal + "heartbeat_interval: often", []string{"heartbeat_interval", "number with a unit"}},
		"heartbeat zero":         {minimal + "heartbeat_interval: 0s", []string{"heartbeat_interval", "greater than zero"}},
		"commit period zero":     {minimal + "commit_period: 0s", []string{"commit_period", "greater than zero"}},
		"commit period negative": {minimal + "commit_period: -1s", []string{"commit_period", "greater than zero"}},
		"rebalance no duration":  {minimal + "rebalance_timeout: x", []string{"rebalance_timeout", "number with a unit"}},
		"metadata period zero":   {minimal + "metadata_refresh_period: 0s", []string{"metadata_refresh_period", "greater than zero"}},
		"lag period no duration": {minimal + "lag_refresh_period: '5'", []string{"lag_refresh_period", "number with a unit"}},
		"batch size zero":        {minimal + "batch_size: 0", []string{"batch_size: is 0: set it to a whole number from 1"}},
		"batch size negative":    {minimal + "batch_size: -1", []string{"batch_size", "whole number from 1"}},
		"batch size fraction":    {minimal + "batch_size: 1.5", []string{"batch_size: is 1.5: set it to a whole number from 1"}},
		"heartbeat too short":    {minimal + "heartbeat_interval: 10ms", []string{"heartbeat_interval: is 10ms: set it to 100ms or more"}},
		"metadata too often":     {minimal + "metadata_refresh_period: 1ms", []string{"metadata_refresh_period: is 1ms: set it to 100ms or more"}},
		"lag too often":          {minimal + "lag_refresh_period: 99ms", []string{"lag_refresh_period: is 99ms: set it to 100ms or more"}},
		"commits too often":      {minimal + "commit_period: 1ms", []string{"commit_period: is 1ms: set it to 10ms or more"}},
		"batch size in quotes":   {minimal + "batch_size: '500'", []string{`batch_size: is the string "500" (remove the quotes): set it to a whole`}},
		"batch size text":        {minimal + "batch_size: many", []string{"batch_size", "whole number from 1"}},
		"batch size huge":        {minimal + "batch_size: 99999999999", []string{"batch_size", "whole number from 1"}},
		"checkpoint zero": {
			minimal + "unordered_processing: {checkpoint_limit: 0}", []string{"unordered_processing.checkpoint_limit", "from 1"},
		},
		"distance zero": {minimal + "unordered_processing: {max_ahead: 0}", []string{"unordered_processing.max_ahead", "from 1"}},
		"checkpoint limit fraction": {
			minimal + "unordered_processing: {checkpoint_limit: 2.5}", []string{"unordered_processing.checkpoint_limit", "whole number"},
		},
		"buffer no size":           {minimal + "partition_buffer_bytes: lots", []string{"partition_buffer_bytes", "512KiB"}},
		"buffer zero":              {minimal + "partition_buffer_bytes: '0'", []string{"partition_buffer_bytes", "greater than zero"}},
		"buffer negative":          {minimal + "partition_buffer_bytes: '-1'", []string{"partition_buffer_bytes", "512KiB"}},
		"fetch max no size":        {minimal + "fetch_max_bytes: 5 apples", []string{"fetch_max_bytes", "512KiB"}},
		"fetch max zero":           {minimal + "fetch_max_bytes: 0MB", []string{"fetch_max_bytes", "greater than zero"}},
		"on data loss unknown":     {minimal + "on_data_loss: ignore", []string{"on_data_loss", "continue", "fail"}},
		"on data loss letter case": {minimal + "on_data_loss: FAIL", []string{"on_data_loss", "continue, fail", "lower case"}},
		"body key taken":           {minimal + "body_key: rafka_key", []string{"body_key", "another name"}},
		"body key of traces":       {minimal + "body_key: traceparent", []string{"body_key", "another name"}},
		"kind wrong":               {minimal + "kind: sentinel", []string{"kind", "simple", "cluster", "failover"}},
		"kind letter case":         {minimal + "kind: CLUSTER", []string{"kind", "lower case"}},
		"url scheme":               {"url: http://localhost\n" + name + group, []string{"url", "redis://"}},
		"url missing":              {name + group, []string{"url"}},
		"url empty":                {"url: ''\n" + name + group, []string{"url", "redis://localhost:6379"}},
	} {
		t.Run(what, func(t *testing.T) {
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

// A field that is not there has to be caught by the linter: the constructor is never shown it.
func TestUnknownFieldIsRefusedByLinter(t *testing.T) {
	assert.Contains(t, lint(t, minimal+"batch_sise: 3"), "batch_sise")
	assert.Contains(t, lint(t, minimal+"unordered_processing: {limit: 3}"), "limit")
}

// The linter converts no types: what only the constructor can see is refused there.
func TestFieldsOfWrongTypeAreRefusedByConstructor(t *testing.T) {
	for field, value := range map[string]string{
		"batch_size": "ten", "auto_replay_nacks": "perhaps", "unordered_processing": "{enabled: sometimes}", "stream_name": "[a, b]",
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

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
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
		"unordered":         minimal + "unordered_processing: {enabled: true, checkpoint_limit: 1}",
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

func TestDefaults(t *testing.T) {
	s, err := construct(t, minimal)
	require.NoError(t, err)
	assert.Equal(t, "orders", s.topic)
	assert.Equal(t, "billing", s.group)
	assert.NotEmpty(t, s.name, "the name of the host")
	assert.Equal(t, "body", s.bodyKey)
	assert.Equal(t, splits.Config{
		TTL:             10 * time.Second,
		Heartbeat:       3 * time.Second,
		CommitEvery:     time.Second,
		SampleEvery:     5 * time.Second,
		DrainFor:        30 * time.Second,
		FetchWithin:     5 * time.Second,
		Start:           splits.Earliest(),
		BatchSize:       500,
		SplitBuffer:     1_000_000,
		FetchMax:        50_000_000,
		CheckpointLimit: 1024,
		MaxAhead:        1_000_000,
	}, s.consumer)
}

func TestSettingsAreParsed(t *testing.T) {
	s, err := construct(t, minimal+`
consumer_name: worker
instance_id: worker-0
start_offset: 1767225600000-7
batch_size: 7
partition_buffer_bytes: 64KiB
fetch_max_bytes: 1MB
unordered_processing: {enabled: true, checkpoint_limit: 99, max_ahead: 1234}
commit_period: 250ms
session_timeout: 1m
heartbeat_interval: 15s
rebalance_timeout: 5s
metadata_refresh_period: 20s
lag_refresh_period: 2s
body_key: payload
auto_replay_nacks: false
on_data_loss: fail
`)
	require.NoError(t, err)
	assert.Equal(t, "worker", s.name)
	assert.Equal(t, "worker-0", s.instance)
	assert.Equal(t, "payload", s.bodyKey)
	assert.Equal(t, splits.Config{
		TTL:         time.Minute,
		Heartbeat:   15 * time.Second,
		CommitEvery: 250 * time.Millisecond,
		SampleEvery: 2 * time.Second,
		DrainFor:    5 * time.Second,
		FetchWithin: 5 * time.Second,
		Start: splits.StartAt(
			splits.Offset{Millis: 1767225600000, Seq: 7},
		),
		BatchSize:       7,
		SplitBuffer:     64 << 10,
		FetchMax:        1_000_000,
		CheckpointLimit: 99,
		MaxAhead:        1234,
		Unordered:       true,
		SkipNacked:      true,
		FailOnLoss:      true,
	}, s.consumer)
}

func TestHeartbeatFollowsSessionAndMetadataRefresh(t *testing.T) {
	for fields, want := range map[string]time.Duration{
		"session_timeout: 3s":          time.Second,
		"session_timeout: 1h":          3 * time.Second,
		"metadata_refresh_period: 1s":  time.Second,
		"heartbeat_interval: 500ms":    500 * time.Millisecond,
		"metadata_refresh_period: 1h":  3 * time.Second,
		"session_timeout: 1s\nkind: 1": 0,
	} {
		s, err := construct(t, minimal+fields)
		if want == 0 {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, want, s.consumer.Heartbeat, fields)
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
		for _, l := range lints { // this package knows none of the outputs
			assert.Contains(t, l.Error(), "unable to infer component type", example.Title)
		}
	}
}
