package admin

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

func TestDeleteGroupRemovesAllItsKeys(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		topic := written(t, s.Client, "orders", 3)
		before := keysOf(t, s.Client)
		other := used(t, s.Client, topic, "shipping", "m9")
		kept := keysOf(t, s.Client)
		leases := used(t, s.Client, topic, "billing", "m1")

		_, err := a.DeleteGroup(t.Context(), "orders", "billing", false)
		var inUse *GroupAliveError
		require.ErrorAs(t, err, &inUse)
		assert.Equal(t, []string{"m1"}, inUse.Members)
		leave(t, s.Client, "orders", "billing", leases)

		all := keysOf(t, s.Client)
		dry, err := a.DeleteGroup(t.Context(), "orders", "billing", true)
		require.NoError(t, err)
		assert.ElementsMatch(t, all, keysOf(t, s.Client))
		deleted, err := a.DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
		dry.DryRun = false
		assert.Equal(t, dry, deleted)
		require.Len(t, deleted.Partitions, 3)
		assert.NotNil(t, deleted.Partitions[0].Committed)
		assert.ElementsMatch(t, kept, keysOf(t, s.Client))
		if !s.Embedded {
			groups, err := s.Client.XInfoGroups(t.Context(), "orders:0").Result()
			require.NoError(t, err)
			require.Len(t, groups, 1)
			assert.Equal(t, "shipping", groups[0].Name, "the mirror is deleted with its group")
		}

		late := broker.NewLeases(s.Client, broker.LeasesOptions{Topic: "orders", Group: "billing"})
		commit := splits.Commit{Lease: leases[0], Position: position(1, 0, 1)}
		require.ErrorIs(t, late.Commit(t.Context(), testTTL, []splits.Commit{commit})[0], splits.ErrFenced)
		require.ErrorIs(t, late.Renew(t.Context(), testTTL, leases[:1])[0], splits.ErrFenced)
		require.ErrorIs(t, late.Reset(t.Context(), testTTL, commit), splits.ErrFenced)
		assert.ElementsMatch(
			t,
			kept,
			keysOf(t, s.Client),
			"late requests of a dead member create no keys",
		)
		_, err = a.DeleteGroup(t.Context(), "orders", "billing", false)
		require.ErrorAs(t, err, new(*GroupNotFoundError))

		g := late.Claim(t.Context(), "m2", testTTL, []splits.Claim{{Split: topic.Split(0)}})[0]
		require.NoError(t, g.Err)
		assert.Equal(t, splits.Offset{}, g.Position.Offset, "a new group of the same name does not continue")
		leave(t, s.Client, "orders", "shipping", other)
		_, err = a.DeleteGroup(t.Context(), "orders", "shipping", false)
		require.NoError(t, err)
		require.NoError(t, s.Client.Del(t.Context(), keys.Lease("orders:0", "billing")).Err())
		assert.ElementsMatch(t, before, keysOf(t, s.Client))
	})
}

func TestDeleteGroupRejectsGroupsWithValidLeases(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topic := written(t, s.Client, "orders", 4)
		leases := used(t, s.Client, topic, "billing", "m1")
		require.NoError(t, s.Client.Del(t.Context(), keys.Members("orders", "billing")).Err())
		require.NoError(t, s.leases().Release(t.Context(), leases[:3])[0])
		all := keysOf(t, s.Client)
		_, err := New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
		var inUse *GroupAliveError
		require.ErrorAs(t, err, &inUse)
		assert.Equal(t, []string{"m1"}, inUse.Members)
		require.ErrorContains(t, err, "stop its inputs first")
		assert.ElementsMatch(t, all, keysOf(t, s.Client), "nothing is deleted")
		s.expire(t)
		_, err = New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
	})
}

func TestDeleteGroupWorksWithoutThePlan(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topic := written(t, s.Client, "orders", 3)
		before := keysOf(t, s.Client)
		leave(t, s.Client, "orders", "billing", used(t, s.Client, topic, "billing", "m1"))
		require.NoError(
			t,
			s.Client.Del(t.Context(), keys.Plan("orders", "billing"), keys.Lease("orders:1", "billing")).Err(),
		)
		deleted, err := New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
		found := 2
		if !s.Embedded {
			found = 3 // the mirror of partition 1 is left, and the next claim would take it for a backup
		}
		assert.Len(t, deleted.Partitions, found)
		assert.ElementsMatch(t, before, keysOf(t, s.Client))
	})
}

func TestDeleteGroupKeepsForeignNativeGroups(t *testing.T) {
	s := onRedis(t)
	topic := written(t, s.Client, "orders", 1)
	require.NoError(t, s.Client.XGroupCreate(t.Context(), "orders:0", "billing", "0").Err())
	leave(t, s.Client, "orders", "billing", used(t, s.Client, topic, "billing", "m1"))
	deleted, err := New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
	require.NoError(t, err)
	assert.True(t, deleted.Partitions[0].Foreign)
	assert.Len(t, s.Client.XInfoGroups(t.Context(), "orders:0").Val(), 1)
	_, err = New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
	require.ErrorAs(t, err, new(*GroupNotFoundError), "a foreign native group is not a group of rafka")
}
