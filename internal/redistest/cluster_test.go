package redistest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestClusterServesAllSlots(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, 0)
	assert.Len(t, strings.Split(c.URL(), ","), 3)
	client := c.Client(t)
	masters := map[*Server]bool{}
	for i := range 100 {
		key := fmt.Sprint("k", i)
		require.NoError(t, client.Set(t.Context(), key, i, 0).Err())
		masters[c.Master(t, key)] = true
	}
	assert.Len(t, masters, 3, "all masters have keys")
}

func TestReplicaTakesOverFromMaster(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, 1)
	client := c.Client(t)
	require.NoError(t, client.Set(t.Context(), "k", "v", 0).Err())
	first := c.Master(t, "k")
	second := c.Failover(t, first)
	assert.Equal(t, c.Nodes()[3:][indexOf(c.Nodes(), first)], second, "the replica of the dead master")
	assert.Equal(t, second, c.Master(t, "k"))

	second.Kill(t)
	assert.Equal(t, first, c.AwaitPromotion(t, "k"))
	second.Restart(t)
	c.Await(t)
	assert.Equal(t, first, c.Master(t, "k"))
	v, err := c.Client(t).Get(t.Context(), "k").Result()
	require.NoError(t, err)
	assert.Equal(t, "v", v)
}

func indexOf(servers []*Server, s *Server) int {
	for i := range servers {
		if servers[i] == s {
			return i
		}
	}
	return -1
}

func TestSlotMovesWithItsKeys(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 2, 0)
	client := c.Client(t)
	for i := range 250 {
		require.NoError(t, client.Set(t.Context(), fmt.Sprint("{k}:", i), i, 0).Err())
	}
	from, slot := c.Master(t, "{k}"), c.Slot(t, "{k}")
	to := c.Nodes()[1-indexOf(c.Nodes(), from)]

	m := c.BeginMigration(t, slot, to)
	m.Move(t, "{k}:0", "{k}:missing")
	direct := from.Client(t)
	require.NoError(t, direct.Get(t.Context(), "{k}:1").Err())
	require.ErrorContains(t, direct.Get(t.Context(), "{k}:0").Err(), "ASK")
	require.ErrorContains(t, direct.MGet(t.Context(), "{k}:0", "{k}:1").Err(), "TRYAGAIN")
	m.Move(t)
	m.Finish(t)
	require.ErrorContains(t, direct.Get(t.Context(), "{k}:1").Err(), "MOVED")
	assert.Equal(t, to, c.Master(t, "{k}"))
	for i := range 250 {
		require.NoError(t, client.Get(t.Context(), fmt.Sprint("{k}:", i)).Err())
	}
	c.MigrateSlot(t, slot, from)
	assert.Equal(t, from, c.Master(t, "{k}"))
	require.NoError(t, client.Get(t.Context(), "{k}:7").Err())
}

func TestManySlotsMoveTogether(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 2, 0)
	client := c.Client(t)
	require.NoError(t, client.Set(t.Context(), "k", "v", 0).Err())
	from, slot := c.Master(t, "k"), c.Slot(t, "k")
	to := c.Nodes()[1-indexOf(c.Nodes(), from)]
	var moved []int
	for s := slot - 50; s < slot+50; s++ {
		moved = append(moved, s)
	}
	c.Reshard(t, moved, from, to)
	assert.Equal(t, to, c.Master(t, "k"))
	require.ErrorContains(t, from.Client(t).Get(t.Context(), "k").Err(), "MOVED")
	require.NoError(t, client.Get(t.Context(), "k").Err())
}

func TestClusterStopsServingWithoutAllSlots(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 3, 0)
	dead, alive := c.Nodes()[0], c.Nodes()[1]
	dead.Kill(t)
	waitFor(t, "the cluster to be down", func(ctx context.Context) error {
		info, err := alive.doText(ctx, "cluster", "info")
		return requireParts(err, info, "cluster_state:fail")
	})
	require.ErrorContains(t, alive.Client(t).Get(t.Context(), "x").Err(), "CLUSTERDOWN")
	dead.Restart(t)
	c.Await(t)
	require.ErrorIs(t, c.Client(t).Get(t.Context(), "x").Err(), redis.Nil)
}

func TestAddedMasterHasNoSlots(t *testing.T) {
	t.Parallel()
	c := StartCluster(t, 2, 0)
	added := c.AddMaster(t)
	client := c.Client(t)
	require.NoError(t, client.Set(t.Context(), "k", "v", 0).Err())
	assert.NotEqual(t, added, c.Master(t, "k"))
	c.MigrateSlot(t, c.Slot(t, "k"), added)
	assert.Equal(t, added, c.Master(t, "k"))
	v, err := client.Get(t.Context(), "k").Result()
	require.NoError(t, err)
	assert.Equal(t, "v", v)
}
