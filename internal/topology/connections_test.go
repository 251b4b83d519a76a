package topology

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// measuredPartitions is the number of partitions in these tests.
const measuredPartitions = 64

// runNamed runs a stream with default settings, and a name for its connections, until t ends or it
// is stopped.
func runNamed(
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

// runMeasuredInput runs an input.
func runMeasuredInput(t *testing.T, d deployment, name string, c *consumers) (log *journal, stop func()) {
	t.Helper()
	return runNamed(t, d, name, func(b *service.StreamBuilder, d deployment) {
		require.NoError(t, b.AddInputYAML(d.component("consumer_group: readers")))
		require.NoError(t, b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
			for _, m := range batch {
				if err := c.record(name, m); err != nil {
					return err
				}
			}
			return nil
		}))
	})
}

// measure runs an output and two inputs, one of which joins and leaves, and logs their commands. It
// returns the commands per second while everything is idle.
func measure(t *testing.T, client redis.UniversalClient, d deployment, monitors []*monitor) (idle map[string]float64) {
	t.Helper()
	c := newConsumers()
	w := &writer{}
	out, _ := runNamed(t, d, "out", func(b *service.StreamBuilder, d deployment) {
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
	ann, _ := runMeasuredInput(t, d, "ann", c)
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
	window := func() { time.Sleep(8 * time.Second) } // a fixed period: rates are measured
	idle = allRates(t, monitors, window)
	t.Logf("idle, commands per second:\n%s", table(idle))

	load := startLoad(t, w)
	load.awaitMore(t, 500)
	written := writtenBy(load)
	busy := allRates(t, monitors, func() { time.Sleep(5 * time.Second) })
	t.Logf(
		"busy with %d messages/s in batches of 10, commands per second:\n%s",
		(writtenBy(load)-written)/5,
		table(busy),
	)
	for range 2 {
		bob, leave := runMeasuredInput(t, d, "bob", c)
		reads(bob, d.partitions/2)
		load.awaitMore(t, 200)
		leave()
		load.awaitMore(t, 200)
	}
	c.await(t, load.finish(t))
	for _, log := range []*journal{ann, out} {
		assert.Empty(t, log.Lines("level=ERROR"))
	}
	return idle
}

// writtenBy returns how many messages the load has written so far.
func writtenBy(l *load) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}

// requireConnectionBounds checks and logs the highest number of connections.
func requireConnectionBounds(t *testing.T, monitors []*monitor, control, output int) {
	t.Helper()
	for i, g := range monitors {
		const subscription = 1
		t.Logf(
			"connections to server %d at most: input %d and %d, output %d",
			i,
			g.mostConnections("ann"),
			g.mostConnections("bob"),
			g.mostConnections("out"),
		)
		for _, member := range []string{"ann", "bob"} {
			assert.LessOrEqual(t, g.mostConnections(member), g.reads+control+subscription)
		}
		assert.LessOrEqual(t, g.mostConnections("out"), output)
	}
}

// requireIdleRates checks the commands of idle components: an input reads five times a second,
// renews each lease four times a session and inspects each stream every five seconds; an output
// sends nothing. Rounding and hints of the members add a little.
func requireIdleRates(t *testing.T, idle map[string]float64, shards int) {
	t.Helper()
	const (
		session, sample = 10.0, 5.0
		beats           = 1
		slack           = 1.3
	)
	for name, most := range map[string]float64{
		"xread":        5 * float64(shards),
		"evalsha":      measuredPartitions*4/session + beats,
		"xinfo|stream": measuredPartitions / sample,
	} {
		assert.LessOrEqual(t, idle[name], slack*most, name)
	}
	for _, never := range []string{"xadd", "set", "eval", "xgroup|setid", "hgetall", "debug", "config|get"} {
		assert.Zero(t, idle[never], never)
	}
}

// unmeasured names connections of the tests like the monitor's, so that they are left out.
func unmeasured(o *redis.Options) { o.ClientName = "monitor" }

func unmeasuredCluster(t *testing.T, cluster *redistest.Cluster) redis.UniversalClient {
	t.Helper()
	return cluster.Client(t, func(o *redis.ClusterOptions) { o.ClientName = "monitor" })
}

func TestConnectionsAndCommandsOfOneServer(t *testing.T) {
	t.Parallel()
	for name, pool := range map[string]struct {
		fields                 string
		reads, control, output int
	}{"default": {"", 2, 2, 4}, "pool size 1": {"\npool: {size: 1}", 1, 1, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			monitors := monitorNodes(t, map[*redistest.Server]int{server: pool.reads})
			d := deployment{
				fields:     "url: " + server.URL() + pool.fields,
				topic:      "orders",
				partitions: measuredPartitions,
			}
			idle := measure(t, server.Client(t, unmeasured), d, monitors)
			requireIdleRates(t, idle, 1)
			requireConnectionBounds(t, monitors, pool.control, pool.output)
		})
	}
}

func TestConnectionsAndCommandsOfCluster(t *testing.T) {
	t.Parallel()
	for name, topic := range map[string]string{"spread": "orders", "in one slot": "{one}.orders"} {
		t.Run(name, func(t *testing.T) {
			cluster := redistest.StartCluster(t, 3, 0)
			slots := map[*redistest.Server]map[int]bool{}
			for _, node := range cluster.Nodes() {
				slots[node] = map[int]bool{}
			}
			for i := range measuredPartitions {
				key := fmt.Sprintf("%s:%d", topic, i)
				slots[cluster.Master(t, key)][cluster.Slot(t, key)] = true
			}
			shards := 0
			nodes := map[*redistest.Server]int{}
			for node, of := range slots {
				shards += len(of)
				const extra = 1               // the first read of a slot can overlap with a blocked one
				nodes[node] = len(of) + extra // at least one connection asks where the slots are
			}
			monitors := monitorNodes(t, nodes)
			d := deployment{
				fields:     "kind: cluster\nurl: '" + cluster.URL() + "'",
				topic:      topic,
				partitions: measuredPartitions,
			}
			requireIdleRates(t, measure(t, unmeasuredCluster(t, cluster), d, monitors), shards)
			requireConnectionBounds(t, monitors, 2, 4)
		})
	}
}

// On a cluster with pool size 1, reads take turns.
func TestConnectionsAndCommandsOfClusterWithPoolSizeOne(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	nodes := map[*redistest.Server]int{}
	for _, node := range cluster.Nodes() {
		nodes[node] = 1
	}
	monitors := monitorNodes(t, nodes)
	d := deployment{
		fields:     "kind: cluster\nurl: '" + cluster.URL() + "'\npool: {size: 1}",
		topic:      "orders",
		partitions: 16,
	}
	measure(t, unmeasuredCluster(t, cluster), d, monitors)
	requireConnectionBounds(t, monitors, 1, 1)
}
