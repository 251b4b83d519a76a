package topology

import (
	"context"
	"fmt"
	"log/slog"
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

	"github.com/rafka-streams/rafka/internal/redistest"
)

// many is the number of partitions whose cost is measured.
const many = 64

// gauge watches the connections of one node, and counts its commands.
type gauge struct {
	client *redis.Client
	// reads is how many reads of an input there may be here at once.
	reads int

	mu   sync.Mutex
	most map[string]int // by the name of the connections
}

// watch measures nodes until t ends.
func watch(t *testing.T, nodes map[*redistest.Server]int) []*gauge {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var watchers sync.WaitGroup
	var all []*gauge
	for node, reads := range nodes {
		g := &gauge{
			client: node.Client(t, func(o *redis.Options) { o.ClientName, o.PoolSize = "gauge", 1 }),
			reads:  reads,
			most:   map[string]int{},
		}
		all = append(all, g)
		watchers.Go(func() { // ends with ctx
			for ctx.Err() == nil {
				if list, err := g.client.ClientList(ctx).Result(); err == nil {
					g.count(list)
				}
				time.Sleep(2 * time.Millisecond) // lets the server do something else
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		watchers.Wait()
	})
	return all
}

// count takes in what CLIENT LIST says.
func (g *gauge) count(list string) {
	now := map[string]int{}
	for line := range strings.Lines(list) {
		_, rest, _ := strings.Cut(line, " name=")
		name, _, _ := strings.Cut(rest, " ")
		now[name]++
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for name, n := range now {
		g.most[name] = max(g.most[name], n)
	}
}

func (g *gauge) highest(name string) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.most[name]
}

// rates are commands per second over a while, by name, those of the gauge left out.
func (g *gauge) rates(t *testing.T, during func()) map[string]float64 {
	t.Helper()
	before, began := g.calls(t), time.Now()
	during()
	after, took := g.calls(t), time.Since(began).Seconds()
	rates := map[string]float64{}
	for name, n := range after {
		own := strings.HasPrefix(name, "client|") || strings.HasPrefix(name, "info") ||
			strings.HasPrefix(name, "cluster|")
		if n > before[name] && !own {
			rates[name] = float64(n-before[name]) / took
		}
	}
	return rates
}

func (g *gauge) calls(t *testing.T) map[string]int {
	t.Helper()
	info, err := g.client.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	calls := map[string]int{}
	for line := range strings.Lines(info) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls="); ok {
			n, _, _ := strings.Cut(rest, ",")
			calls[name], err = strconv.Atoi(n)
			require.NoError(t, err)
		}
	}
	return calls
}

// allRates adds up the rates of all nodes while something goes on.
func allRates(t *testing.T, gauges []*gauge, during func()) map[string]float64 {
	t.Helper()
	sum := map[string]float64{}
	next := during
	for _, g := range gauges {
		inner := next
		next = func() {
			for name, rate := range g.rates(t, inner) {
				sum[name] += rate
			}
		}
	}
	next()
	return sum
}

func table(rates map[string]float64) string {
	var text strings.Builder
	total := 0.0
	for _, name := range slices.Sorted(maps.Keys(rates)) {
		fmt.Fprintf(&text, "  %-20s %8.1f/s\n", name, rates[name])
		total += rates[name]
	}
	fmt.Fprintf(&text, "  %-20s %8.1f/s", "all", total)
	return text.String()
}

// begin runs a stream with the defaults that users have, and a name for its connections, until t
// ends or it is stopped.
func begin(
	t *testing.T,
	d deployment,
	name string,
	build func(b *service.StreamBuilder, d deployment),
) (log *journal, stop func()) {
	t.Helper()
	log = &journal{}
	b := service.NewStreamBuilder()
	b.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	d.fields += "\nclient_name: " + name
	build(b, d)
	stream, err := b.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }() // ended by stop
	stop = sync.OnceFunc(func() {
		assert.NoError(t, stream.StopWithin(10*time.Second), name)
		assert.NoError(t, <-ended, name)
	})
	t.Cleanup(stop)
	return log, stop
}

// measured runs an input.
func measured(t *testing.T, d deployment, name string, c *crowd) (log *journal, stop func()) {
	t.Helper()
	return begin(t, d, name, func(b *service.StreamBuilder, d deployment) {
		require.NoError(t, b.AddInputYAML(d.component("consumer_group: crowd")))
		require.NoError(t, b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
			for _, m := range batch {
				if err := c.take(name, m); err != nil {
					return err
				}
			}
			return nil
		}))
	})
}

// measure runs an output and two inputs, of which one joins and leaves, and logs what they cost. It
// returns what everything costs when idle.
func measure(t *testing.T, client redis.UniversalClient, d deployment, gauges []*gauge) (idle map[string]float64) {
	t.Helper()
	c := newCrowd()
	w := &writer{}
	out, _ := begin(t, d, "out", func(b *service.StreamBuilder, d deployment) {
		require.NoError(
			t,
			b.AddOutputYAML(
				d.component(fmt.Sprintf("partitions: %d\nkey: ${! @key }\nmax_in_flight: 64", d.partitions)),
			),
		)
		var err error
		w.push, err = b.AddBatchProducerFunc()
		require.NoError(t, err)
	})
	require.NoError(t, w.write(t.Context(), 100))
	ann, _ := measured(t, d, "ann", c)
	c.await(t, 100)
	reads := func(log *journal, n int) {
		t.Helper()
		require.Eventually(
			t,
			func() bool { return len(log.Lines(fmt.Sprintf("reading %d partitions", n))) > 0 },
			time.Minute,
			10*time.Millisecond,
		)
	}
	reads(ann, d.partitions)
	awaitLagZero(t, client, d, 100)
	window := func() { time.Sleep(8 * time.Second) } // what is measured is time
	idle = allRates(t, gauges, window)
	t.Logf("idle, commands per second:\n%s", table(idle))

	load := startLoad(t, w)
	load.more(t, 500)
	written := writtenBy(load)
	busy := allRates(t, gauges, func() { time.Sleep(5 * time.Second) })
	t.Logf(
		"busy with %d messages/s in batches of 10, commands per second:\n%s",
		(writtenBy(load)-written)/5,
		table(busy),
	)
	for range 2 {
		bob, leave := measured(t, d, "bob", c)
		reads(bob, d.partitions/2)
		load.more(t, 200)
		leave()
		load.more(t, 200)
	}
	c.await(t, load.finish(t))
	for _, log := range []*journal{ann, out} {
		assert.Empty(t, log.Lines("level=ERROR"))
	}
	return idle
}

// writtenBy is how many messages the load has written so far.
func writtenBy(l *load) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

// bounds checks, and logs, how many connections there were at most.
func bounds(t *testing.T, gauges []*gauge, control, output int) {
	t.Helper()
	for i, g := range gauges {
		const subscription = 1
		t.Logf(
			"connections to server %d at most: input %d and %d, output %d",
			i,
			g.highest("ann"),
			g.highest("bob"),
			g.highest("out"),
		)
		for _, member := range []string{"ann", "bob"} {
			assert.LessOrEqual(t, g.highest(member), g.reads+control+subscription)
		}
		assert.LessOrEqual(t, g.highest("out"), output)
	}
}

// An idle input looks for entries five times a second, renews each lease four times a session and
// looks at each stream every five seconds; an idle output does nothing. Rounding and hints of the
// members that are there may add a little.
func boundIdle(t *testing.T, idle map[string]float64, shards int) {
	t.Helper()
	const (
		session, sample = 10.0, 5.0
		beats           = 1
		slack           = 1.3
	)
	for name, most := range map[string]float64{
		"xread":        5 * float64(shards),
		"evalsha":      many*4/session + beats,
		"xinfo|stream": many / sample,
	} {
		assert.LessOrEqual(t, idle[name], slack*most, name)
	}
	for _, never := range []string{"xadd", "set", "eval", "xgroup|setid", "hgetall", "debug", "config|get"} {
		assert.Zero(t, idle[never], never)
	}
}

// quiet names connections of the tests, which the gauges leave out.
func quiet(o *redis.Options) { o.ClientName = "gauge" }

func quietly(t *testing.T, cluster *redistest.Cluster) redis.UniversalClient {
	t.Helper()
	return cluster.Client(t, func(o *redis.ClusterOptions) { o.ClientName = "gauge" })
}

func TestConnectionsAndCommandsOfOneServer(t *testing.T) {
	t.Parallel()
	for name, pool := range map[string]struct {
		fields                 string
		reads, control, output int
	}{"as it comes": {"", 2, 2, 4}, "with one connection each": {"\npool: {size: 1}", 1, 1, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			gauges := watch(t, map[*redistest.Server]int{server: pool.reads})
			d := deployment{fields: "url: " + server.URL() + pool.fields, topic: "orders", partitions: many}
			idle := measure(t, server.Client(t, quiet), d, gauges)
			boundIdle(t, idle, 1)
			bounds(t, gauges, pool.control, pool.output)
		})
	}
}

func TestConnectionsAndCommandsOfACluster(t *testing.T) {
	t.Parallel()
	for name, topic := range map[string]string{"spread": "orders", "in one slot": "{one}.orders"} {
		t.Run(name, func(t *testing.T) {
			cluster := redistest.StartCluster(t, 3, 0)
			slots := map[*redistest.Server]map[int]bool{}
			for _, node := range cluster.Nodes() {
				slots[node] = map[int]bool{}
			}
			for i := range many {
				key := fmt.Sprintf("%s:%d", topic, i)
				slots[cluster.Master(t, key)][cluster.Slot(t, key)] = true
			}
			shards := 0
			nodes := map[*redistest.Server]int{}
			for node, of := range slots {
				shards += len(of)
				const besides = 1               // the first read of a slot may meet one that waits
				nodes[node] = len(of) + besides // one at least is made to ask where the slots are
			}
			gauges := watch(t, nodes)
			d := deployment{fields: "kind: cluster\nurl: '" + cluster.URL() + "'", topic: topic, partitions: many}
			boundIdle(t, measure(t, quietly(t, cluster), d, gauges), shards)
			bounds(t, gauges, 2, 4)
		})
	}
}

// On a cluster, reads that have no connection take turns.
func TestConnectionsAndCommandsOfAClusterWithOneConnectionEach(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	nodes := map[*redistest.Server]int{}
	for _, node := range cluster.Nodes() {
		nodes[node] = 1
	}
	gauges := watch(t, nodes)
	d := deployment{
		fields:     "kind: cluster\nurl: '" + cluster.URL() + "'\npool: {size: 1}",
		topic:      "orders",
		partitions: 16,
	}
	measure(t, quietly(t, cluster), d, gauges)
	bounds(t, gauges, 1, 1)
}
