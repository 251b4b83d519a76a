package input

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/embedded"
	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "6"); err != nil { // tests of outages mostly wait
		panic(err)
	}
	config.RouteLogs((*service.Logger)(nil)) // hide what go-redis logs about killed servers
	// An embedded server runs as long as the process.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/alicebob/miniredis/v2/server.(*Server).serve"),
		goleak.IgnoreAnyFunction("github.com/alicebob/miniredis/v2/server.(*Server).servePeer"))
}

// journal collects log lines.
type journal = logtest.Journal

// fast holds fields with short times.
const fast = `read_timeout: 2s
write_timeout: 2s
dial_timeout: 2s
session_timeout: 6s
heartbeat_interval: 1s
commit_period: 50ms
lag_refresh_period: 200ms
`

// unhurried holds fields with timeouts for a busy machine.
const unhurried = `
read_timeout: 4s
session_timeout: 12s
heartbeat_interval: 4s
`

// endless holds fields with a session and a heartbeat interval that are longer than any test.
const endless = `
read_timeout: 20s
session_timeout: 2m
heartbeat_interval: 40s
`

// promptly is much shorter than that, and enough for a busy machine.
const promptly = 20 * time.Second

// closedInput returns an input that is not connected and is closed when t ends. The topic is orders
// and the group is g, unless the fields set others.
func closedInput(t *testing.T, url, fields string) (*input, *journal) {
	t.Helper()
	for field, value := range map[string]string{"stream_name": "orders", "consumer_group": "g"} {
		if !strings.Contains(fields, field+":") {
			fields += "\n" + field + ": " + value
		}
	}
	all := "url: " + url + "\n" + fields + "\n"
	for line := range strings.Lines(fast) {
		if field, _, _ := strings.Cut(line, ":"); !strings.Contains(fields, field+":") {
			all += line
		}
	}
	s, err := construct(t, all)
	require.NoError(t, err)
	j := &journal{}
	in := newInput(s, j.Resources())
	t.Cleanup(func() { _ = in.Close(context.Background()) }) // Redis may be down
	return in, j
}

// openInput returns a connected closedInput.
func openInput(t *testing.T, url, fields string) (*input, *journal) {
	t.Helper()
	in, j := closedInput(t, url, fields)
	require.NoError(t, reconnect(patient(t), in))
	return in, j
}

// patient returns a context that ends before the timeout of the test binary.
func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// brief returns a context that ends soon.
func brief(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// delivery is the result of ReadBatch.
type delivery struct {
	batch service.MessageBatch
	ack   service.AckFunc
}

// next reads the next batch like the engine: it connects the input first if it is not connected.
func next(ctx context.Context, in *input) (delivery, error) {
	for {
		batch, ack, err := in.ReadBatch(ctx)
		if !errors.Is(err, service.ErrNotConnected) {
			return delivery{batch, ack}, err
		}
		if err := reconnect(ctx, in); err != nil {
			return delivery{}, err
		}
	}
}

func reconnect(ctx context.Context, in *input) error {
	for {
		err := in.Connect(ctx)
		var later *service.ErrBackOff
		if err == nil || !errors.As(err, &later) {
			return err
		}
		select {
		case <-time.After(later.Wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// consume reads and acknowledges n messages and returns their bodies.
func consume(t *testing.T, in *input, n int) []string {
	t.Helper()
	ctx := patient(t)
	var all []string
	for len(all) < n {
		d, err := next(ctx, in)
		require.NoError(t, err, "after %d of %d messages", len(all), n)
		all = append(all, bodies(t, d.batch)...)
		require.NoError(t, d.ack(ctx, nil))
	}
	return all
}

func bodies(t *testing.T, batch service.MessageBatch) []string {
	t.Helper()
	var all []string
	for _, m := range batch {
		body, err := m.AsBytes()
		require.NoError(t, err)
		all = append(all, string(body))
	}
	return all
}

// silent requires that nothing is handed out for a while.
func silent(t *testing.T, in *input, d time.Duration) {
	t.Helper()
	got, err := next(brief(t, d), in)
	require.ErrorIs(t, err, context.DeadlineExceeded, "got %v", got.batch)
}

// createTopic creates the topic orders.
func createTopic(t *testing.T, client *redis.Client, partitions int) {
	t.Helper()
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", partitions)
	require.NoError(t, err)
}

// write appends an entry for each body, with the given key unless it is empty.
func write(t *testing.T, client *redis.Client, stream, key string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		values := []string{"body", text}
		if key != "" {
			values = append(values, broker.KeyField, key)
		}
		require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: values}).Err())
	}
}

// numbers returns the numbers of a half-open range as texts.
func numbers(from, to int) []string {
	var all []string
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

// committed returns the offset that the group has stored for a stream.
func committed(t *testing.T, client *redis.Client, stream string) string {
	t.Helper()
	offset, err := client.HGet(t.Context(), "rafka:{"+stream+"}:lease:g", "offset").Result()
	if !errors.Is(err, redis.Nil) {
		require.NoError(t, err)
	}
	return offset
}

// onBoth runs a test on a real server and on an embedded one.
func onBoth(t *testing.T, test func(t *testing.T, url string, client *redis.Client)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) {
		server := redistest.Start(t)
		test(t, server.URL(), server.Client(t))
	})
	t.Run("embedded", func(t *testing.T) {
		name := strings.ToLower(rand.Text()) // a new server in each run
		addr, err := embedded.Open(name)
		require.NoError(t, err)
		client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1})
		t.Cleanup(func() { assert.NoError(t, client.Close()) })
		test(t, "embedded://"+name, client)
	})
}
