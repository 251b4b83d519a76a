package access

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
)

func TestEvictionFollowsThePolicy(t *testing.T) {
	s := scripttest.OnRedis(t)
	for policy, want := range map[string]Eviction{
		"noeviction": {}, "volatile-lru": {ExpiringKeys: true}, "volatile-lfu": {ExpiringKeys: true},
		"volatile-random": {ExpiringKeys: true},
		"volatile-ttl":    {ExpiringKeys: true}, "allkeys-lru": {}, "allkeys-lfu": {}, "allkeys-random": {},
	} {
		require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
		e := QueryEviction(t.Context(), s.Client)
		assert.Equal(t, want.ExpiringKeys, e.ExpiringKeys, policy)
		if policy[:7] != "allkeys" {
			assert.Empty(t, e.Warning, policy)
			continue
		}
		assert.Contains(t, e.Warning, "maxmemory-policy "+policy)
		assert.Contains(t, e.Warning, "set maxmemory-policy to noeviction")
	}
}

func TestUnknownPolicyCountsAsNoEviction(t *testing.T) {
	server := redistest.Start(t, "--rename-command", "INFO", "", "--maxmemory-policy", "allkeys-lru")
	assert.Zero(t, QueryEviction(t.Context(), server.Client(t)))
	scripttest.OnBothServers(
		t,
		func(t *testing.T, s scripttest.Server) { assert.Zero(t, QueryEviction(t.Context(), s.Client)) },
	)
}

func TestEvictionByAnyMasterCountsForTheCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	client := cluster.Client(t)
	assert.Zero(t, QueryEviction(t.Context(), client))
	nodes := cluster.Nodes()
	set := func(node *redistest.Server, policy string) {
		require.NoError(t, node.Client(t).ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
	}
	set(nodes[1], "volatile-ttl")
	assert.Equal(t, Eviction{ExpiringKeys: true}, QueryEviction(t.Context(), client))
	set(nodes[2], "allkeys-lru")
	e := QueryEviction(t.Context(), client)
	assert.True(t, e.ExpiringKeys)
	assert.Contains(t, e.Warning, "the cluster node ")
}
