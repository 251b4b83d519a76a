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
	// minutesEnv says for how many minutes TestSoak runs.
	minutesEnv     = "SOAK_MINUTES"
	defaultMinutes = 2

	// soakPerSecond and soakLength make a partition forget what is older than eighty seconds: a
	// member would have to stand still for as long to lose anything.
	soakPerSecond = 500
	soakLength    = 5000

	sampleEvery = 2 * time.Second
	churnEvery  = 2500 * time.Millisecond
)

// stayer is a process that is there from the beginning to the end of a soak.
type stayer struct {
	*process
	route
	Name, Metrics string
	Keys          []string // of the producer
	Instance      string
}

func (stayer) Batch() int             { return soakPerSecond / 100 }
func (stayer) Length() int            { return soakLength }
func (stayer) Session() time.Duration { return sessionTimeout }
func (s stayer) KeyList() (string, error) {
	return generated{Keys: s.Keys}.KeyList()
}

// Processes tell by themselves what they hold. One without an address tells nothing.
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
      root = "message %d, which is about as long as a line of a log is in real life, so that buffers fill as they do there".format(counter())
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

// Members join and leave, are killed and come back under their instance's name, and all connections
// break again and again, while a producer and three consumers stay and the partitions are trimmed:
// neither these processes nor Redis hold more and more, and all is read.
func TestSoak(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t, func(o *redis.Options) { o.MaxRetries = 3 }) // its own connections break too
	s := openScenario(t, connection{URL: server.URL(), Kind: "simple"}, client, partitions)
	s.prefill(t)
	c := &churn{scenario: s}
	var stayers []stayer
	for _, name := range []string{"stays1", "stays2", "stays3"} {
		stayers = append(stayers, c.consume(t, name, "", freeAddress(t)))
	}
	s.awaitShares(t, "stays1", "stays2", "stays3")
	producer := stayer{route: s.route, Name: "writes", Metrics: freeAddress(t), Keys: keysOf("writer")}
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
	figure(t, "members that came and went", "%d, and %d connections broken", c.visitors, c.broken)
	c.end(t)
	s.requireAllRead(t, producer)
	for _, stays := range stayers[:3] {
		require.Zero(t, scrape(t, stays.Metrics, "rafka_lost_entries_total").sum(), "entries lost by %s", stays.Name)
	}
	g.requireFlat(t, start.Add(lasts/4))
}

// soakLasts is for how long the soak runs; its first quarter is for warming up.
func soakLasts(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(minutesEnv)
	if text == "" {
		return defaultMinutes * time.Minute
	}
	minutes, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err, minutesEnv)
	require.GreaterOrEqual(t, minutes, 1.0, "%s: there is little to be seen in less than a minute", minutesEnv)
	return time.Duration(minutes * float64(time.Minute))
}

// prefill brings the partitions to the length at which they are trimmed, so that Redis does not
// grow until then.
func (s *scenario) prefill(t testing.TB) {
	t.Helper()
	for i := range s.Partitions {
		pipe := s.client.Pipeline()
		for range soakLength {
			pipe.XAdd(t.Context(), &redis.XAddArgs{Stream: s.partitionKey(i), Values: []string{
				"body",
				"message 123456, which is about as long as a line of a log is in real life, so that buffers fill as they do there",
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
func (s *scenario) requireAllRead(t testing.TB, producer stayer) {
	t.Helper()
	producer.terminate(t)
	producer.join(t, stopWithin)
	var added int64
	await(t, patience, "all partitions to be read to their ends", func() bool {
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

// churn is those who come and go.
type churn struct {
	*scenario
	next     int // step
	visitors int
	broken   int64

	passing, static stayer // who is there at the moment
}

// step is one act of a play of eight that is repeated, so that each stretch of a soak sees the
// same.
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

// end goes on until nobody is left but those who stay.
func (c *churn) end(t *testing.T) {
	t.Helper()
	for c.next%8 != 0 {
		c.step(t)
	}
	c.awaitShares(t, "stays1", "stays2", "stays3")
}

// visit starts a consumer that does not stay.
func (c *churn) visit(t *testing.T, instance string) stayer {
	t.Helper()
	c.visitors++
	return c.consume(t, fmt.Sprintf("visitor%d", c.visitors), instance, "")
}

// consume starts a consumer of the soak.
func (c *churn) consume(t *testing.T, name, instance, metrics string) stayer {
	t.Helper()
	s := stayer{route: c.route, Name: name, Instance: instance, Metrics: metrics}
	s.process = launch(t, c.dir, name, render(t, soakConsumer, s))
	return s
}

// breakConnections has the server close all connections but the one that asks.
func (c *churn) breakConnections(t *testing.T) {
	t.Helper()
	for _, kind := range []string{"normal", "pubsub"} {
		n, err := c.client.Do(t.Context(), "client", "kill", "type", kind, "skipme", "yes").Int64()
		require.NoError(t, err)
		c.broken += n
	}
}
