package acceptance

import (
	"context"
	"errors"
	"fmt"
	"maps"
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

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/broker"
)

// sink is an output that writes a batch as a whole, or rejects it.
type sink struct {
	mu    sync.Mutex
	down  bool
	bad   map[string]error // messages that are rejected, and why
	taken []string         // in their order
	tries map[string]int
}

func newSink(bad map[string]error) *sink { return &sink{bad: bad, tries: map[string]int{}} }

func (s *sink) Connect(context.Context) error { return nil }
func (s *sink) Close(context.Context) error   { return nil }

func (s *sink) WriteBatch(_ context.Context, b service.MessageBatch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var texts []string
	var failed error
	for i, m := range b {
		body, err := m.AsBytes()
		if err != nil {
			return err
		}
		texts = append(texts, string(body))
		s.tries[texts[i]]++
		if why := s.bad[texts[i]]; why != nil {
			failed = why
		}
	}
	switch {
	case s.down:
		return errors.New("HTTP 503")
	case failed != nil && len(texts) > 1:
		return failed // without a BatchError, since nothing is written
	case failed != nil:
		return service.NewBatchError(b, errors.New("the sink rejected a message")).Failed(0, failed)
	}
	s.taken = append(s.taken, texts...)
	return nil
}

func (s *sink) setDown(down bool) { s.mu.Lock(); defer s.mu.Unlock(); s.down = down }

func (s *sink) accept(text string) { s.mu.Lock(); defer s.mu.Unlock(); delete(s.bad, text) }

// got returns what was written, in its order.
func (s *sink) got() []string { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.taken) }

// deliveries returns how often each message was delivered.
func (s *sink) deliveries() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.tries)
}

// await waits until n messages are written.
func (s *sink) await(t *testing.T, n int) {
	t.Helper()
	ok := assert.Eventually(t, func() bool { return len(s.got()) >= n }, time.Minute, 5*time.Millisecond)
	got := s.got()
	require.True(t, ok, "%d of %d messages are written, the last ones: %v", len(got), n, got[max(0, len(got)-20):])
}

// requireOnce requires that exactly the messages with these numbers are written, each once.
func (s *sink) requireOnce(t *testing.T, numbers []string) {
	t.Helper()
	require.ElementsMatch(t, numbers, s.got())
}

// start runs a pipeline from topic orders to the sink, with more fields of the input.
func (s *sink) start(t *testing.T, url, input, output string) *pipeline {
	t.Helper()
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterBatchOutput(
		"sink",
		service.NewConfigSpec().Field(service.NewBatchPolicyField("batching")),
		func(conf *service.ParsedConfig, _ *service.Resources) (
			out service.BatchOutput, policy service.BatchPolicy, maxInFlight int, err error,
		) {
			policy, err = conf.FieldBatchPolicy("batching")
			return s, policy, 4, err
		},
	))
	const fields = `stream_name: orders
consumer_group: billing
session_timeout: 30s
heartbeat_interval: 1s
commit_period: 50ms
lag_refresh_period: 200ms
`
	return startYAML(t, env, func(address string) string {
		text := "http: {enabled: true, address: '" + address + "'}\noutput: {sink: {" + output + "}}\ninput:\n"
		for line := range strings.Lines(component("url: "+url, fields+input)) {
			text += "  " + line
		}
		return text
	})
}

// letterFields gives messages up soon.
const letterFields = "dead_letter: {stream_name: orders-dead, max_deliveries: 4, backoff: 200ms}\n"

// errBad is why a sink rejects a message for good.
var errBad = errors.New("HTTP 422: no such customer")

// writeOrders writes the numbers of a half-open range to the topic. Numbers with the same last digit
// have the same key and partition.
func writeOrders(t *testing.T, client *redis.Client, partitions, from, to int) {
	t.Helper()
	pipe := client.Pipeline()
	for n := from; n < to; n++ {
		stream := "orders"
		if partitions > 0 {
			stream = fmt.Sprintf("orders:%d", n%10%partitions)
		}
		pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: stream, Values: []string{
			"body", strconv.Itoa(n), broker.KeyField, strconv.Itoa(n % 10),
		}})
	}
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
}

func createOrders(t *testing.T, client *redis.Client, partitions int) {
	t.Helper()
	_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", partitions)
	require.NoError(t, err)
}

// orders returns the numbers of a half-open range, without some of them.
func orders(from, to int, except ...string) (all []string) {
	for n := from; n < to; n++ {
		if text := strconv.Itoa(n); !slices.Contains(except, text) {
			all = append(all, text)
		}
	}
	return all
}

// deadLetters returns the letters in topic orders-dead.
func deadLetters(t *testing.T, client *redis.Client) []redis.XMessage {
	t.Helper()
	all, err := client.XRange(t.Context(), "orders-dead", "-", "+").Result()
	require.NoError(t, err)
	return all
}

func awaitLetters(t *testing.T, client *redis.Client, n int) []redis.XMessage {
	t.Helper()
	require.Eventually(t, func() bool { return len(deadLetters(t, client)) >= n }, time.Minute, 5*time.Millisecond,
		"%d dead letters are written", n)
	return deadLetters(t, client)
}

// writeUntilLetters is writeUntil there is a letter.
func writeUntilLetters(t *testing.T, client *redis.Client, partitions, from int) (to int) {
	t.Helper()
	return writeUntil(t, client, partitions, from, "a dead letter is written", func() bool {
		return len(deadLetters(t, client)) > 0
	})
}

// writeUntil writes numbers from a number on, ten every half second, until something is reached:
// they show that the sink works. It returns the number behind the last one.
func writeUntil(
	t *testing.T,
	client *redis.Client,
	partitions, from int,
	what string,
	reached func() bool,
) (to int) {
	t.Helper()
	began := time.Now()
	for to = from; !reached(); to += 10 {
		require.Less(t, time.Since(began), time.Minute, what)
		writeOrders(t, client, partitions, to, to+10)
		time.Sleep(500 * time.Millisecond) // the rate of the load
	}
	return to
}

// replay replays the letters that were not replayed before, as `rafka deadletter replay` does, and
// returns their number.
func replay(t *testing.T, client *redis.Client) int {
	t.Helper()
	a, replayed := admin.New(client), false
	scan, err := a.Letters(t.Context(), admin.LetterQuery{
		Topic: "orders-dead", Partition: -1, OriginPartition: -1, Replayed: &replayed,
	})
	require.NoError(t, err)
	r := a.NewLetterReplay()
	for {
		page, done, err := scan.Next(t.Context())
		require.NoError(t, err)
		if done {
			require.NoError(t, r.Err)
			return r.Replayed
		}
		require.NoError(t, r.Replay(t.Context(), page))
	}
}

// awaitEnd waits until the offset of the group is the end of a stream, or nothing in the stream is
// pending in a share group.
func awaitEnd(t *testing.T, client *redis.Client, stream string) {
	t.Helper()
	last, err := client.XRevRangeN(t.Context(), stream, "+", "-", 1).Result()
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		if client.Exists(t.Context(), "rafka:{"+stream+"}:share:billing").Val() == 1 {
			groups := client.XInfoGroups(t.Context(), stream).Val()
			return len(groups) == 1 && groups[0].LastDeliveredID == last[0].ID && groups[0].Pending == 0
		}
		return client.HGet(t.Context(), "rafka:{"+stream+"}:lease:billing", "offset").Val() == last[0].ID
	}, time.Minute, 10*time.Millisecond, "everything is committed")
}
