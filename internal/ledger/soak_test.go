//go:build ledger

package ledger

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const (
	// minutesEnv names the duration of TestSoak in minutes.
	minutesEnv     = "SOAK_MINUTES"
	defaultMinutes = 2

	// With soakPerSecond and soakLength, a partition drops what is older than 80 seconds: a member
	// would have to stand still that long to lose anything.
	soakPerSecond = 500
	soakLength    = 5000

	sampleEvery = 2 * time.Second
	churnEvery  = 2500 * time.Millisecond
)

// longLived is a process that runs from the beginning to the end of a soak.
type longLived struct {
	*process
	route
	Name, Metrics string
	Keys          []string // of the producer
	Instance      string
}

func (longLived) Text() string           { return messageText }
func (longLived) Batch() int             { return soakPerSecond / 100 }
func (longLived) Length() int            { return soakLength }
func (longLived) Session() time.Duration { return sessionTimeout }
func (s longLived) KeyList() (string, error) {
	return generator{Keys: s.Keys}.KeyList()
}

// Processes serve metrics about themselves, unless their address is empty.
const soakHead = httpConfig + `
metrics: {prometheus: {add_go_metrics: true, add_process_metrics: true}}
`

var soakProducer = parse("soak producer", soakHead+`
input:
  generate:
    interval: 10ms
    batch_size: {{.Batch}}
    mapping: |
      let keys = {{.KeyList}}
      root = "{{.Text}}".format(counter())
      meta client = $keys.index(random_int(max: {{len .Keys}} - 1))
output:
  rafka:
    url: '{{.URL}}'
    client_name: {{.Name}}
    stream_name: {{.Topic}}
    key: ${! @client }
    max_in_flight: 64
    max_length: {{.Length}}
`)

var soakConsumer = parse("soak consumer", soakHead+`
input:
  rafka:
    url: '{{.URL}}'
    client_name: {{.Name}}
    stream_name: {{.Topic}}
    consumer_group: {{.Group}}
    consumer_name: {{.Name}}
    instance_id: '{{.Instance}}'
    session_timeout: {{.Session}}
    batch_size: 50
pipeline:
  processors:
    - sleep: {duration: '${! if batch_index() == 0 { "5ms" } else { "0s" } }'}
output:
  drop: {}
`)

// Members join and leave, are killed and restarted with the same instance_id, and all connections
// break again and again, while a producer and three consumers keep running and the partitions are
// trimmed. Neither these processes nor Redis grow, and everything is read.
func TestSoak(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t, func(o *redis.Options) { o.MaxRetries = 3 }) // its own connections break too
	s := openScenario(t, connection{URL: server.URL(), Kind: "simple"}, client, partitions)
	s.prefill(t)
	c := &churn{scenario: s}
	var stayers []longLived
	for _, name := range []string{"stays1", "stays2", "stays3"} {
		stayers = append(stayers, c.consume(t, name, "", freeAddress(t)))
	}
	s.awaitShares(t, "stays1", "stays2", "stays3")
	producer := longLived{route: s.route, Name: "writes", Metrics: freeAddress(t), Keys: keysOf("writer")}
	producer.process = launch(t, s.dir, producer.Name, render(t, soakProducer, producer))
	stayers = append(stayers, producer)

	g := &gauges{}
	start, lasts := time.Now(), soakLasts(t)
	sample, churns := time.NewTicker(sampleEvery), time.NewTicker(churnEvery)
	defer sample.Stop()
	defer churns.Stop()
	for time.Since(start) < lasts {
		select {
		case <-sample.C:
			g.sample(t, client, stayers)
		case <-churns.C:
			c.step(t)
		}
	}
	figure(t, "members that joined and left", "%d, and %d connections broken", c.visitors, c.broken)
	c.end(t)
	s.requireAllRead(t, producer)
	for _, stays := range stayers[:3] {
		require.Zero(t, scrape(t, stays.Metrics, "rafka_lost_entries_total").sum(), "entries lost by %s", stays.Name)
	}
	g.requireFlat(t, start.Add(lasts/4))
}

// soakLasts returns the duration of the soak. Its first quarter is warm-up.
func soakLasts(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(minutesEnv)
	if text == "" {
		return defaultMinutes * time.Minute
	}
	minutes, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err, minutesEnv)
	require.GreaterOrEqual(t, minutes, 1.0, "%s: a soak takes at least one minute", minutesEnv)
	return time.Duration(minutes * float64(time.Minute))
}

// prefill fills the partitions to the length at which they are trimmed, so that Redis does not grow
// until then.
func (s *scenario) prefill(t testing.TB) {
	t.Helper()
	for i := range s.Partitions {
		pipe := s.client.Pipeline()
		for range soakLength {
			pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: s.partitionKey(i), Values: []string{
				"body",
				fmt.Sprintf(messageText, 123456),
				"rafka_key",
				"writer-100",
				"client",
				"writer-100",
			}})
		}
		_, err := pipe.Exec(t.Context())
		require.NoError(t, err)
	}
}

// requireAllRead stops the producer and waits until the group has committed the last entry of each
// partition.
func (s *scenario) requireAllRead(t testing.TB, producer longLived) {
	t.Helper()
	producer.terminate(t)
	producer.join(t, stopWithin)
	var added int64
	await(t, waitLimit, "all partitions to be read to their ends", func() bool {
		added = 0
		for _, l := range s.leases(t) {
			info, err := s.client.XInfoStream(t.Context(), s.partitionKey(l.partition)).Result()
			require.NoError(t, err)
			if added += info.EntriesAdded; info.LastGeneratedID != l.offset.String() {
				return false
			}
		}
		return true
	})
	written := added - int64(s.Partitions)*soakLength
	require.Positive(t, written)
	figure(t, "messages written and read", "%d", written)
}

// churn is the members that join and leave.
type churn struct {
	*scenario
	next     int // step
	visitors int
	broken   int64

	passing, static longLived // currently running
}

// step performs one of eight steps that repeat, so that every part of a soak is equal.
func (c *churn) step(t *testing.T) {
	t.Helper()
	const instance = "guest"
	switch c.next % 8 {
	case 0:
		c.passing = c.visit(t, "")
	case 1, 4:
		c.breakConnections(t)
	case 2:
		c.static = c.visit(t, instance)
	case 3:
		c.passing.terminate(t)
		c.passing.join(t, stopWithin)
	case 5: // killed and back within its session
		c.static.kill(t)
		c.static = c.visit(t, instance)
	case 6:
		c.static.terminate(t)
		c.static.join(t, stopWithin)
		c.passing = c.visit(t, "")
	case 7: // killed for good
		c.passing.kill(t)
	}
	c.next++
}

// end continues until only the long-lived processes are left.
func (c *churn) end(t *testing.T) {
	t.Helper()
	for c.next%8 != 0 {
		c.step(t)
	}
	c.awaitShares(t, "stays1", "stays2", "stays3")
}

// visit starts a consumer that will leave again.
func (c *churn) visit(t *testing.T, instance string) longLived {
	t.Helper()
	c.visitors++
	return c.consume(t, fmt.Sprintf("visitor%d", c.visitors), instance, "")
}

// consume starts a consumer of the soak.
func (c *churn) consume(t *testing.T, name, instance, metrics string) longLived {
	t.Helper()
	s := longLived{route: c.route, Name: name, Instance: instance, Metrics: metrics}
	s.process = launch(t, c.dir, name, render(t, soakConsumer, s))
	return s
}

// breakConnections makes the server close all connections except the caller's.
func (c *churn) breakConnections(t *testing.T) {
	t.Helper()
	for _, kind := range []string{"normal", "pubsub"} {
		n, err := c.client.Do(t.Context(), "client", "kill", "type", kind, "skipme", "yes").Int64()
		require.NoError(t, err)
		c.broken += n
	}
}
