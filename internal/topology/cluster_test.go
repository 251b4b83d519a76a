//go:build topology

package topology

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

const shortTimeouts = `
dial_timeout: 1s
read_timeout: 1s
write_timeout: 1s
`

func onCluster(c *redistest.Cluster, topic string, partitions int) deployment {
	return deployment{fields: "kind: cluster\nurl: '" + c.URL() + "'" + shortTimeouts, topic: topic, partitions: partitions}
}

func TestClusterDeliversEveryMessageOnce(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]struct {
		topic      string
		partitions int
	}{"spread": {"orders", 8}, "co-located": {"{eu}.orders", 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, 3, 0)
			d := onCluster(cluster, d.topic, d.partitions)
			crowd := newCrowd()
			ann, _ := crowd.join(t, "ann", d)
			bob, stopBob := crowd.join(t, "bob", d)
			w := startWriter(t, d)
			require.NoError(t, w.write(t.Context(), 2500))
			crowd.await(t, 2500)
			stopBob()
			require.NoError(t, w.write(t.Context(), 2500))
			crowd.await(t, 5000)
			awaitLagZero(t, cluster.Client(t), d, 5000)
			assert.Zero(t, crowd.repeated())
			assert.Positive(t, crowd.share("ann"))
			for _, log := range []*journal{ann, bob, w.log} {
				assert.Empty(t, log.Lines("level=ERROR"))
				assert.Empty(t, log.Lines("level=WARN"))
			}
		})
	}
}

func TestSlotOfALivePartitionMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	d := onCluster(cluster, "orders", 8)
	crowd := newCrowd()
	ann, _ := crowd.join(t, "ann", d)
	bob, _ := crowd.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.more(t, 500)
	for _, key := range []string{"orders:0", "orders:5", "rafka:{orders}:topic"} {
		if key == "rafka:{orders}:topic" {
			assert.Empty(t, append(append(ann.Lines("ERROR"), bob.Lines("ERROR")...), w.log.Lines("ERROR")...))
		}
		from := cluster.Master(t, key)
		to := cluster.Nodes()[0]
		if to == from {
			to = cluster.Nodes()[1]
		}
		m := cluster.BeginMigration(t, cluster.Slot(t, key), to)
		load.more(t, 100)
		m.Move(t)
		load.more(t, 100)
		m.Finish(t)
		load.more(t, 100)
	}
	n := load.finish(t)
	crowd.await(t, n)
	awaitLagZero(t, cluster.Client(t), d, n)
	assert.Zero(t, crowd.repeated())
	for _, log := range []*journal{ann, bob, w.log} {
		// While the topic's own slot is on the move, scripts that name a key which does not exist are put off.
		assert.Len(t, log.Lines("TRYAGAIN"), len(log.Lines("level=ERROR")))
		assert.Empty(t, log.Lines("lost"))
	}
}

func TestReplicaOfADeadMasterIsUsed(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 1)
	d := onCluster(cluster, "orders", 8)
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
	assert.Less(t, time.Since(promoted), 10*time.Second, "without waiting for the dead one")
	dead.Restart(t)
	cluster.Await(t)
	load.more(t, 500)
	n := load.finish(t)
	crowd.await(t, n)
	awaitLagZero(t, cluster.Client(t), d, n)
	t.Logf("%d of %d repeated", crowd.repeated(), n)
}

// One node that does not answer costs the partitions on the others nothing: they flow, and their leases live on though nothing flows.
func TestDeadNodeStopsItsOwnPartitionsOnly(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0, "--cluster-require-full-coverage", "no")
	d := onCluster(cluster, "orders", 12)
	d.commitPeriod = "1s"
	client := cluster.Client(t)
	_, _, err := broker.NewTopics(client).Create(t.Context(), d.topic, d.partitions)
	require.NoError(t, err)
	crowd := newCrowd()
	ann, _ := crowd.join(t, "ann", d)
	require.Eventually(t, func() bool { return len(ann.Lines("reading 12 partitions")) > 0 }, 20*time.Second, 10*time.Millisecond)

	dead := cluster.Nodes()[0]
	if dead == cluster.Master(t, "rafka:{orders}:topic") {
		dead = cluster.Nodes()[1]
	}
	var alive, stopped []string
	for i := range d.partitions {
		if key := fmt.Sprintf("orders:%d", i); cluster.Master(t, key) != dead {
			alive = append(alive, key)
		} else {
			stopped = append(stopped, key)
		}
	}
	n := 0
	write := func(partitions []string) {
		for _, key := range partitions {
			require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: key, Values: []string{"body", fmt.Sprint(n)}}).Err())
			n++
		}
		crowd.awaitCount(t, n)
	}
	idle, busy := alive[:1], alive[1:]
	write(stopped) // it dies before these are committed
	dead.Pause(t)
	paused := time.Now()
	slowest := time.Duration(0)
	for time.Since(paused) < 6*time.Second { // twice a session
		began := time.Now()
		write(busy)
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("%d messages, the slowest took %s", n, slowest)
	assert.Less(t, slowest, 2*time.Second)
	write(idle)
	lost := ann.Lines("Lost the leases")
	if assert.Len(t, lost, 1) {
		assert.Contains(t, lost[0], fmt.Sprintf("Lost the leases of %d partitions", len(stopped)))
	}
	dead.Resume(t)
	cluster.Await(t)
	awaitLagZero(t, client, d, n)
	crowd.await(t, n)
	assert.LessOrEqual(t, crowd.repeated(), len(stopped))
}

// Every partition of a cluster has a read of its own, which waits at its node: they must not wait for each other.
func TestManyPartitionsOfAClusterAreReadAtOnce(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 1, 0)
	d := onCluster(cluster, "orders", 400)
	crowd := newCrowd()
	client := cluster.Client(t)
	_, _, err := broker.NewTopics(client).Create(t.Context(), d.topic, d.partitions)
	require.NoError(t, err)
	ann, _ := crowd.join(t, "ann", d)
	require.Eventually(t, func() bool { return len(ann.Lines("reading 400 partitions")) > 0 }, 20*time.Second, 10*time.Millisecond)
	slowest := time.Duration(0)
	for n := range 10 {
		began := time.Now()
		require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders:7", Values: []string{"body", fmt.Sprint(n)}}).Err())
		crowd.await(t, n+1)
		slowest = max(slowest, time.Since(began))
	}
	t.Logf("the slowest took %s", slowest)
	assert.Less(t, slowest, time.Second)
	assert.Empty(t, ann.Lines("level=ERROR"))
}
