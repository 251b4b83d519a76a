//go:build ledger

package ledger

import (
	"encoding/json"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/stretchr/testify/require"
)

// sessionTimeout is the session timeout of all consumers. The group notices a dead member within
// one more second.
const sessionTimeout = 3 * time.Second

// connection describes how processes connect to Redis.
type connection struct {
	URL, Kind string
	Master    string // for kind failover
}

// route describes where messages are written and read.
type route struct {
	connection
	Topic      string
	Partitions int // 0: a plain stream
	Group      string
}

// generator is a producer of numbered messages at a constant rate: one batch every ten
// milliseconds. It uses its keys in turn, so every batch goes to many partitions.
type generator struct {
	route
	Before    int64 // the number before the first one
	Keys      []string
	PerSecond int
	Count     int // number of messages; 0: unlimited
	Book      string
	Metrics   string        // the address of the metrics; "": disabled
	Timeout   time.Duration // read_timeout; 0: the default
}

// messageText is the format of all messages.
const messageText = "message %d, which is about as long as a line of a log is in practice, " +
	"so that buffers fill as they do there"

func (generator) Text() string { return messageText }
func (g generator) Batch() int { return g.PerSecond / 100 }

func (g generator) KeyList() (string, error) {
	list, err := json.Marshal(g.Keys)
	return string(list), err
}

// httpConfig is the head of every configuration. Only some processes serve metrics.
const httpConfig = `
http: {enabled: {{ne .Metrics ""}}, address: '{{.Metrics}}'}
logger: {add_timestamp: true}
`

// The generator has one counter, in its mapping: messages that the engine replays keep their
// numbers. The numbers that rafka has acknowledged go to the ack log.
var generatorConfig = parse("generated", httpConfig+`
input:
  generate:
    interval: 10ms
    batch_size: {{.Batch}}
    count: {{.Count}}
    mapping: |
      let line = {{.Before}} + counter()
      let keys = {{.KeyList}}
      root = "{{.Text}}".format($line)
      meta line = $line
      meta client = $keys.index($line % {{len .Keys}})
output:
  broker:
    pattern: fan_out_sequential
    outputs:
      - rafka:
          url: '{{.URL}}'
          kind: {{.Kind}}
          master: '{{.Master}}'
          stream_name: {{.Topic}}
          {{- if .Partitions}}
          partitions: {{.Partitions}}
          {{- end}}
          key: ${! @client }
          metadata: {exclude_prefixes: [client]}
          max_in_flight: 1
          {{- if .Timeout}}
          read_timeout: {{.Timeout}}
          {{- end}}
      - file:
          path: {{.Book}}
          codec: lines
        processors:
          - mapping: root = @line.string()
`)

// lines is a producer of the lines of a file.
type lines struct {
	route
	Path string
	Key  string // a mapping from line to key
}

const (
	firstField = `content().string().split(" ").index(0)`
	wholeLine  = `content().string()`
)

var linesConfig = parse("lines", `
http: {enabled: false}
input:
  file:
    paths: ['{{.Path}}']
    scanner: {lines: {}}
  processors: # on one goroutine, in the order of the file
    - mapping: |
        meta = {"line": counter(), "client": {{.Key}}}
output:
  rafka:
    url: '{{.URL}}'
    kind: {{.Kind}}
    master: '{{.Master}}'
    stream_name: {{.Topic}}
    partitions: {{.Partitions}}
    key: ${! @client }
    metadata: {exclude_prefixes: [client]}
    max_in_flight: 1
    batching: {count: 100, period: 20ms}
`)

// groupKind is the kind of a group, and the prefix of its violations.
type groupKind string

const (
	consumerGroup groupKind = ""
	shareGroup    groupKind = "share group: "
)

// consumer is a member of a group that writes a ledger.
type consumer struct {
	route
	Name      string
	Ledger    string
	BatchSize int
	Threads   int
	Work      time.Duration // for each batch
	FirstWork time.Duration // for the first message of each thread; 0: the same as Work
	Metrics   string        // the address of the metrics; "": disabled
	Session   time.Duration

	// Fields of the input; "" and 0: the default.
	GroupType, Ordering string
	CheckpointLimit     int
	DeadLetter          string // in the flow style of YAML

	// Mappings that are true for messages that make the process exit, and for messages that are
	// rejected; "": no messages.
	Crashes, Fails string

	Sink string // the URL to which the records are written instead of Ledger; "": none
}

// kind returns the kind of the group.
func (c consumer) kind() groupKind {
	if c.GroupType == "share" {
		return shareGroup
	}
	return consumerGroup
}

// The time is recorded when a batch is read; the slow processors follow later.
var consumerConfig = parse("consumer", httpConfig+`
input:
  rafka:
    url: '{{.URL}}'
    kind: {{.Kind}}
    master: '{{.Master}}'
    stream_name: {{.Topic}}
    consumer_group: {{.Group}}
    consumer_name: {{.Name}}
    session_timeout: {{.Session}}
    batch_size: {{.BatchSize}}
    {{- with .GroupType}}
    group_type: {{.}}
    {{- end}}
    {{- with .Ordering}}
    ordering: {{.}}
    {{- end}}
    {{- with .CheckpointLimit}}
    checkpoint_limit: {{.}}
    {{- end}}
    {{- with .DeadLetter}}
    dead_letter: {{.}}
    {{- end}}
  processors:
    - mapping: |
        meta read = timestamp_unix_nano()
pipeline:
  threads: {{.Threads}}
  processors:
    - sleep:
        duration: >-
          ${! {{if .FirstWork}}if counter() == 1 { "{{.FirstWork}}" } else {{end -}}
          if batch_index() == 0 { "{{.Work}}" } else { "0s" } }
    {{- with .Crashes}}
    - switch:
        - check: '{{.}}'
          processors: [{command: {name: sh, args_mapping: '["-c", "kill -9 $PPID"]'}}]
    {{- end}}
    {{- with .Fails}}
    - mapping: 'root = if {{.}} { throw("this message always fails") }'
    {{- end}}
    - mapping: |
        root = {
          "line": @line.number(),
          "key": @rafka_key,
          {{- if not .Sink}}
          "text": content().encode("base64"),
          {{- end}}
          "partition": @rafka_partition,
          "offset": @rafka_offset,
          "deliveries": @rafka_delivery_count,
          "read": @read
        }
output:
  {{- if .Sink}}
  http_client: {url: '{{.Sink}}', retries: 0, timeout: 24h}
  processors:
    - archive: {format: lines}
  {{- else}}
  {{if .Fails}}reject_errored: {{end}}{file: {path: '{{.Ledger}}', codec: lines}}
  {{- end}}
`)

func parse(name, text string) *template.Template {
	return template.Must(template.New(name).Option("missingkey=error").Parse(text))
}

func render(t testing.TB, config *template.Template, values any) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, config.Execute(&text, values))
	return text.String()
}
