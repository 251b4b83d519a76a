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

func TestReplicaOfADeadMasterIsUsed(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 1)
	d := onCluster(cluster, "orders", 8).hasty()
	crowd := newCrowd()
	crowd.join(t, "ann", d)
	crowd.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.more(t, 500)
	dead := cluster.Master(t, "orders:0")
	dead.Kill(t)
	cluster.AwaitPromotion(t, "orders:0")
	promoted := time.Now()
	load.more(t, 500)
	written := time.Since(promoted)
	crowd.awaitCount(t, crowd.count()+500)
	t.Logf("written again after %s, read again after %s", written, time.Since(promoted))
	assert.Less(
		t,
		time.Since(promoted),
		20*time.Second,
		"without waiting for the dead one, or for go-redis to look for masters",
	)
	dead.Restart(t)
	cluster.Await(t)
	load.more(t, 500)
	n := load.finish(t)
	crowd.await(t, n)
	awaitLagZero(t, cluster.Client(t), d, n)
	t.Logf("%d of %d repeated", crowd.repeated(), n)
}

// death is a way in which a node of a cluster, which has no replica, can be away.
type death struct {
	die, rise func(t *testing.T, node *redistest.Server)
	// metadata says that the node has the topic's own slot.
	metadata bool
}

// deaths: a node that is frozen keeps its connections and answers nothing; one that was killed
// refuses connections.
var deaths = map[string]death{
	"frozen": {die: freeze, rise: thaw},
	"killed": {
		die:  func(t *testing.T, node *redistest.Server) { t.Helper(); node.Kill(t) },
		rise: func(t *testing.T, node *redistest.Server) { t.Helper(); node.Restart(t) },
	},
	"frozen with the metadata": {die: freeze, rise: thaw, metadata: true},
}

func freeze(t *testing.T, node *redistest.Server) { t.Helper(); node.Pause(t) }

func thaw(t *testing.T, node *redistest.Server) { t.Helper(); node.Resume(t) }

// mortals is a cluster in which each node serves without the others and remembers what it served.
func mortals(t *testing.T) *redistest.Cluster {
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

// victim chooses the node that dies, and says which partitions are on it and which are not.
func (death death) victim(
	t *testing.T,
	c *redistest.Cluster,
	d deployment,
) (node *redistest.Server, stopped, alive []int) {
	t.Helper()
	node = another(t, c, "rafka:{orders}:topic")
	if death.metadata {
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

// median is the middle of the durations, which some that are exceptional don't change.
func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// One node that does not answer costs the partitions on the others nothing: they flow, and their
// leases live on though nothing flows.
func TestDeadNodeStopsReadingOfItsOwnPartitionsOnly(t *testing.T) {
	t.Parallel()
	for name, death := range deaths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := mortals(t)
			d := onCluster(cluster, "orders", 12).hasty()
			d.commitPeriod = "1s"
			client := cluster.Client(t)
			_, _, err := broker.NewTopics(client).Create(t.Context(), d.topic, d.partitions)
			require.NoError(t, err)
			crowd := newCrowd()
			ann := crowd.member(t, "ann", d)
			logged(t, ann.log, "reading 12 partitions")
			dead, stopped, alive := death.victim(t, cluster, d)
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
				crowd.awaitCount(t, n)
				return time.Since(began)
			}
			idle, busy := alive[:1], alive[1:]
			var before, during []time.Duration
			for range 20 {
				before = append(before, write(busy))
			}
			write(stopped) // it dies before these are committed
			death.die(t, dead)
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
			assert.Less(t, median(during), time.Second, "what a request may take")
			ann.awaitReady(t, false)
			write(idle)
			for _, line := range ann.log.Lines("Lost the leases") {
				_, list, _ := strings.Cut(strings.TrimSpace(line), "partitions=")
				for p := range strings.SplitSeq(list, ",") {
					lost, err := strconv.Atoi(p)
					require.NoError(t, err)
					assert.Contains(t, stopped, lost, "a lease at a node that lives")
				}
			}
			death.rise(t, dead)
			cluster.Await(t)
			awaitLagZero(t, client, d, n)
			crowd.await(t, n)
			ann.awaitReady(t, true)
			assert.LessOrEqual(t, crowd.repeated(), len(stopped))
		})
	}
}

// A batch with messages for a node that is away waits, and keeps one of max_in_flight busy. The
// others flow as before.
func TestDeadNodeStopsWritingToItsOwnPartitionsOnly(t *testing.T) {
	t.Parallel()
	for name, death := range deaths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := mortals(t)
			d := onCluster(cluster, "orders", 12).with("dial_timeout: 8s\nread_timeout: 8s\nwrite_timeout: 8s\n")
			_, _, err := broker.NewTopics(cluster.Client(t)).Create(t.Context(), d.topic, d.partitions)
			require.NoError(t, err)
			dead, stopped, alive := death.victim(t, cluster, d)
			out, lanes := startLanes(t, d, "max_in_flight: 3\n", alive[1:], append(stopped, alive[0]))
			flowing, mixed := lanes[0], lanes[1]
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
			death.die(t, dead)
			died := time.Now()
			written := make(chan error, 1)
			go func() { written <- mixed.write(context.Background(), 20) }() // ends when the node is back
			// longer than a topic is taken to be as it was
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
			assert.Less(t, slowest, 6*time.Second, "nobody waits until a request to the dead node has failed")
			out.awaitReady(t, false)
			assert.Contains(
				t,
				logged(t, out.log, "level=ERROR", "Failed to connect"),
				"rafka:{orders:",
				"names what is away",
			)
			death.rise(t, dead)
			cluster.Await(t)
			require.NoError(t, <-written)
			out.awaitReady(t, true)
			write()
			crowd := newCrowd()
			crowd.join(t, "ann", d)
			crowd.awaitLanes(t, lanes...)
			awaitLagZero(t, cluster.Client(t), d, len(flowing.numbers())+len(mixed.numbers()))
			assert.Zero(t, crowd.repeated())
		})
	}
}
