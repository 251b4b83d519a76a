package broker

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

func TestInitialIsTheNumberOfSplitsAtTheBeginning(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		initial := func(group string, rejoin bool) int {
			view, err := NewGroup(
				s.Client,
				"orders",
				group,
			).Beat(
				t.Context(),
				splits.Beat{Member: "m", TTL: testTTL, Rejoin: rejoin},
			)
			require.NoError(t, err)
			return view.Initial
		}
		assert.Equal(t, 0, initial("before the stream", false))
		s.Add(t, "orders", "*")
		assert.Equal(t, 1, initial("plain", false))
		assert.Equal(t, 0, initial("plain but lost", true))
		assert.Equal(t, 0, initial("before the stream", false), "that is decided once")
		s.partitioned(t, 4)
		assert.Equal(t, 4, initial("partitioned", false))
		assert.Equal(t, 0, initial("partitioned but lost", true))
		assert.Equal(t, 0, initial("plain", false), "the plain stream does not exist any more, all partitions are new")
	})
}

func TestPlainTopicHasOneSplitAndCreatesNoKey(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		assert.Equal(t, []splits.Split{PlainSplit("orders")}, beat(t, s.group(), "m1").Splits)
		assert.Zero(t, s.Client.Exists(t.Context(), "orders").Val())
	})
}

func TestPartitionedTopicIsNeverTreatedAsPlain(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 4)
		g := s.group()
		beat(t, g, "m1")
		require.NoError(t, s.Client.Del(t.Context(), keys.Metadata("orders")).Err())
		assert.Len(t, beat(t, s.group(), "m2").Splits, 4, "the group remembers")
		require.NoError(t, s.Client.FlushAll(t.Context()).Err())
		view, err := g.Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL, Rejoin: true})
		require.NoError(t, err)
		assert.Len(t, view.Splits, 4, "the member remembers")
		assert.Equal(t, 0, view.Initial)
		assert.Len(t, beat(t, s.group(), "m3").Splits, 4, "and the group stored the number")
	})
}
