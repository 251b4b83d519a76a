package admin

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

func seekShare(to string, dryRun bool) Seek {
	return Seek{Topic: "orders", Group: "sharers", To: to, Partitions: []int{3}, DryRun: dryRun}
}

func TestSeekMovesAShareGroup(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		sh := s.sharing(t, "m1")
		before := sh.read(t, "m1", 3) // 12-0 to 14-0
		planned, err := New(s.Client).SeekGroup(t.Context(), seekShare("13", true))
		require.NoError(t, err)
		assert.Len(t, sh.shares.Pending(t.Context(), splits.SharePending{
			Member: "m1", Splits: []splits.Split{testSplit}, Most: 9,
		})[0].Offsets, 3, "a dry run changes nothing")
		moved, err := New(s.Client).SeekGroup(t.Context(), seekShare("13", false))
		require.NoError(t, err)
		assert.Equal(t, planned.Partitions, moved.Partitions)
		p := moved.Partitions[0]
		assert.Equal(t, &SoughtShare{Pending: 3, Again: 2}, p.Share)
		assert.Equal(t, "11-18446744073709551615", p.Before.String())
		assert.Equal(t, splits.Offset{Millis: 13}.Prev(), p.After)

		require.ErrorIs(t, sh.acknowledge(t, before), splits.ErrStale)
		again := sh.read(t, "m2", 9)
		require.Len(t, again.Entries, 3)
		assert.Equal(t, splits.Offset{Millis: 13}, again.Entries[0].Offset)
		require.NoError(t, sh.acknowledge(t, again))
	})
}

func TestSeekOfAShareGroupWaitsForTheStream(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		sh := s.sharing(t, "m1")
		require.NoError(t, s.Client.Del(t.Context(), testSplit.Key).Err())
		moved, err := New(s.Client).SeekGroup(t.Context(), seekShare("13", false))
		require.NoError(t, err)
		assert.Equal(t, &SoughtShare{}, moved.Partitions[0].Share)
		assert.Zero(t, s.Client.Exists(t.Context(), testSplit.Key).Val(), "the stream is not created")
		s.Add(t, testSplit.Key, "12-0")
		s.Add(t, testSplit.Key, "20-0")
		sh.open(t)
		assert.Len(t, sh.read(t, "m1", 9).Entries, 1)
	})
}

// Between the seek and the next look of its members, a group that vanished must not begin
// elsewhere.
func TestSeekOfAShareGroupSurvivesTheLossOfTheNativeGroup(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		sh := s.sharing(t, "m1")
		_, err := New(s.Client).SeekGroup(t.Context(), seekShare("14", false))
		require.NoError(t, err)
		require.NoError(t, s.Client.XGroupDestroy(t.Context(), testSplit.Key, "sharers").Err())
		assert.NotEmpty(t, s.Client.HGet(t.Context(), keys.Share(testSplit.Key, "sharers"), "generation").Val())
		sh.open(t)
		assert.Len(t, sh.read(t, "m1", 9).Entries, 2)
	})
}
