package docs

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/proctest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

const layoutsPage = "docs/how-to/coming-from-redis-streams.md"

// layout is an entry as a program writes it, and the message that the documented mapping makes of it.
type layout struct {
	program string // the first cell of its row
	fields  []string
	body    string
	meta    map[string]any // some of the metadata
}

// frame is a message of faststream with a header. The first bytes are those of faststream's own tests.
const frame = "\x89BIN\x0d\x0a\x1a\x0a\x00\x01\x00\x00\x00\x12\x00\x00\x00\x34" +
	"\x00\x01\x00\x0ccontent-type\x00\x10application/json" + `{"n":1}`

var layouts = []layout{
	{
		"`redis_streams` of Connect and Bento",
		[]string{"body", "\xff\x00 raw", "source", "bento"},
		"\xff\x00 raw",
		map[string]any{"source": "bento"},
	},
	{
		"dapr",
		[]string{
			"data",
			`{"data":{"n":1},"datacontenttype":"application/json","id":"5","source":"orders","specversion":"1.0"}`,
			"metadata",
			`{"ttlInSeconds":"60"}`,
		},
		`{"n":1}`,
		map[string]any{"ttlInSeconds": "60"},
	},
	{"dapr", []string{"data", `{"data":"text","id":"5"}`}, "text", nil},
	{
		"watermill",
		[]string{
			"_watermill_message_uuid",
			"u-1",
			"metadata",
			"\x82\xa4name\xd9\x24" + strings.Repeat("x", 36) + "\xa5other\xa0",
			"payload",
			"\x00raw",
		},
		"\x00raw",
		map[string]any{"_watermill_message_uuid": "u-1", "name": strings.Repeat("x", 36), "other": ""},
	},
	{"watermill", []string{"_watermill_message_uuid", "u-2", "metadata", "", "payload", "p"}, "p", nil},
	{
		"faststream 0.6 and newer",
		[]string{"__data__", frame},
		`{"n":1}`,
		map[string]any{"content-type": "application/json"},
	},
	{
		"faststream 0.6 and newer",
		[]string{"__data__", "\x89BIN\x0d\x0a\x1a\x0a\x00\x01\x00\x00\x00\x12\x00\x00\x00\x14\x00\x00hello"},
		"hello", nil,
	},
	{
		"faststream before 0.6",
		[]string{"__data__", `{"data":"hello","headers":{"correlation_id":"c"}}`},
		"hello",
		map[string]any{"correlation_id": "c"},
	},
	{"taskiq", []string{"data", `{"task_id":"t","args":[1]}`}, `{"task_id":"t","args":[1]}`, nil},
	{
		"Symfony Messenger",
		[]string{"message", `s:58:"{"body":"{\"n\":1}","headers":{"type":"App\\Message\\Order"}}";`},
		`{"n":1}`,
		map[string]any{"type": `App\Message\Order`},
	},
	{
		".NET CAP",
		[]string{"headers", `{"cap-msg-id":"7","cap-msg-name":"orders"}`, "body", `"eyJuIjoxfQ=="`},
		`{"n":1}`,
		map[string]any{"cap-msg-id": "7"},
	},
	{
		"Wolverine",
		[]string{"payload", "\x01\x02", "wolverine-id", "w"},
		"\x01\x02",
		map[string]any{"wolverine-id": "w"},
	},
	{
		"Debezium Server, compact",
		[]string{`{"id":1}`, `{"payload":{"op":"c"}}`},
		`{"payload":{"op":"c"}}`,
		map[string]any{"key": `{"id":1}`},
	},
	{
		"Debezium Server, extended",
		[]string{"key", `{"id":1}`, "value", `{"op":"c"}`, "__OP", "c"},
		`{"op":"c"}`,
		map[string]any{"key": `{"id":1}`, "__OP": "c"},
	},
	{"Maxwell", []string{"message", `{"type":"insert"}`}, `{"type":"insert"}`, nil},
	{
		"Spring, `ObjectRecord`",
		[]string{"_raw", "hello", "_class", "java.lang.String"},
		"hello",
		map[string]any{"_class": "java.lang.String"},
	},
	{
		"Prefect",
		[]string{"data", `{"event":"e"}`, "attributes", `{"level":"info"}`},
		`{"event":"e"}`,
		map[string]any{"level": "info"},
	},
	{
		"moleculer-channels",
		[]string{"payload", `{"n":1}`, "headers", `{"h":1}`},
		`{"n":1}`,
		map[string]any{"headers": `{"h":1}`},
	},
	{
		"nestjs-redis-streams",
		[]string{"correlationId", "c", "data", `{"n":1}`},
		`{"n":1}`,
		map[string]any{"correlationId": "c"},
	},
	{
		"OpenCTI",
		[]string{"type", `"create"`, "data", `{"id":"x"}`, "count", "3"},
		`{"type":"create","data":{"id":"x"},"count":3}`, nil,
	},
	{
		"Node, Python and others: flat fields",
		[]string{"sensor", "7", "temperature", "21.5"},
		`{"sensor":"7","temperature":21.5}`, nil,
	},
}

// documentedLayouts returns the body_key and the mapping of each row of the table, by its first cell.
func documentedLayouts(t *testing.T) (bodyKeys, mappings map[string]string) {
	t.Helper()
	page := document(t, layoutsPage)
	bodyKeys, mappings = map[string]string{}, map[string]string{}
	anchor := regexp.MustCompile(`\]\(#(.*)\)`)
	unwanted := regexp.MustCompile("[^a-z0-9 -]")
	sections := map[string]string{}
	for _, part := range strings.Split(page, "\n### ")[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		name := strings.ReplaceAll(unwanted.ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
		sections[name] = body
	}
	used := map[string]bool{}
	for _, row := range tableRows(t, page, "written by") {
		program := strings.TrimSpace(row[0])
		bodyKeys[program] = strings.Trim(row[2], " `\"")
		if found := anchor.FindStringSubmatch(row[3]); found != nil {
			all := blocks(sections[found[1]], "bloblang")
			require.Len(t, all, 1, found[1])
			mappings[program], used[found[1]] = all[0], true
		}
	}
	assert.Len(t, used, len(sections), "every mapping belongs to a row")
	return bodyKeys, mappings
}

func TestDocumentedMappingsDecodeTheLayouts(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	bodyKeys, mappings := documentedLayouts(t)
	tested := map[string]bool{}
	for _, l := range layouts {
		tested[l.program] = true
		require.Contains(t, bodyKeys, l.program)
		require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: l.fields}).Err())
		body, meta := decoded(t, server.URL(), bodyKeys[l.program], mappings[l.program])
		if json.Valid([]byte(l.body)) {
			assert.JSONEq(t, l.body, body, l.program)
		} else {
			assert.Equal(t, l.body, body, l.program)
		}
		for name, value := range l.meta {
			assert.Equal(t, value, meta[name], "%s: %s", l.program, name)
		}
		require.NoError(t, client.FlushAll(t.Context()).Err())
	}
	for program := range bodyKeys {
		assert.True(t, tested[program] || strings.HasSuffix(program, "JSON in one field"), program)
	}
}

// decoded reads the only entry of the stream orders, and returns what the mapping makes of it.
func decoded(t *testing.T, url, bodyKey, mapping string) (body string, meta map[string]any) {
	t.Helper()
	builder := service.NewStreamBuilder()
	require.NoError(t, builder.SetLoggerYAML("level: OFF"))
	input, err := json.Marshal(map[string]any{"rafka": map[string]any{
		"url": url, "stream_name": "orders", "consumer_group": "g", "body_key": bodyKey,
	}})
	require.NoError(t, err)
	require.NoError(t, builder.AddInputYAML(string(input)))
	if mapping != "" {
		quoted, err := json.Marshal(map[string]string{"mapping": mapping})
		require.NoError(t, err)
		require.NoError(t, builder.AddProcessorYAML(string(quoted)))
	}
	type message struct {
		text string
		meta map[string]any
		err  error
	}
	received := make(chan message, 1)
	require.NoError(t, builder.AddConsumerFunc(func(_ context.Context, m *service.Message) error {
		got := message{meta: map[string]any{}, err: m.GetError()}
		bytes, err := m.AsBytes()
		if got.text = string(bytes); got.err == nil {
			got.err = err
		}
		_ = m.MetaWalkMut(func(name string, value any) error {
			got.meta[name] = value
			return nil
		})
		received <- got
		return nil
	}))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan struct{})
	go func() { // joined below
		defer close(ended)
		_ = stream.Run(context.Background())
	}()
	defer func() { <-ended }()
	defer func() { _ = stream.StopWithin(proctest.Timeout) }()
	select {
	case got := <-received:
		assert.NoError(t, got.err, mapping)
		return got.text, got.meta
	case <-time.After(proctest.Timeout):
		t.Fatal("the input handed out nothing")
		return "", nil
	}
}
