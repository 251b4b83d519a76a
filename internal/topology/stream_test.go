package topology

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/logtest"
)

// deployment is how a test's streams connect to Redis, and their topic. commitPeriod is 50 ms if
// empty. A session lasts a minute, so that no machine is too slow for it, unless shortSession is
// set.
type deployment struct {
	fields, topic string
	partitions    int
	commitPeriod  string
	shortSession  bool
}

// with returns the deployment with more connection fields.
func (d deployment) with(fields string) deployment {
	d.fields += fields
	return d
}

// withShortTimeouts returns the deployment with short timeouts and sessions, for tests in which
// servers are down for longer than a session.
func (d deployment) withShortTimeouts() deployment {
	d.shortSession = true
	return d.with(shortTimeouts)
}

const shortTimeouts = `
dial_timeout: 1s
read_timeout: 1s
write_timeout: 1s
`

func (d deployment) session() string {
	if d.shortSession {
		return "session_timeout: 3s\n"
	}
	return "session_timeout: 60s\nheartbeat_interval: 20s\n"
}

// component returns the YAML of an input or output with the connection fields and others.
func (d deployment) component(fields string) string {
	text := "rafka:\n"
	for line := range strings.Lines("stream_name: '" + d.topic + "'\n" + d.fields + "\n" + fields) {
		text += "  " + strings.TrimRight(line, "\n") + "\n"
	}
	return text
}

// journal collects log lines.
type journal = logtest.Journal

// stream is a stream that runs in the real engine.
type stream struct {
	log  *journal
	stop func()
	mux  *http.ServeMux
	// within is how long the stream can take to stop. A stream that is not connected takes most of
	// it.
	within time.Duration
}

// ready reports whether the engine's /ready returns 200.
func (s *stream) ready() bool {
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ready", http.NoBody))
	return w.Code == http.StatusOK
}

// awaitReady waits until ready returns the given value.
func (s *stream) awaitReady(t *testing.T, ready bool) {
	t.Helper()
	require.Eventually(
		t,
		func() bool { return s.ready() == ready },
		time.Minute,
		10*time.Millisecond,
		"/ready should be %t",
		ready,
	)
}

// awaitLog waits until a line of the log contains all of the texts, and returns the first such
// line.
func awaitLog(t *testing.T, log *journal, texts ...string) string {
	t.Helper()
	require.Eventually(
		t,
		func() bool { return len(log.Lines(texts...)) > 0 },
		time.Minute,
		10*time.Millisecond,
		"the log should contain %q",
		texts,
	)
	return log.Lines(texts...)[0]
}

// run builds a stream and runs it until t ends, or until it is stopped.
func instance(t *testing.T, name string, build func(b *service.StreamBuilder)) *stream {
	t.Helper()
	s := &stream{log: &journal{}, mux: http.NewServeMux(), within: 30 * time.Second}
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(s.log, nil)))
	builder.SetHTTPMux(s.mux)
	build(builder)
	built, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- built.Run(context.Background()) }() // ended by stop
	s.stop = sync.OnceFunc(func() {
		assert.NoError(t, built.StopWithin(s.within), name)
		assert.NoError(t, <-ended, name)
	})
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("%s logged:\n%s", name, strings.Join(s.log.Lines(""), ""))
		}
	})
	return s
}

// keys is how many keys the messages have. Message n has key n modulo keys.
const keys = 40

// writer is a running output. It writes numbers in ascending order.
type writer struct {
	*stream
	push service.MessageBatchHandlerFunc
	next int
}

func startWriter(t *testing.T, d deployment) *writer {
	t.Helper()
	return startWriterWith(t, d, "")
}

// startWriterWith is startWriter with more output fields. It writes batches concurrently, although
// there is a key.
func startWriterWith(t *testing.T, d deployment, more string) *writer {
	t.Helper()
	if !strings.Contains(more, "max_in_flight") {
		more += "max_in_flight: 64\n"
	}
	w := &writer{}
	w.stream = instance(t, "writer", func(b *service.StreamBuilder) {
		require.NoError(t, b.AddOutputYAML(d.component(fmt.Sprintf(`
partitions: %d
key: ${! @key }
backoff: {initial_interval: 20ms, max_interval: 200ms}
`, d.partitions)+more)))
		var err error
		w.push, err = b.AddBatchProducerFunc()
		require.NoError(t, err)
	})
	return w
}

// write writes the next n numbers, in batches that are acknowledged one after the other.
func (w *writer) write(ctx context.Context, n int) error {
	for n > 0 {
		var batch service.MessageBatch
		for range min(n, 50) {
			m := service.NewMessage([]byte(strconv.Itoa(w.next)))
			m.MetaSetMut("key", strconv.Itoa(w.next%keys))
			batch = append(batch, m)
			w.next++
		}
		n -= len(batch)
		if err := w.push(ctx, batch); err != nil {
			return fmt.Errorf("writing up to %d: %w", w.next, err)
		}
	}
	return nil
}
