package topology

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// otherMaster returns a master that does not serve the key.
func otherMaster(t *testing.T, c *redistest.Cluster, key string) *redistest.Server {
	t.Helper()
	if to := c.Nodes()[0]; to != c.Master(t, key) {
		return to
	}
	return c.Nodes()[1]
}

func TestSlotOfActivePartitionMoves(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	d := onCluster(cluster, "orders", 8)
	consumers := newConsumers()
	ann, _ := consumers.join(t, "ann", d)
	bob, _ := consumers.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.awaitMore(t, 500)
	for _, key := range []string{"orders:0", "orders:5", "rafka:{orders}:topic"} {
		m := cluster.BeginMigration(t, cluster.Slot(t, key), otherMaster(t, cluster, key))
		load.awaitMore(t, 100)
		m.Move(t)
		load.awaitMore(t, 100)
		m.Finish(t)
		load.awaitMore(t, 100)
	}
	n := load.finish(t)
	consumers.await(t, n)
	awaitLagZero(t, cluster.Client(t), d, n)
	assert.Zero(t, consumers.repeated())
	for _, log := range []*journal{ann, bob, w.log} {
		// While the topic's own slot moves, Redis rejects scripts with a key that does not exist
		// with TRYAGAIN.
		assert.Len(t, log.Lines("TRYAGAIN"), len(log.Lines("level=ERROR")))
		assert.Empty(t, log.Lines("lost"))
	}
}

// While a slot moves, some of its keys are on one node and some on another, and no script can
// access both. The partition waits, with reads even longer than a session, while others continue;
// then it resumes at its position.
func TestHalfMovedSlotBlocksOnlyItsPartition(t *testing.T) {
	t.Parallel()
	for name, half := range map[string]struct {
		moved  string
		writer bool // the writer is affected, not the reader
	}{
		"stream": {"orders:0", true},
		"lease":  {"rafka:{orders:0}:lease:readers", false},
		"plan":   {"rafka:{orders}:plan:readers", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, 3, 0)
			d := onCluster(cluster, "orders", 8).withShortTimeouts()
			consumers := newConsumers()
			ann, _ := consumers.join(t, "ann", d)
			out, writers := startManualWriters(t, d, "", []int{0}, []int{1, 2, 3, 4, 5, 6, 7})
			stuck, others := writers[0], writers[1]
			require.NoError(t, stuck.write(t.Context(), 5))
			require.NoError(t, others.write(t.Context(), 5))
			consumers.awaitWriters(t, writers...)

			m := cluster.BeginMigration(t, cluster.Slot(t, half.moved), otherMaster(t, cluster, half.moved))
			m.Move(t, half.moved)
			began := time.Now()
			written := make(chan error, 1)
			go func() { written <- stuck.write(context.Background(), 5) }() // ends when the slot has moved
			for time.Since(began) < 5*time.Second {                         // longer than a session
				require.NoError(t, others.write(t.Context(), 1))
				consumers.awaitWriters(t, others)
			}
			if half.writer {
				awaitLog(t, out.log, "TRYAGAIN")
			} else {
				awaitLog(t, ann, "TRYAGAIN")
			}
			m.Move(t)
			m.Finish(t)
			require.NoError(t, <-written)
			require.NoError(t, stuck.write(t.Context(), 5))
			consumers.awaitWriters(t, writers...)
			awaitLagZero(t, cluster.Client(t), d, len(stuck.numbers())+len(others.numbers()))
			bob, _ := consumers.join(t, "bob", d)
			awaitLog(t, bob, "reading 4 partitions")
		})
	}
}

// A new node has no scripts.
func TestSlotsMoveToANewNodeUnderLoad(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	d := onCluster(cluster, "orders", 8)
	consumers := newConsumers()
	ann, _ := consumers.join(t, "ann", d)
	bob, _ := consumers.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.awaitMore(t, 200)
	added := cluster.AddMaster(t)
	moved := []string{"rafka:{orders}:topic"}
	for i := 0; i < d.partitions; i += 2 {
		moved = append(moved, fmt.Sprintf("orders:%d", i))
	}
	for _, key := range moved {
		cluster.MigrateSlot(t, cluster.Slot(t, key), added)
		load.awaitMore(t, 50)
	}
	stats, err := added.Client(t).Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	assert.Contains(t, stats, "cmdstat_eval:", "scripts are sent by source")
	slices.Reverse(moved)
	for _, key := range moved {
		cluster.MigrateSlot(t, cluster.Slot(t, key), cluster.Nodes()[0])
		load.awaitMore(t, 50)
	}
	n := load.finish(t)
	consumers.await(t, n)
	awaitLagZero(t, cluster.Client(t), d, n)
	assert.Zero(t, consumers.repeated())
	for _, log := range []*journal{ann, bob, w.log} {
		assert.Len(t, log.Lines("TRYAGAIN"), len(log.Lines("level=ERROR")))
		assert.Empty(t, log.Lines("level=WARN"))
	}
}
