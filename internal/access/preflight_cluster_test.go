package access

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script"
)

func TestOnlyTopicsOfADeadNodeFailTheCheck(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0, "--cluster-require-full-coverage", "no")
	client := cluster.Client(t)
	require.NoError(t, CheckServer(t.Context(), client))
	cluster.Nodes()[1].Kill(t)
	require.NoError(t, CheckServer(t.Context(), client))
	alive, dead := "", ""
	for i := 0; alive == "" || dead == ""; i++ {
		key := fmt.Sprintf("topic%d", i)
		if slot := script.SlotOf(key); slot > script.Slots/3 && slot < 2*script.Slots/3 {
			dead = key
		} else {
			alive = key
		}
	}
	require.Eventually(
		t,
		func() bool { return CheckWriter(t.Context(), client, alive, 0) == nil },
		time.Minute,
		10*time.Millisecond,
	)
	require.Error(t, CheckWriter(t.Context(), client, dead, 0))
	for _, node := range cluster.Nodes() {
		node.Kill(t)
	}
	require.ErrorContains(t, CheckServer(t.Context(), client), "cluster node")
}

// A cluster of one node also routes requests, splits pipelines and rejects requests for several
// slots.
func TestChecksPassOnACluster(t *testing.T) {
	ctx, cluster := t.Context(), redistest.StartCluster(t, 1, 0).Client(t)
	_, _, err := broker.NewTopics(cluster).Create(ctx, "t", 8)
	require.NoError(t, err)
	require.NoError(t, CheckReader(ctx, cluster, "t", "g"))
	require.NoError(t, CheckWriter(ctx, cluster, "t", 0))
	require.NoError(t, CheckWriter(ctx, cluster, "plain", 0))
}
