package broker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

func TestEvictionGoesByThePolicy(t *testing.T) {
	s := onRedis(t)
	for policy, want := range map[string]Eviction{
		"noeviction": {}, "volatile-lru": {ExpiringKeys: true}, "volatile-lfu": {ExpiringKeys: true}, "volatile-random": {ExpiringKeys: true},
		"volatile-ttl": {ExpiringKeys: true}, "allkeys-lru": {}, "allkeys-lfu": {}, "allkeys-random": {},
	} {
		require.NoError(t, s.client.ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
		e := AskEviction(t.Context(), s.client)
		assert.Equal(t, want.ExpiringKeys, e.ExpiringKeys, policy)
		if policy[:7] != "allkeys" {
			assert.Empty(t, e.Warning, policy)
			continue
		}
		assert.Contains(t, e.Warning, "maxmemory-policy "+policy)
		assert.Contains(t, e.Warning, "set maxmemory-policy to noeviction")
	}
}

func TestUnknownEvictionIsNone(t *testing.T) {
	server := redistest.Start(t, "--rename-command", "INFO", "", "--maxmemory-policy", "allkeys-lru")
	assert.Zero(t, AskEviction(t.Context(), server.Client(t)))
	onBothServers(t, func(t *testing.T, s testServer) { assert.Zero(t, AskEviction(t.Context(), s.client)) })
}

func TestEvictionOfAClusterIsThatOfAnyMaster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3, 0)
	client := cluster.Client(t)
	assert.Zero(t, AskEviction(t.Context(), client))
	nodes := cluster.Nodes()
	set := func(node *redistest.Server, policy string) {
		require.NoError(t, node.Client(t).ConfigSet(t.Context(), "maxmemory-policy", policy).Err())
	}
	set(nodes[1], "volatile-ttl")
	assert.Equal(t, Eviction{ExpiringKeys: true}, AskEviction(t.Context(), client))
	set(nodes[2], "allkeys-lru")
	e := AskEviction(t.Context(), client)
	assert.True(t, e.ExpiringKeys)
	assert.Contains(t, e.Warning, "the cluster node ")
}

// keepers are a group and leases that are kept for ever if keep is set.
func (s testServer) keepers(keep bool) (*Group, *Leases) {
	return NewGroup(s.client, "orders", "billing", KeepUnused(keep)),
		NewLeases(s.client, LeasesOptions{Topic: "orders", Group: "billing", KeepUnused: keep})
}

func TestKeptKeysHaveNoExpiryAndOthersGetOne(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		for _, keep := range []bool{false, true, false, true} {
			check := func(doing string, keys ...string) {
				t.Helper()
				for _, key := range keys {
					assert.Equal(t, keep, s.client.PTTL(t.Context(), key).Val() == -1, "%s: %s", doing, key)
				}
			}
			other := func(key string) { // as another setting left it
				if keep {
					require.NoError(t, s.client.PExpire(t.Context(), key, time.Hour).Err())
				} else {
					require.NoError(t, s.client.Persist(t.Context(), key).Err())
				}
			}
			group, leases := s.keepers(keep)
			beat(t, group, "m1")
			check("beat", testPlan, testMembers)
			lease, _ := granted(t, leases, "m1")
			check("claim", testLease)
			for doing, do := range map[string]func() error{
				"commit": func() error { return commit(t, leases, lease, 1, 0, 1) },
				"renew":  func() error { return leases.Renew(t.Context(), testTTL, []splits.Lease{lease})[0] },
				"reset":  func() error { return leases.Reset(t.Context(), testTTL, splits.Commit{Lease: lease}) },
			} {
				other(testLease)
				require.NoError(t, do())
				check(doing, testLease)
			}
			other(testLease)
			require.NoError(t, leases.Release(t.Context(), []splits.Lease{lease})[0])
			check("release", testLease)
		}
	})
}

func TestFullServerThatEvictsExpiringKeysKeepsLeasesAndLetsWorkGoOn(t *testing.T) {
	for _, keep := range []bool{true, false} {
		s := onRedis(t)
		group, leases := s.keepers(keep)
		s.add(t, testSplit.Key, "*")
		beat(t, group, "m1")
		lease, _ := granted(t, leases, "m1")
		require.NoError(t, commit(t, leases, lease, 5, 0, 1))
		require.NoError(t, s.client.Set(t.Context(), producerKey(testSplit.Key, "p"), "1:1", time.Hour).Err())
		for setting, value := range map[string]string{"maxmemory-policy": "volatile-lru", "maxmemory": "1"} {
			require.NoError(t, s.client.ConfigSet(t.Context(), setting, value).Err())
		}
		require.Eventually(t, func() bool {
			_ = s.client.Set(t.Context(), "new", "x", 0).Err() // has the server look for memory
			return s.client.Exists(t.Context(), producerKey(testSplit.Key, "p")).Val() == 0
		}, time.Minute, time.Millisecond)
		if !keep {
			assert.Zero(
				t,
				s.client.Exists(t.Context(), testLease, testPlan, testMembers).Val(),
				"this is what must not happen",
			)
			continue
		}
		beat(t, group, "m1")
		require.NoError(t, commit(t, leases, lease, 6, 0, 2))
		require.NoError(t, leases.Renew(t.Context(), testTTL, []splits.Lease{lease})[0])
		require.NoError(t, leases.Release(t.Context(), []splits.Lease{lease})[0])
		require.ErrorContains(t, s.client.Set(t.Context(), "new", "x", 0).Err(), "OOM")
		require.NoError(t, s.client.ConfigSet(t.Context(), "maxmemory", "0").Err())
		_, again := granted(t, leases, "m2")
		assert.Equal(t, position(6, 0, 2), again.Position)
		assert.EqualValues(t, 4, s.client.Exists(t.Context(), testSplit.Key, testLease, testPlan, testMembers).Val())
	}
}

// The state of a producer keeps its expiry, so such a server may take it.
func TestEvictedStateOfAProducerStopsNoAppends(t *testing.T) {
	s := onRedis(t)
	a := NewAppends(s.client, AppendOptions{ProducerTTL: time.Hour})
	require.Equal(t, appender.Written, appendOne(t, a, part(1, 1, "a")).Status)
	require.EqualValues(t, 1, s.client.Del(t.Context(), producerKey("s", "p1")).Val())
	assert.Equal(t, appender.Written, appendOne(t, a, part(1, 2, "b")).Status)
	assert.Equal(t, []string{"a", "b"}, bodies(t, s.client, "s"))
}

func TestSoughtLeaseIsKeptWhereExpiringKeysAreEvicted(t *testing.T) {
	s := onRedis(t)
	s.fill(t)
	s.sought(t, "earliest")
	assert.Positive(t, s.client.PTTL(t.Context(), testLease).Val())
	require.NoError(t, s.client.ConfigSet(t.Context(), "maxmemory-policy", "volatile-lru").Err())
	s.sought(t, "latest")
	assert.Negative(t, s.client.PTTL(t.Context(), testLease).Val())
}
