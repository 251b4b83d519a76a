package acceptance

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// message is a message that was read, without the metadata that the input adds, except the key.
type message struct {
	body     string
	metadata map[string]any
}

func newMessage(t *testing.T, m *service.Message) message {
	t.Helper()
	body, err := m.AsBytes()
	assert.NoError(t, err)
	a := message{body: string(body), metadata: map[string]any{}}
	assert.NoError(t, m.MetaWalkMut(func(name string, value any) error {
		if name == broker.KeyField || !strings.HasPrefix(name, "rafka_") {
			a.metadata[name] = value
		}
		return nil
	}))
	return a
}

// collector collects the messages of a topic.
type collector struct {
	mu  sync.Mutex
	all []message
}

// startCollector reads the topic with an input with these fields.
func startCollector(t *testing.T, server *redistest.Server, fields string) *collector {
	t.Helper()
	o := &collector{}
	consumer(t, service.GlobalEnvironment(), func(_ context.Context, batch service.MessageBatch) error {
		o.mu.Lock()
		defer o.mu.Unlock()
		for _, m := range batch {
			o.all = append(o.all, newMessage(t, m))
		}
		return nil
	}, "url: "+server.URL(), "stream_name: orders\nconsumer_group: g\n"+fields)
	return o
}

// await waits until n messages have arrived.
func (o *collector) await(t *testing.T, n int) []message {
	t.Helper()
	count := func() int { o.mu.Lock(); defer o.mu.Unlock(); return len(o.all) }
	require.Eventually(
		t,
		func() bool { return count() >= n },
		2*time.Minute,
		5*time.Millisecond,
		"%d messages should arrive",
		n,
	)
	o.mu.Lock()
	defer o.mu.Unlock()
	require.Len(t, o.all, n)
	return o.all
}

// Strings are read as they were written; other types as their JSON, however Bloblang produced them.
func TestMetadataTypesAreConvertedAsDocumented(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	var send service.MessageBatchHandlerFunc
	run(t, service.GlobalEnvironment(), func(b *service.StreamBuilder) {
		var err error
		send, err = b.AddBatchProducerFunc()
		require.NoError(t, err)
		require.NoError(t, b.AddProcessorYAML(`
mapping: |
  root = content()
  meta text = "a <b> & \"c\""
  meta empty = ""
  meta bytes = "/wD+".decode("base64")
  meta int = -9007199254740993
  meta uint = "18446744073709551615".uint64()
  meta float = 1.5
  meta large = "1e300".number()
  meta yes = true
  meta none = null
  meta list = [1, "<x>", null]
  meta object = {"b": 1.0, "a": {"c": [true]}}
  meta time = "2020-08-14T11:45:26.371Z".ts_parse("2006-01-02T15:04:05Z07:00")
  meta body = "loses"
  meta traceparent = "loses"
  meta tracestate = "loses"
  meta rafka_key = "is not the key"
  meta rafka_own = "is not written"
`))
		require.NoError(t, b.AddOutputYAML(component("url: "+server.URL(), "stream_name: orders\nkey: ann")))
	})
	require.NoError(t, send(t.Context(), service.MessageBatch{service.NewMessage([]byte("x"))}))
	want := map[string]any{
		"rafka_key": "ann",
		"text":      `a <b> & "c"`,
		"empty":     "",
		"bytes":     "\xff\x00\xfe",
		"int":       "-9007199254740993",
		"uint":      "18446744073709551615",
		"float":     "1.5",
		"large":     "1e+300",
		"yes":       "true",
		"none":      "null",
		"list":      `[1,"<x>",null]`,
		"object":    `{"a":{"c":[true]},"b":1}`,
		"time":      `"2020-08-14T11:45:26.371Z"`,
	}
	assert.Equal(t, message{"x", want}, startCollector(t, server, "").await(t, 1)[0])
}

// allBytes returns a string with every byte value.
func allBytes() string {
	var b [256]byte
	for i := range b {
		b[i] = byte(i)
	}
	return string(b[:])
}

func TestMessagesOfAnySizeAndContentAreUnchanged(t *testing.T) {
	t.Parallel()
	fields := map[string]any{}
	for i := range broker.MaxFields - 1 {
		fields["m"+strconv.Itoa(i)] = strconv.Itoa(i)
	}
	thousand := maps.Clone(fields)
	maps.DeleteFunc(thousand, func(name string, _ any) bool { return len(name) > len("m998") || name == "m999" })
	require.Len(t, thousand, 999)
	for what, c := range map[string]message{
		"empty":                 {"", map[string]any{}},
		"a byte":                {"\x00", map[string]any{}},
		"all bytes":             {allBytes(), map[string]any{"rafka_key": allBytes(), allBytes(): allBytes()}},
		"not UTF-8":             {"\xc3\x28\xf0\x28", map[string]any{"rafka_key": "\xff", "\xfe": "\xc0\xaf"}},
		"an empty name":         {"x", map[string]any{"": "value"}},
		"line ends":             {"a\r\nb\r\n", map[string]any{"rafka_key": "\r\n", "\r\n": "$5\r\n"}},
		"1,000 fields":          {"x", thousand},
		"the maximum of fields": {"x", fields},
		"a megabyte":            {strings.Repeat("\x00\xff", 500_000), map[string]any{"m": strings.Repeat("v", 5e5)}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			send, log := producer(t, service.GlobalEnvironment(), "url: "+server.URL(), `stream_name: orders
key: ${! @rafka_key.or("") }`)
			m := service.NewMessage([]byte(c.body))
			for name, value := range c.metadata {
				m.MetaSetMut(name, value)
			}
			require.NoError(t, send(t.Context(), service.MessageBatch{m}))
			assert.Equal(t, c, startCollector(t, server, "").await(t, 1)[0])
			assert.Empty(t, log.Lines("WARN"))
		})
	}
}

// Messages with random content are unchanged.
func TestRandomMessagesAreUnchanged(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	text := func(most int) string {
		b := make([]byte, random.IntN(most+1))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	server := redistest.Start(t)
	send, _ := producer(t, service.GlobalEnvironment(), "url: "+server.URL(), `stream_name: orders
partitions: 4
key: ${! @rafka_key.or("") }`)
	sent := map[string]message{}
	for range 20 {
		var batch service.MessageBatch
		for range random.IntN(60) {
			id := strconv.Itoa(len(sent))
			a := message{body: text(1 << random.IntN(17)), metadata: map[string]any{"id": id}}
			if key := text(20); key != "" {
				a.metadata[broker.KeyField] = key
			}
			for range random.IntN(1 << random.IntN(8)) {
				if name := text(
					1 << random.IntN(7),
				); name != "id" && name != "body" &&
					!strings.HasPrefix(name, "rafka_") {
					a.metadata[name] = text(100)
				}
			}
			m := service.NewMessage([]byte(a.body))
			for name, value := range a.metadata {
				m.MetaSetMut(name, value)
			}
			sent[id] = a
			batch = append(batch, m)
		}
		if len(batch) > 0 {
			require.NoError(t, send(t.Context(), batch))
		}
	}
	for _, got := range startCollector(t, server, "").await(t, len(sent)) {
		id, _ := got.metadata["id"].(string)
		if !assert.Equal(t, sent[id], got) {
			return
		}
	}
}

// Entries without a body field and with repeated fields, as other producers write them.
func TestForeignEntriesAreReadAsDocumented(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	many := []string{"body", "x"}
	for range 2000 {
		many = append(many, "m", "v")
	}
	var list []string
	require.NoError(t, json.Unmarshal([]byte("["+strings.Repeat(`"v",`, 1999)+`"v"]`), &list))
	for _, values := range [][]string{{"sensor", "7", "n", ""}, {"body", "x", "m", "1", "m", "<2>"}, many} {
		require.NoError(t, server.Client(t).XAdd(t.Context(), &redis.XAddArgs{Stream: "orders", Values: values}).Err())
	}
	got := startCollector(t, server, "").await(t, 3)
	assert.Equal(t, message{`{"sensor":"7","n":""}`, map[string]any{}}, got[0])
	assert.Equal(t, message{"x", map[string]any{"m": `["1","<2>"]`}}, got[1])
	var back []string
	require.NoError(t, json.Unmarshal([]byte(got[2].metadata["m"].(string)), &back))
	assert.Equal(t, list, back)
}

func TestLargestMessageIsWrittenAmongSmallOnes(t *testing.T) {
	t.Parallel()
	const most = 64_000_000 // the default of max_message_bytes, which includes field names
	largest := most - len("body") - len("rafka_key") - len("k") - len("m") - len("v")
	server := redistest.Start(t)
	send, _ := producer(t, service.GlobalEnvironment(), "url: "+server.URL(), "stream_name: orders\nkey: k")
	body := strings.Repeat("0123456789abcdef", most/16)
	var batch service.MessageBatch
	for _, size := range []int{1, largest, 2, largest + 1, 3} {
		m := service.NewMessage([]byte(body[:size]))
		m.MetaSetMut("m", "v")
		batch = append(batch, m)
	}
	err := send(t.Context(), batch)
	require.ErrorContains(t, err, "max_message_bytes (64000000)")
	require.ErrorContains(t, err, "1 of 5 messages")
	for i, got := range startCollector(t, server, "").await(t, 4) {
		size := []int{1, largest, 2, 3}[i]
		if got.body != body[:size] { // an assertion would print the bodies
			t.Errorf("message %d was changed: %d bytes of %d", i, len(got.body), size)
		}
	}
}

// An append is a script call: with these messages it has 100,000 arguments.
func TestBatchWith100000FieldsIsWritten(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	send, _ := producer(t, service.GlobalEnvironment(), "url: "+server.URL(), "stream_name: orders")
	metadata := map[string]any{}
	for i := range 100 {
		metadata[fmt.Sprintf("m%02d", i)] = strconv.Itoa(i)
	}
	var batch service.MessageBatch
	for i := range 1000 {
		m := service.NewMessage([]byte(strconv.Itoa(i)))
		for name, value := range metadata {
			m.MetaSetMut(name, value)
		}
		batch = append(batch, m)
	}
	require.NoError(t, send(t.Context(), batch))
	for i, got := range startCollector(t, server, "").await(t, 1000) {
		assert.Equal(t, message{strconv.Itoa(i), metadata}, got)
	}
}
