//go:build topology

package topology

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
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

// deployment is how a test's streams reach Redis: the connection's fields, and the topic. commitPeriod is 50 ms if empty.
type deployment struct {
	fields, topic string
	partitions    int
	commitPeriod  string
}

// component is the YAML of an input or an output with the connection's fields and others.
func (d deployment) component(fields string) string {
	text := "rafka:\n"
	for line := range strings.Lines("stream_name: '" + d.topic + "'\n" + d.fields + "\n" + fields) {
		text += "  " + strings.TrimRight(line, "\n") + "\n"
	}
	return text
}

// journal collects log lines.
type journal = logtest.Journal

// run builds a stream in the real engine and runs it until t ends, or until what it returns is called.
func run(t *testing.T, name string, build func(b *service.StreamBuilder)) (log *journal, stop func()) {
	t.Helper()
	log = &journal{}
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	build(builder)
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }() // ended by stop
	stop = sync.OnceFunc(func() {
		assert.NoError(t, stream.StopWithin(4*time.Second), name)
		assert.NoError(t, <-ended, name)
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s logged:\n%s", name, strings.Join(log.Lines(""), ""))
		}
	})
	return log, stop
}

// keys is how many keys the messages have. Message n has key n modulo keys.
const keys = 40

// writer is a running output. It writes numbers in ascending order.
type writer struct {
	push service.MessageBatchHandlerFunc
	log  *journal
	next int
}

func startWriter(t *testing.T, d deployment) *writer {
	t.Helper()
	w := &writer{}
	w.log, _ = run(t, "writer", func(b *service.StreamBuilder) {
		require.NoError(t, b.AddOutputYAML(d.component(fmt.Sprintf(`
partitions: %d
key: ${! @key }
backoff: {initial_interval: 20ms, max_interval: 200ms}
`, d.partitions))))
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

// load is a writer that writes until it is told to stop.
type load struct {
	w       *writer
	stop    context.CancelFunc
	ended   chan error
	mu      sync.Mutex
	written int
}

// startLoad has the writer write on and on, in small batches.
func startLoad(t *testing.T, w *writer) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{w: w, stop: cancel, ended: make(chan error, 1)}
	go func() { // ended by stop
		var err error
		for ctx.Err() == nil && err == nil {
			err = w.write(context.Background(), 10)
			l.mu.Lock()
			l.written = w.next
			l.mu.Unlock()
			select {
			case <-time.After(2 * time.Millisecond): // the load of a modest machine
			case <-ctx.Done():
			}
		}
		l.ended <- err
	}()
	t.Cleanup(cancel)
	return l
}

// more waits until so many more messages have been written.
func (l *load) more(t *testing.T, n int) {
	t.Helper()
	count := func() int {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.written
	}
	goal := count() + n
	require.Eventually(t, func() bool { return count() >= goal }, 60*time.Second, 5*time.Millisecond, "the output writes no more")
}

// finish ends the load and returns how many messages were written.
func (l *load) finish(t *testing.T) int {
	t.Helper()
	l.stop()
	require.NoError(t, <-l.ended)
	return l.w.next
}

// crowd is what the members of one group have received.
type crowd struct {
	mu      sync.Mutex
	seen    map[int]int // number -> how often
	highest map[int]int // by key
	wrong   error       // the first message out of order
	by      map[string]int
}

func newCrowd() *crowd {
	return &crowd{seen: map[int]int{}, highest: map[int]int{}, by: map[string]int{}}
}

// take notes a message. A repetition of what was seen before is counted; a new one must be higher than all before it of its key.
func (c *crowd) take(member string, m *service.Message) error {
	body, err := m.AsBytes()
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(body))
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[member]++
	c.seen[n]++
	if c.seen[n] > 1 {
		return nil
	}
	key := n % keys
	if last, any := c.highest[key]; any && last > n && c.wrong == nil {
		c.wrong = fmt.Errorf("%d came after %d", n, last)
	}
	c.highest[key] = n
	return nil
}

// join adds a member to the crowd.
func (c *crowd) join(t *testing.T, name string, d deployment) (*journal, func()) {
	t.Helper()
	return run(t, name, func(b *service.StreamBuilder) {
		require.NoError(t, b.AddInputYAML(d.component(`
consumer_group: crowd
consumer_name: `+name+`
batch_size: 50
session_timeout: 3s
commit_period: `+cmp.Or(d.commitPeriod, "50ms")+`
`)))
		require.NoError(t, b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
			var errs []error
			for _, m := range batch {
				errs = append(errs, c.take(name, m))
			}
			return errors.Join(errs...)
		}))
	})
}

// share is how many messages a member has received.
func (c *crowd) share(member string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.by[member]
}

// missing are the numbers below n that nobody has seen, some of them.
func (c *crowd) missing(n int) (some []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := 0; i < n && len(some) < 10; i++ {
		if c.seen[i] == 0 {
			some = append(some, i)
		}
	}
	return some
}

// repeated counts the messages that came more than once.
func (c *crowd) repeated() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.seen {
		n += times - 1
	}
	return n
}

// count is how many different messages have been seen.
func (c *crowd) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

// awaitCount waits until so many different messages have been seen.
func (c *crowd) awaitCount(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return c.count() >= n }, 60*time.Second, 5*time.Millisecond, "the inputs read no more")
}

// await waits until all numbers below n have been seen, each key in order.
func (c *crowd) await(t *testing.T, n int) {
	t.Helper()
	if !assert.Eventually(t, func() bool { return len(c.missing(n)) == 0 }, 60*time.Second, 20*time.Millisecond) {
		t.Fatalf("of %d numbers are missing, among others: %v", n, c.missing(n))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	require.NoError(t, c.wrong)
}
