package topology

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestPromotedReplicaOfDeadMasterIsUsed(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 1)
	d := onCluster(cluster, "orders", 8).withShortTimeouts()
	consumers := newConsumers()
	consumers.join(t, "ann", d)
	consumers.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.awaitMore(t, 500)
	dead := cluster.Master(t, "orders:0")
	dead.Kill(t)
	cluster.AwaitPromotion(t, "orders:0")
	promoted := time.Now()
	load.awaitMore(t, 500)
	written := time.Since(promoted)
	consumers.awaitCount(t, consumers.count()+500)
	t.Logf("written again after %s, read again after %s", written, time.Since(promoted))
	assert.Less(
		t,
		time.Since(promoted),
		20*time.Second,
		"without waiting for the dead node, or for go-redis to refresh the slots",
	)
	dead.Restart(t)
	cluster.Await(t)
	load.awaitMore(t, 500)
	n := load.finish(t)
	consumers.await(t, n)
	awaitLagZero(t, cluster.Client(t), d, n)
	t.Logf("%d of %d repeated", consumers.repeated(), n)
}

// nodeFailure is a way in which a cluster node without a replica can fail.
type nodeFailure struct {
	fail, repair func(t *testing.T, node *redistest.Server)
	// hasMetadata: the node has the topic's own slot.
	hasMetadata bool
}

// nodeFailures: a frozen node keeps its connections and answers nothing; a killed node refuses
// connections.
var nodeFailures = map[string]nodeFailure{
	"frozen": {fail: freeze, repair: thaw},
	"killed": {
		fail:   func(t *testing.T, node *redistest.Server) { t.Helper(); node.Kill(t) },
		repair: func(t *testing.T, node *redistest.Server) { t.Helper(); node.Restart(t) },
	},
	"frozen with the metadata": {fail: freeze, repair: thaw, hasMetadata: true},
}

func freeze(t *testing.T, node *redistest.Server) { t.Helper(); node.Pause(t) }

func thaw(t *testing.T, node *redistest.Server) { t.Helper(); node.Resume(t) }

// startIndependentNodes starts a cluster whose nodes serve without each other and keep their data.
func startIndependentNodes(t *testing.T) *redistest.Cluster {
	t.Helper()
	return redistest.StartCluster(
		t,
		3,
		0,
		"--cluster-require-full-coverage",
		"no",
		"--appendonly",
		"yes",
		"--appendfsync",
		"always",
	)
}

// choose returns the node that fails, and which partitions are on it and which are not.
func (death nodeFailure) choose(
	t *testing.T,
	c *redistest.Cluster,
	d deployment,
) (node *redistest.Server, stopped, alive []int) {
	t.Helper()
	node = otherMaster(t, c, "rafka:{orders}:topic")
	if death.hasMetadata {
		node = c.Master(t, "rafka:{orders}:topic")
	}
	for i := range d.partitions {
		if c.Master(t, fmt.Sprintf("orders:%d", i)) == node {
			stopped = append(stopped, i)
		} else {
			alive = append(alive, i)
		}
	}
	return node, stopped, alive
}

// median returns the middle of the durations, which a few outliers don't change.
func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// A node that does not answer does not affect partitions on other nodes: they are read, and their
// leases are renewed even while they are idle.
func TestDeadNodeStopsOnlyReadsOfItsPartitions(t *testing.T) {
	t.Parallel()
	for name, death := range nodeFailures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := startIndependentNodes(t)
			d := onCluster(cluster, "orders", 12).withShortTimeouts()
			d.commitPeriod = "1s"
			client := cluster.Client(t)
			_, _, err := broker.NewTopics(client).Create(t.Context(), d.topic, d.partitions)
			require.NoError(t, err)
			consumers := newConsumers()
			ann := consumers.member(t, "ann", d)
			awaitLog(t, ann.log, "reading 12 partitions")
			dead, stopped, alive := death.choose(t, cluster, d)
			n := 0
			write := func(partitions []int) time.Duration {
				began := time.Now()
				for _, p := range partitions {
					stream := fmt.Sprintf("orders:%d", p)
					require.NoError(
						t,
						client.XAdd(
							t.Context(),
							&redis.XAddArgs{Stream: stream, Values: []string{"body", strconv.Itoa(n)}},
						).Err(),
					)
					n++
				}
				consumers.awaitCount(t, n)
				return time.Since(began)
			}
			idle, busy := alive[:1], alive[1:]
			var before, during []time.Duration
			for range 20 {
				before = append(before, write(busy))
			}
			write(stopped) // the node fails before these are committed
			death.fail(t, dead)
			died := time.Now()
			for time.Since(died) < 6*time.Second { // twice a session
				during = append(during, write(busy))
			}
			t.Logf(
				"%d rounds: half of them took at most %s, before the death %s",
				len(during),
				median(during),
				median(before),
			)
			assert.Less(t, median(during), time.Second, "the limit of a request")
			ann.awaitReady(t, false)
			write(idle)
			for _, line := range ann.log.Lines("Lost the leases") {
				_, list, _ := strings.Cut(strings.TrimSpace(line), "partitions=")
				for p := range strings.SplitSeq(list, ",") {
					lost, err := strconv.Atoi(p)
					require.NoError(t, err)
					assert.Contains(t, stopped, lost, "a lease on a live node")
				}
			}
			death.repair(t, dead)
			cluster.Await(t)
			awaitLagZero(t, client, d, n)
			consumers.await(t, n)
			ann.awaitReady(t, true)
			assert.LessOrEqual(t, consumers.repeated(), len(stopped))
		})
	}
}

// A batch with messages for a failed node waits, and occupies one of max_in_flight. Other batches
// are written as before.
func TestDeadNodeStopsOnlyWritesToItsPartitions(t *testing.T) {
	t.Parallel()
	for name, death := range nodeFailures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := startIndependentNodes(t)
			d := onCluster(cluster, "orders", 12).with("dial_timeout: 8s\nread_timeout: 8s\nwrite_timeout: 8s\n")
			_, _, err := broker.NewTopics(cluster.Client(t)).Create(t.Context(), d.topic, d.partitions)
			require.NoError(t, err)
			dead, stopped, alive := death.choose(t, cluster, d)
			out, writers := startManualWriters(t, d, "max_in_flight: 3\n", alive[1:], append(stopped, alive[0]))
			flowing, mixed := writers[0], writers[1]
			write := func() time.Duration {
				began := time.Now()
				require.NoError(t, flowing.write(t.Context(), 1))
				return time.Since(began)
			}
			var before, during []time.Duration
			require.NoError(t, mixed.write(t.Context(), 1))
			for range 50 {
				before = append(before, write())
			}
			death.fail(t, dead)
			died := time.Now()
			written := make(chan error, 1)
			go func() { written <- mixed.write(context.Background(), 20) }() // ends when the node is back
			// longer than the output caches the state of a topic
			for time.Since(died) < 12*time.Second {
				during = append(during, write())
			}
			slowest := slices.Max(during)
			t.Logf(
				"%d rounds: half took at most %s, the slowest %s; before the death %s",
				len(during),
				median(during),
				slowest,
				median(before),
			)
			assert.Less(t, median(during), time.Second)
			assert.Less(t, slowest, 6*time.Second, "no write waits until a request to the dead node has failed")
			out.awaitReady(t, false)
			assert.Contains(
				t,
				awaitLog(t, out.log, "level=ERROR", "Failed to connect"),
				"rafka:{orders:",
				"names the failed partition",
			)
			death.repair(t, dead)
			cluster.Await(t)
			require.NoError(t, <-written)
			out.awaitReady(t, true)
			write()
			consumers := newConsumers()
			consumers.join(t, "ann", d)
			consumers.awaitWriters(t, writers...)
			awaitLagZero(t, cluster.Client(t), d, len(flowing.numbers())+len(mixed.numbers()))
			assert.Zero(t, consumers.repeated())
		})
	}
}
