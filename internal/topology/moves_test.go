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

// another is a master other than that of the key.
func another(t *testing.T, c *redistest.Cluster, key string) *redistest.Server {
	t.Helper()
	if to := c.Nodes()[0]; to != c.Master(t, key) {
		return to
	}
	return c.Nodes()[1]
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
		m := cluster.BeginMigration(t, cluster.Slot(t, key), another(t, cluster, key))
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
		// While the topic's own slot is on the move, scripts that name a key which does not exist
		// are put off.
		assert.Len(t, log.Lines("TRYAGAIN"), len(log.Lines("level=ERROR")))
		assert.Empty(t, log.Lines("lost"))
	}
}

// Of a slot on the move, some keys are here and some there, and no script can have both: the
// partition waits, for reading longer than a session, the others flow, and then it goes on where it
// was.
func TestHalfMovedSlotHoldsUpItsOwnPartitionOnly(t *testing.T) {
	t.Parallel()
	for name, half := range map[string]struct {
		moved  string
		writer bool // it is the writer that meets it
	}{
		"stream": {"orders:0", true}, "lease": {"rafka:{orders:0}:lease:crowd", false}, "plan": {"rafka:{orders}:plan:crowd", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := redistest.StartCluster(t, 3, 0)
			d := onCluster(cluster, "orders", 8).hasty()
			crowd := newCrowd()
			ann, _ := crowd.join(t, "ann", d)
			out, lanes := startLanes(t, d, "", []int{0}, []int{1, 2, 3, 4, 5, 6, 7})
			stuck, others := lanes[0], lanes[1]
			require.NoError(t, stuck.write(t.Context(), 5))
			require.NoError(t, others.write(t.Context(), 5))
			crowd.awaitLanes(t, lanes...)

			m := cluster.BeginMigration(t, cluster.Slot(t, half.moved), another(t, cluster, half.moved))
			m.Move(t, half.moved)
			began := time.Now()
			written := make(chan error, 1)
			go func() { written <- stuck.write(context.Background(), 5) }() // ends when the slot has moved
			for time.Since(began) < 5*time.Second {                         // longer than a session
				require.NoError(t, others.write(t.Context(), 1))
				crowd.awaitLanes(t, others)
			}
			if half.writer {
				logged(t, out.log, "TRYAGAIN")
			} else {
				logged(t, ann, "TRYAGAIN")
			}
			m.Move(t)
			m.Finish(t)
			require.NoError(t, <-written)
			require.NoError(t, stuck.write(t.Context(), 5))
			crowd.awaitLanes(t, lanes...)
			awaitLagZero(t, cluster.Client(t), d, len(stuck.numbers())+len(others.numbers()))
			bob, _ := crowd.join(t, "bob", d)
			logged(t, bob, "reading 4 partitions")
		})
	}
}

// A node that is new knows no scripts.
func TestSlotsMoveToANewNodeUnderLoad(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	d := onCluster(cluster, "orders", 8)
	crowd := newCrowd()
	ann, _ := crowd.join(t, "ann", d)
	bob, _ := crowd.join(t, "bob", d)
	w := startWriter(t, d)
	load := startLoad(t, w)
	load.more(t, 200)
	added := cluster.AddMaster(t)
	moved := []string{"rafka:{orders}:topic"}
	for i := 0; i < d.partitions; i += 2 {
		moved = append(moved, fmt.Sprintf("orders:%d", i))
	}
	for _, key := range moved {
		cluster.MigrateSlot(t, cluster.Slot(t, key), added)
		load.more(t, 50)
	}
	stats, err := added.Client(t).Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	assert.Contains(t, stats, "cmdstat_eval:", "by their source")
	slices.Reverse(moved)
	for _, key := range moved {
		cluster.MigrateSlot(t, cluster.Slot(t, key), cluster.Nodes()[0])
		load.more(t, 50)
	}
	n := load.finish(t)
	crowd.await(t, n)
	awaitLagZero(t, cluster.Client(t), d, n)
	assert.Zero(t, crowd.repeated())
	for _, log := range []*journal{ann, bob, w.log} {
		assert.Len(t, log.Lines("TRYAGAIN"), len(log.Lines("level=ERROR")))
		assert.Empty(t, log.Lines("level=WARN"))
	}
}
