package acceptance

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
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
	"github.com/rafka-streams/rafka/internal/logtest"
)

// journal collects log lines.
type journal = logtest.Journal

// pipeline is a stream in the real engine that copies the topic orders to the topic copies, with an
// HTTP server.
type pipeline struct {
	journal *journal
	metrics *metricsRecorder
	address string

	stream  *service.Stream
	ended   chan error
	stopped sync.Once
}

// copier is the configuration of a pipeline, with more fields for input and output. If session is
// empty, a session lasts half a minute, so that no machine is too slow to keep its leases.
type copier struct{ url, credentials, session, input, output string }

func (c copier) yaml(address string) string {
	const both = `
    url: %s
    dial_timeout: 500ms
    read_timeout: 500ms
    write_timeout: 500ms
%s%s`
	component := func(fields string) string {
		indented := ""
		for line := range strings.Lines(c.credentials + fields) {
			indented += "    " + strings.TrimRight(line, "\n") + "\n"
		}
		return fmt.Sprintf(both, c.url, indented, "")
	}
	return "http: {enabled: true, address: '" + address + "'}\n" +
		"input:\n  rafka:" + component(`stream_name: orders
consumer_group: copier
batch_size: 20
session_timeout: `+cmp.Or(c.session, "30s")+`
heartbeat_interval: 1s
commit_period: 50ms
lag_refresh_period: 200ms
`+c.input) +
		"output:\n  rafka:" + component(`stream_name: copies
partitions: 4
key: ${! @rafka_key.or("") }
backoff: {initial_interval: 20ms, max_interval: 200ms}
`+c.output)
}

// start runs a pipeline until t ends.
func start(t *testing.T, c copier) *pipeline {
	t.Helper()
	return startYAML(t, service.GlobalEnvironment().Clone(), c.yaml)
}

// startYAML is start for another configuration, which has the address of the HTTP server.
func startYAML(t *testing.T, env *service.Environment, yaml func(address string) string) *pipeline {
	t.Helper()
	p := &pipeline{
		journal: &journal{},
		metrics: newMetricsRecorder(),
		address: freeAddress(t),
		ended:   make(chan error, 1),
	}
	require.NoError(t, env.RegisterMetricsExporter("recorder", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return p.metrics, nil }))
	builder := env.NewStreamBuilder()
	require.NoError(t, builder.SetYAML(yaml(p.address)))
	require.NoError(t, builder.SetMetricsYAML("recorder: {}"))
	builder.SetLogger(slog.New(slog.NewTextHandler(p.journal, nil)))
	stream, err := builder.Build()
	require.NoError(t, err)
	p.stream = stream
	go func() { p.ended <- stream.Run(context.Background()) }() // ended by stop
	t.Cleanup(func() {
		p.stop(t)
		http.DefaultClient.CloseIdleConnections()
		if t.Failed() {
			t.Logf("the pipeline logged:\n%s", strings.Join(p.journal.Lines(), ""))
		}
	})
	return p
}

// stop ends the pipeline. It can be called twice.
func (p *pipeline) stop(t *testing.T) {
	t.Helper()
	p.stopped.Do(func() {
		assert.NoError(t, p.stream.StopWithin(10*time.Second))
		assert.NoError(t, <-p.ended, "the stream ended before it was stopped")
	})
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// ready returns the status of /ready: 200, 503, or 0 if the engine does not answer.
func (p *pipeline) ready() int {
	response, err := http.Get("http://" + p.address + "/ready")
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// awaitReady waits until /ready has the status.
func (p *pipeline) awaitReady(t *testing.T, status int) {
	t.Helper()
	require.Eventually(
		t,
		func() bool { return p.ready() == status },
		time.Minute,
		20*time.Millisecond,
		"/ready should answer %d",
		status,
	)
}

// source writes ascending numbers to the topic orders, with several keys.
type source struct {
	client  *redis.Client
	next    int
	skipped []int
}

const (
	keys       = 5
	partitions = 3
)

func newSource(t *testing.T, client *redis.Client) *source {
	t.Helper()
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", partitions)
	require.NoError(t, err)
	return &source{client: client}
}

// write adds the next n numbers.
func (s *source) write(t *testing.T, n int) {
	t.Helper()
	for range n {
		key := s.next % keys
		require.NoError(t, s.client.XAdd(t.Context(), &redis.XAddArgs{
			Stream: fmt.Sprintf("orders:%d", key%partitions),
			Values: []string{"body", strconv.Itoa(s.next), broker.KeyField, strconv.Itoa(key)},
		}).Err())
		s.next++
	}
}

// writeOther adds one number to each partition except the given one, whose numbers are skipped.
func (s *source) writeOther(t *testing.T, partition int) {
	t.Helper()
	for range keys {
		if s.next%keys%partitions == partition {
			s.skipped = append(s.skipped, s.next)
			s.next++
			continue
		}
		s.write(t, 1)
	}
}

// awaitCopies waits until all numbers since first have been copied, and checks that the numbers of
// each key were copied in order. Repeats are allowed. Copies of numbers below first can be missing.
func (s *source) awaitCopies(t *testing.T, first int) {
	t.Helper()
	missing := func() int {
		seen := s.copies(t, first)
		n := 0
		for i := first; i < s.next; i++ {
			if !seen[i] && !slices.Contains(s.skipped, i) {
				n++
			}
		}
		return n
	}
	require.Eventually(
		t,
		func() bool { return missing() == 0 },
		time.Minute,
		50*time.Millisecond,
		"numbers are missing",
	)
}

func (s *source) copies(t *testing.T, first int) map[int]bool {
	t.Helper()
	seen := map[int]bool{}
	for p := range 4 {
		entries, err := s.client.XRange(context.Background(), fmt.Sprintf("copies:%d", p), "-", "+").Result()
		if err != nil {
			return nil // Redis is not running yet
		}
		highest := map[int]int{}
		for _, entry := range entries {
			text, _ := entry.Values["body"].(string)
			n, err := strconv.Atoi(text)
			require.NoError(t, err)
			if !seen[n] && n >= first {
				before, any := highest[n%keys]
				require.True(t, !any || before < n, "%d was copied after %d", n, before)
				highest[n%keys] = n
			}
			seen[n] = true
		}
	}
	return seen
}
