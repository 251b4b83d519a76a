package broker

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

func TestGroupOfAnotherTypeIsRejected(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		beat(t, s.group(), "m1")
		_, err := NewShareGroup(
			s.Client,
			"orders",
			"billing",
		).Beat(
			t.Context(),
			splits.ShareBeat{Member: "m2", TTL: testTTL},
		)
		var mismatch *GroupTypeError
		require.ErrorAs(t, err, &mismatch)
		assert.Equal(t, "consumer", mismatch.Stored)
		assert.Equal(t, "share", mismatch.Want)
		require.ErrorContains(t, err, "use another consumer_group")
		assert.Equal(t, []string{"m1"}, beat(t, s.group(), "m1").Members)
	})
}

func TestErrorNamesTheGroupKeyOfAnotherType(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		for _, key := range []string{testPlan, testMembers, keys.Metadata("orders")} {
			require.NoError(t, s.Client.FlushAll(t.Context()).Err())
			require.NoError(t, s.Client.Set(t.Context(), key, "x", 0).Err())
			_, err := g.Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
			require.ErrorContains(t, err, "beating in group billing of orders")
			require.ErrorContains(t, err, key)
			assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err))
			_, proposeErr := g.Propose(t.Context(), splits.Plan{Version: 1})
			leaveErr := g.Leave(t.Context(), "m1")
			if key == testPlan {
				require.ErrorContains(t, proposeErr, key)
			}
			if key != keys.Metadata("orders") {
				require.ErrorContains(t, leaveErr, key)
			}
		}
	})
}

func TestErrorNamesTheKeyOfADamagedGroup(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		beat(t, g, "m1")
		s.Set(t, testPlan, "planned_version", 5, "plan", "nonsense")
		_, err := g.Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
		require.ErrorContains(t, err, testPlan)
		require.ErrorContains(t, err, "DEL")
		for _, bad := range []string{"x", "0", "1.5", "-1", "100001"} {
			s.Set(t, keys.Metadata("orders"), "partitions", bad)
			_, err = g.Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
			require.ErrorContains(t, err, keys.Metadata("orders"))
		}
	})
}

// Such a number was once used without a check, and the process ran out of memory.
func TestDamagedNumberOfPartitionsIsRejected(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		beat(t, g, "m1")
		s.Set(t, keys.Plan("orders", "billing"), "partitions", "1000000000000")
		_, err := g.Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
		require.ErrorContains(t, err, "field partitions of key rafka:{orders}:plan:billing")
		assert.ErrorContains(t, err, "HSET")
	})
}
