package splitstest

import (
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

var shareTakeScenarios = []shareScenario{
	{"ShareTakeMovesEntriesInOrder", func(s *shareScene) {
		all := s.fill(s.plain(), 5)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", 5, s.plain())
		taken := s.take(s.plain(), "a", "b", 3)
		assert.Equal(s, splits.ShareTaken{Offsets: all[:3], More: true, Generation: generation}, taken)
		assert.Equal(s, all[:3], s.pending("b", s.plain()))
		assert.Equal(s, map[string]int{"a": 2, "b": 3}, s.holders(s.plain()))
	}},
	{"ShareTakeForgetsANameWithoutEntries", func(s *shareScene) {
		all := s.fill(s.plain(), 2)
		s.open(s.plain(), splits.Earliest())
		s.read("a", 2, s.plain())
		assert.False(s, s.take(s.plain(), "a", "b", 2).More)
		assert.Equal(s, map[string]int{"b": 2}, s.holders(s.plain()))
		assert.Equal(s, all, s.pending("b", s.plain()))
		assert.Empty(s, s.take(s.plain(), "stranger", "b", 2).Offsets)
	}},
	{"ShareTakeKeepsANameWithEntries", func(s *shareScene) {
		s.fill(s.plain(), splits.MaxTake+1)
		s.open(s.plain(), splits.Earliest())
		s.read("a", splits.MaxTake+1, s.plain())
		taken := s.take(s.plain(), "a", "b", splits.MaxTake)
		assert.Len(s, taken.Offsets, splits.MaxTake)
		assert.True(s, taken.More)
		assert.Equal(s, map[string]int{"a": 1, "b": splits.MaxTake}, s.holders(s.plain()))
	}},
	{"ShareTakeReportsWhatIsNotInTheStream", func(s *shareScene) {
		all := s.fill(s.plain(), 5)
		s.open(s.plain(), splits.Earliest())
		s.read("a", 5, s.plain())
		s.TrimTo(s.plain(), 2)
		taken := s.take(s.plain(), "a", "b", 5)
		assert.Equal(s, all[3:], taken.Offsets)
		assert.Equal(s, all[:3], taken.Lost)
		assert.Equal(s, map[string]int{"b": 2}, s.holders(s.plain()))
	}},
	{"ShareTakeIdleTakesFromOtherProgramsOnly", func(s *shareScene) {
		all := s.fill(s.plain(), 7)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", 2, s.plain())
		s.DeliverForeign(theGroup, s.plain(), "worker-1", 2)
		s.DeliverForeign(theGroup, s.plain(), "worker-2", 2)
		assert.Empty(s, s.takeIdle(s.plain(), long, 9).Offsets, "not idle yet")
		s.pass(3 * time.Second)
		s.DeliverForeign(theGroup, s.plain(), "worker-1", 1)
		taken := s.takeIdle(s.plain(), 2500*time.Millisecond, 3)
		assert.True(s, taken.More)
		assert.Equal(s, generation, taken.Generation)
		assert.Equal(s, all[2:5], taken.Offsets)
		assert.Equal(s, all[2:5], s.pending("b", s.plain()))
		s.TrimTo(s.plain(), 1)
		rest := s.takeIdle(s.plain(), 2500*time.Millisecond, 9)
		assert.Equal(s, splits.ShareTaken{Lost: all[5:6], Generation: generation}, rest)
		assert.Equal(s, all[:2], s.pending("a", s.plain()))
	}},
	{"ShareTakeIdleLeavesOtherTopicsOfTheStreamAlone", func(s *shareScene) {
		s.SetPartitions(s.topic, 1)
		partition := splitsOf(s.topic, 1)[0]
		s.fill(partition, 1)
		s.open(partition, splits.Earliest())
		other := s.ShareHarness.Shares(partition.Key, theGroup)
		plain := splits.Split{Topic: partition.Key, Key: partition.Key}
		_, err := other.Read(s.Context(), splits.ShareRead{Member: "x", Splits: []splits.Split{plain}, Count: 1})
		require.NoError(s, err)
		s.pass(20 * time.Millisecond)
		assert.Empty(s, s.takeIdle(partition, time.Millisecond, 9).Offsets)
	}},
	{"ShareAcknowledgementByAnyMember", func(s *shareScene) {
		all := s.fill(s.plain(), 2)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", 2, s.plain())
		s.take(s.plain(), "a", "b", 2)
		require.NoError(s, s.acknowledge(s.plain(), generation, all...).Err)
		assert.Empty(s, s.pending("b", s.plain()))
	}},
	{"ShareLoadReturnsEntriesInPieces", func(s *shareScene) {
		large := strings.Repeat("x", 1000)
		var all []splits.Offset
		for range 5 {
			all = append(all, s.Append(s.plain(), "body", large))
		}
		s.open(s.plain(), splits.Earliest())
		load := splits.ShareLoad{Split: s.plain(), Offsets: all, Bytes: 2000}
		loaded, err := s.shares.Load(s.Context(), load)
		require.NoError(s, err)
		assert.Equal(s, all[:2], entryOffsets(loaded.Entries))
		assert.Equal(s, 2, loaded.Looked)
		assert.Equal(s, []string{"body", large}, loaded.Entries[0].Fields)
		load.Bytes = 1
		loaded, err = s.shares.Load(s.Context(), load)
		require.NoError(s, err)
		assert.Equal(s, 1, loaded.Looked)
		load.Bytes = 0
		loaded, err = s.shares.Load(s.Context(), load)
		require.NoError(s, err)
		assert.Empty(s, loaded.Entries, "only the size")
		assert.Equal(s, int64(1004), loaded.Size)
	}},
	{"ShareLoadPassesOverWhatIsNotInTheStream", func(s *shareScene) {
		all := s.fill(s.plain(), 4)
		s.TrimTo(s.plain(), 2)
		load := splits.ShareLoad{Split: s.plain(), Offsets: all, Bytes: 1000}
		loaded, err := s.shares.Load(s.Context(), load)
		require.NoError(s, err)
		assert.Equal(s, all[2:], entryOffsets(loaded.Entries))
		assert.Equal(s, 4, loaded.Looked)
	}},
	{"ShareOtherTopicsOfTheStreamAreInvisible", func(s *shareScene) {
		s.SetPartitions(s.topic, 1)
		partition := splitsOf(s.topic, 1)[0]
		all := s.fill(partition, 2)
		s.open(partition, splits.Earliest())
		s.read("a", 1, partition)
		other := s.ShareHarness.Shares(partition.Key, theGroup)
		plain := splits.Split{Topic: partition.Key, Key: partition.Key}
		delivered, err := other.Read(
			s.Context(),
			splits.ShareRead{Member: "a", Splits: []splits.Split{plain}, Count: 9},
		)
		require.NoError(s, err)
		assert.Equal(s, all[1:], entryOffsets(delivered[0].Entries))
		assert.Equal(s, map[string]int{"a": 1}, s.holders(partition))
		assert.Equal(s, all[:1], s.pending("a", partition))
	}},
	{"ShareMissingGroupIsNamed", func(s *shareScene) {
		s.fill(s.plain(), 1)
		of := []splits.Split{s.plain()}
		held := s.shares.Pending(s.Context(), splits.SharePending{Member: "a", Splits: of, Most: 9})
		assert.ErrorIs(s, held[0].Err, splits.ErrNoGroup)
		assert.ErrorIs(s, s.shares.Holders(s.Context(), of)[0].Err, splits.ErrNoGroup)
		_, err := s.shares.Take(s.Context(), splits.ShareTake{Split: s.plain(), From: "a", To: "b", Most: 1})
		assert.ErrorIs(s, err, splits.ErrNoGroup)
		_, err = s.shares.TakeIdle(s.Context(), splits.ShareTakeIdle{Split: s.plain(), To: "b", Most: 1})
		assert.ErrorIs(s, err, splits.ErrNoGroup)
	}},
}
