package admin

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

func TestDeletingAShareGroupLeavesNothingOfIt(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		group := broker.NewShareGroup(s.Client, "orders", "sharers")
		view, err := group.Beat(t.Context(), splits.ShareBeat{Member: "a", TTL: time.Minute})
		require.NoError(t, err)
		shares := broker.NewShares(s.Client, s.Client, broker.SharesOptions{Topic: "orders", Group: "sharers"})
		for _, split := range view.Splits {
			opened := shares.Open(t.Context(), []splits.ShareOpen{{Split: split}})[0]
			require.NoError(t, opened.Err)
			s.Set(t, keys.Failing(split.Key, "sharers"), "20-0", "2 1 0 bad")
		}
		_, err = New(s.Client).DeleteGroup(t.Context(), "orders", "sharers", false)
		var alive *GroupAliveError
		require.ErrorAs(t, err, &alive)
		require.NoError(t, group.Leave(t.Context(), "a"))

		planned, err := New(s.Client).DeleteGroup(t.Context(), "orders", "sharers", true)
		require.NoError(t, err)
		deleted, err := New(s.Client).DeleteGroup(t.Context(), "orders", "sharers", false)
		require.NoError(t, err)
		assert.Equal(t, planned.Partitions, deleted.Partitions)
		assert.NotEmpty(t, deleted.Partitions)
		for _, split := range view.Splits {
			assert.Zero(t, s.Client.Exists(t.Context(), keys.Share(split.Key, "sharers")).Val())
			assert.Zero(t, s.Client.Exists(t.Context(), keys.Failing(split.Key, "sharers")).Val())
			held := shares.Holders(t.Context(), []splits.Split{split})[0]
			assert.ErrorIs(t, held.Err, splits.ErrNoGroup)
		}
	})
}
