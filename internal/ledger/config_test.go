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

// sessionTimeout is that of all consumers. A member that is gone is noticed within a second more.
const sessionTimeout = 3 * time.Second

// connection is how every process reaches Redis.
type connection struct {
	URL, Kind string
	Master    string // for kind failover
}

// route says where messages go and come from.
type route struct {
	connection
	Topic      string
	Partitions int
	Group      string
}

// generated is a producer of numbered messages at an even pace: one batch every ten milliseconds.
// It takes its keys in turn, so every batch touches many partitions.
type generated struct {
	route
	Before    int64 // the number before the first
	Keys      []string
	PerSecond int
	Book      string
	Metrics   string        // the address where it shows its metrics; "": nowhere
	Timeout   time.Duration // of reads; 0: the default
}

func (g generated) Batch() int { return g.PerSecond / 100 }

func (g generated) KeyList() (string, error) {
	list, err := json.Marshal(g.Keys)
	return string(list), err
}

// httpConfig is the head of every configuration. Some processes are asked for their metrics, and
// some are not.
const httpConfig = `
http: {enabled: {{ne .Metrics ""}}, address: '{{.Metrics}}'}
logger: {add_timestamp: true}
`

// The generator keeps one counter, in its own mapping: replays of the engine keep their number.
// What rafka has acknowledged goes to the entry book.
var generatedConfig = parse("generated", httpConfig+`
input:
  generate:
    interval: 10ms
    batch_size: {{.Batch}}
    mapping: |
      let line = {{.Before}} + counter()
      let keys = {{.KeyList}}
      root = "message %d, which is about as long as a line of a log is in real life, so that buffers fill as they do there".format($line)
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
          partitions: {{.Partitions}}
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

// consumer is a member of the group that writes a ledger.
type consumer struct {
	route
	Name      string
	Ledger    string
	BatchSize int
	Threads   int
	Work      time.Duration // for each batch
	Metrics   string        // the address where it shows its metrics; "": nowhere
}

func (consumer) Session() time.Duration { return sessionTimeout }

// The stamp is taken where a batch is read; what takes time comes after it.
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
  processors:
    - mapping: |
        meta read = timestamp_unix_nano()
pipeline:
  threads: {{.Threads}}
  processors:
    - sleep:
        duration: ${! if batch_index() == 0 { "{{.Work}}" } else { "0s" } }
    - mapping: |
        root = {
          "line": @line.number(),
          "key": @rafka_key,
          "text": content().encode("base64"),
          "partition": @rafka_partition,
          "offset": @rafka_offset,
          "deliveries": @rafka_delivery_count,
          "read": @read
        }
output:
  file:
    path: {{.Ledger}}
    codec: lines
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
