package script_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script"
)

// neighbours are keys of other slots that the same node serves.
func neighbours(t *testing.T, c *redistest.Cluster, key string, n int) []string {
	t.Helper()
	var found []string
	for i := 0; len(found) < n; i++ {
		if other := fmt.Sprintf("n%d", i); c.Master(t, other) == c.Master(t, key) {
			found = append(found, other)
		}
	}
	return found
}

// go-redis sends all of a node's pipeline again when the first command is refused for a reason that
// passes: whatever was executed, such as appends without sequence numbers, was executed up to four
// times.
func TestPipelineOnAClusterRunsEachScriptOnce(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0)
	client := cluster.Client(t)
	require.NoError(t, client.MSet(t.Context(), "{a}1", 0, "{a}2", 0).Err())
	from, to := cluster.Master(t, "{a}"), cluster.Nodes()[0]
	if to == from {
		to = cluster.Nodes()[1]
	}
	m := cluster.BeginMigration(t, cluster.Slot(t, "{a}"), to)
	m.Move(t, "{a}2")
	calls := []script.Call{countScript.Call([]string{"{a}1", "{a}2"})}
	for _, key := range neighbours(t, cluster, "{a}", 3) {
		calls = append(calls, countScript.Call([]string{key}))
	}
	calls = append(calls, countScript.Call([]string{"{a}2"})) // where it is now: by ASK
	replies := script.RunAll(t.Context(), client, calls)
	require.ErrorContains(t, replies[0].Err, "TRYAGAIN")
	for _, r := range replies[1:] {
		require.NoError(t, r.Err)
		assert.Equal(t, "1", script.ReplyOf(r.Value).Word(0))
	}

	m.Move(t)
	m.Finish(t)
	unaware := cluster.Client(t, func(o *redis.ClusterOptions) {
		o.ClusterSlots = func(ctx context.Context) ([]redis.ClusterSlot, error) { // as it was before
			return []redis.ClusterSlot{
				{Start: 0, End: script.Slots - 1, Nodes: []redis.ClusterNode{{Addr: from.Addr()}}},
			}, nil
		}
	})
	assert.Equal(t, "2", script.ReplyOf(script.RunAll(t.Context(), unaware, calls[4:])[0].Value).Word(0), "by MOVED")
}

// When a deadline passes while one node is being tried again, go-redis says of everything in the
// pipeline that it failed: one dead node had all leases of a member expire, though most were
// renewed.
func TestDeadNodeSpoilsNoAnswersOfOtherNodes(t *testing.T) {
	t.Parallel()
	const timeout = 4 * time.Second
	cluster := redistest.StartCluster(t, 3, 0, "--cluster-require-full-coverage", "no")
	client := cluster.Client(t, func(o *redis.ClusterOptions) {
		o.DialTimeout, o.ReadTimeout, o.ClusterStateReloadInterval = timeout/2, timeout/2, time.Hour
	})
	dead := cluster.Nodes()[0]
	var calls []script.Call
	away := map[int]bool{}
	for i := range 12 {
		key := fmt.Sprintf("k%d", i)
		calls = append(calls, countScript.Call([]string{key}))
		away[i] = cluster.Master(t, key) == dead
	}
	script.RunAll(t.Context(), client, calls)
	dead.Pause(t)
	for round := range 3 { // the first meets connections that are there, the others make new ones
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		began := time.Now()
		for i, r := range script.RunAll(ctx, client, calls) {
			if away[i] {
				require.Error(t, r.Err)
				continue
			}
			require.NoError(t, r.Err)
			assert.Equal(t, fmt.Sprint(round+2), script.ReplyOf(r.Value).Word(0))
		}
		assert.Less(t, time.Since(began), timeout*9/10, "there is time left for another call")
		cancel()
	}
}
