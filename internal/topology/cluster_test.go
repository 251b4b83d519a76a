package topology

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func onCluster(c *redistest.Cluster, topic string, partitions int) deployment {
	return deployment{fields: "kind: cluster\nurl: '" + c.URL() + "'\n", topic: topic, partitions: partitions}
}

// blocked returns the number of rafka's connections that wait for entries, on all nodes.
func blocked(t *testing.T, c *redistest.Cluster) (n int) {
	t.Helper()
	for _, node := range c.Nodes() {
		list, err := node.Client(t).ClientList(t.Context()).Result()
		require.NoError(t, err)
		for line := range strings.Lines(list) {
			if strings.Contains(line, " name=rafka ") && strings.Contains(line, " flags=b ") {
				n++
			}
		}
	}
	return n
}

// A topic whose name has a hash tag is in one slot: one connection and one read serve all of its
// partitions. Otherwise each partition needs a read.
func TestClusterDeliversEveryMessageOnce(t *testing.T) {
	t.Parallel()
	for name, topic := range map[string]struct {
		name              string
		partitions, reads int
	}{"spread": {"orders", 8, 8}, "co-located": {"{eu}.orders", 8, 1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, 3, 0)
			d := onCluster(cluster, topic.name, topic.partitions)
			consumers := newConsumers()
			ann, _ := consumers.join(t, "ann", d)
			bob, stopBob := consumers.join(t, "bob", d)
			w := startWriter(t, d)
			require.NoError(t, w.write(t.Context(), 2500))
			consumers.await(t, 2500)
			stopBob()
			require.NoError(t, w.write(t.Context(), 2500))
			consumers.await(t, 5000)
			awaitLagZero(t, cluster.Client(t), d, 5000)
			most := 0
			require.Eventually(
				t,
				func() bool { most = max(most, blocked(t, cluster)); return most == topic.reads },
				time.Minute,
				time.Millisecond,
			)
			assert.Zero(t, consumers.repeated())
			assert.Positive(t, consumers.share("ann"))
			for _, log := range []*journal{ann, bob, w.log} {
				assert.Empty(t, log.Lines("level=ERROR"))
				assert.Empty(t, log.Lines("level=WARN"))
			}
		})
	}
}

// Each partition of a cluster needs a read, which blocks on its node. The reads must not wait
// for each other, as they would with go-redis' default pool size.
func TestClusterPartitionsAreReadConcurrently(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 1, 0)
	pool := 10 * runtime.GOMAXPROCS(0)
	d := onCluster(cluster, "orders", 2*pool)
	_, _, err := broker.NewTopics(cluster.Client(t)).Create(t.Context(), d.topic, d.partitions)
	require.NoError(t, err)
	newConsumers().join(t, "ann", d)
	require.Eventually(t, func() bool { return blocked(t, cluster) > pool }, time.Minute, time.Millisecond)
}

// A release is published on the node of the partition, and a waiting member is subscribed on the
// node of the topic's own slot. Without the hint, the member would only notice at its next
// heartbeat.
func TestReleaseWakesMemberOnAnotherNode(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	d := onCluster(cluster, "orders", 12)
	client := cluster.Client(t)
	_, _, err := broker.NewTopics(client).Create(t.Context(), d.topic, d.partitions)
	require.NoError(t, err)
	elsewhere := 0
	for i := range d.partitions {
		if cluster.Master(t, fmt.Sprintf("orders:%d", i)) != cluster.Master(t, "rafka:{orders}:topic") {
			elsewhere++
		}
	}
	require.Greater(t, elsewhere, 6, "one of the released partitions is on another node")
	consumers := newConsumers()
	ann, _ := consumers.join(t, "ann", d)
	awaitLog(t, ann, "reading 12 partitions")
	began := time.Now()
	bob, stopBob := consumers.join(t, "bob", d)
	awaitLog(t, bob, "reading 6 partitions")
	t.Logf("bob reads after %s", time.Since(began))
	stopBob()
	require.Eventually(
		t,
		func() bool { return len(ann.Lines("reading 12 partitions")) > 1 },
		time.Minute,
		10*time.Millisecond,
	)
	assert.Less(t, time.Since(began), 15*time.Second, "before the next heartbeat")
}

// The majority of the masters is down, so the last one rejects everything.
func TestPipelineRecoversFromClusterOutage(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	d := onCluster(cluster, "orders", 8).withShortTimeouts()
	consumers := newConsumers()
	ann := consumers.member(t, "ann", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.awaitMore(t, 500)
	nodes := cluster.Nodes()
	for _, node := range nodes[1:] {
		node.Pause(t)
	}
	survivor := nodes[0].Client(t)
	require.Eventually(t, func() bool {
		info, err := survivor.ClusterInfo(context.Background()).Result()
		return err == nil && strings.Contains(info, "cluster_state:fail")
	}, time.Minute, 20*time.Millisecond)
	ann.awaitReady(t, false)
	w.awaitReady(t, false)
	awaitLog(t, ann.log, "level=ERROR", "unavailable, retrying")
	awaitLog(t, w.log, "level=ERROR", "Failed to connect")
	for _, node := range nodes[1:] {
		node.Resume(t)
	}
	cluster.Await(t)
	ann.awaitReady(t, true)
	load.awaitMore(t, 500)
	w.awaitReady(t, true)
	n := load.finish(t)
	consumers.await(t, n)
	awaitLagZero(t, cluster.Client(t), d, n)
}
