package broker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

// keepers returns a group and leases that Redis keeps forever if keep is set.
func (s testServer) keepers(keep bool) (*Group, *Leases) {
	return NewGroup(s.Client, "orders", "billing", KeepUnused(keep)),
		NewLeases(s.Client, LeasesOptions{Topic: "orders", Group: "billing", KeepUnused: keep})
}

func TestKeysHaveAnExpiryUnlessTheyAreKept(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		for _, keep := range []bool{false, true, false, true} {
			check := func(doing string, keys ...string) {
				t.Helper()
				for _, key := range keys {
					assert.Equal(t, keep, s.Client.PTTL(t.Context(), key).Val() == -1, "%s: %s", doing, key)
				}
			}
			other := func(key string) { // simulates the expiry that the other setting leaves
				if keep {
					require.NoError(t, s.Client.PExpire(t.Context(), key, time.Hour).Err())
				} else {
					require.NoError(t, s.Client.Persist(t.Context(), key).Err())
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

func TestFullServerThatEvictsExpiringKeysKeepsLeases(t *testing.T) {
	for _, keep := range []bool{true, false} {
		s := onRedis(t)
		group, leases := s.keepers(keep)
		s.Add(t, testSplit.Key, "*")
		beat(t, group, "m1")
		lease, _ := granted(t, leases, "m1")
		require.NoError(t, commit(t, leases, lease, 5, 0, 1))
		require.NoError(t, s.Client.Set(t.Context(), keys.Producer(testSplit.Key, "p"), "1:1", time.Hour).Err())
		for setting, value := range map[string]string{"maxmemory-policy": "volatile-lru", "maxmemory": "1"} {
			require.NoError(t, s.Client.ConfigSet(t.Context(), setting, value).Err())
		}
		require.Eventually(t, func() bool {
			_ = s.Client.Set(t.Context(), "new", "x", 0).Err() // makes the server evict keys
			return s.Client.Exists(t.Context(), keys.Producer(testSplit.Key, "p")).Val() == 0
		}, time.Minute, time.Millisecond)
		if !keep {
			assert.Zero(
				t,
				s.Client.Exists(t.Context(), testLease, testPlan, testMembers).Val(),
				"this is what must not happen",
			)
			continue
		}
		beat(t, group, "m1")
		require.NoError(t, commit(t, leases, lease, 6, 0, 2))
		require.NoError(t, leases.Renew(t.Context(), testTTL, []splits.Lease{lease})[0])
		require.NoError(t, leases.Release(t.Context(), []splits.Lease{lease})[0])
		require.ErrorContains(t, s.Client.Set(t.Context(), "new", "x", 0).Err(), "OOM")
		require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "0").Err())
		_, again := granted(t, leases, "m2")
		assert.Equal(t, position(6, 0, 2), again.Position)
		assert.EqualValues(t, 4, s.Client.Exists(t.Context(), testSplit.Key, testLease, testPlan, testMembers).Val())
	}
}

// The state of a producer keeps its expiry, so such a server may evict the state.
func TestAppendsContinueAfterTheProducerStateIsEvicted(t *testing.T) {
	s := onRedis(t)
	a := NewAppends(s.Client, AppendOptions{ProducerTTL: time.Hour})
	require.Equal(t, appender.Written, appendOne(t, a, part(1, 1, "a")).Status)
	require.EqualValues(t, 1, s.Client.Del(t.Context(), keys.Producer("s", "p1")).Val())
	assert.Equal(t, appender.Written, appendOne(t, a, part(1, 2, "b")).Status)
	assert.Equal(t, []string{"a", "b"}, bodies(t, s.Client, "s"))
}
