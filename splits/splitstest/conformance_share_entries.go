package splitstest

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

var shareEntryScenarios = []shareScenario{
	{"ShareReadDeliversEachEntryOnce", func(s *shareScene) {
		all := s.fill(s.plain(), 5)
		s.open(s.plain(), splits.Earliest())
		assert.Equal(s, all[:3], s.read("a", 3, s.plain()))
		assert.Equal(s, all[3:], s.read("b", 3, s.plain()))
		assert.Empty(s, s.read("a", 3, s.plain()))
		assert.Equal(s, all[:3], s.pending("a", s.plain()))
		assert.Equal(s, map[string]int{"a": 3, "b": 2}, s.holders(s.plain()))
	}},
	{"ShareLagIsWhatWasNotDelivered", func(s *shareScene) {
		s.fill(s.plain(), 5)
		s.open(s.plain(), splits.Earliest())
		s.read("a", 3, s.plain())
		answer := s.shares.Holders(s.Context(), []splits.Split{s.plain()})[0]
		require.NoError(s, answer.Err)
		if !s.NoLag {
			assert.EqualValues(s, 2, answer.Lag)
		}
	}},
	{"ShareOldestIsTheLowestPendingEntry", func(s *shareScene) {
		all := s.fill(s.plain(), 5)
		generation := s.open(s.plain(), splits.Earliest())
		oldest := func() splits.Offset {
			answer := s.shares.Holders(s.Context(), []splits.Split{s.plain()})[0]
			require.NoError(s, answer.Err)
			return answer.Oldest
		}
		assert.Zero(s, oldest(), "nothing was delivered")
		s.read("a", 2, s.plain())
		s.read("b", 2, s.plain())
		assert.Equal(s, all[0], oldest())
		require.NoError(s, s.acknowledge(s.plain(), generation, all[0], all[1], all[3]).Err)
		assert.Equal(s, all[2], oldest())
		require.NoError(s, s.acknowledge(s.plain(), generation, all[2]).Err)
		assert.Zero(s, oldest(), "the last entry was not delivered")
	}},
	{"ShareReadReturnsTheFieldsAndTheGeneration", func(s *shareScene) {
		s.Append(s.plain(), "b", "1", "a", "2", "b", "3")
		generation := s.open(s.plain(), splits.Earliest())
		delivered := s.tryRead("a", 1, s.plain())[0]
		assert.Equal(s, []string{"b", "1", "a", "2", "b", "3"}, delivered.Entries[0].Fields)
		assert.Equal(s, generation, delivered.Generation)
	}},
	{"ShareReadOfSeveralSplits", func(s *shareScene) {
		s.SetPartitions(s.topic, 2)
		all := splitsOf(s.topic, 2)
		first, second := s.fill(all[0], 1), s.fill(all[1], 2)
		s.open(all[0], splits.Earliest())
		s.open(all[1], splits.Earliest())
		delivered := s.tryRead("a", 9, all[1], all[0])
		assert.Equal(s, second, entryOffsets(delivered[0].Entries))
		assert.Equal(s, first, entryOffsets(delivered[1].Entries))
	}},
	{"ShareReadNeverCreatesAnything", func(s *shareScene) {
		assert.ErrorIs(s, s.tryRead("a", 1, s.plain())[0].Err, splits.ErrNoGroup)
		s.fill(s.plain(), 1)
		assert.ErrorIs(s, s.tryRead("a", 1, s.plain())[0].Err, splits.ErrNoGroup)
	}},
	{"ShareReadWaitsForEntries", func(s *shareScene) {
		s.fill(s.plain(), 1)
		s.open(s.plain(), splits.Latest())
		arrived := make(chan []splits.Delivered, 1)
		go func() { // ends with the read
			request := splits.ShareRead{
				Member: "a",
				Splits: []splits.Split{s.plain()},
				Count:  1,
				Block:  10 * time.Second,
			}
			delivered, err := s.shares.Read(s.Context(), request)
			assert.NoError(s, err)
			arrived <- delivered
		}()
		s.pass(50 * time.Millisecond)
		s.fill(s.plain(), 1)
		assert.Len(s, (<-arrived)[0].Entries, 1)
	}},
	{"ShareAcknowledgedEntryIsNotPending", func(s *shareScene) {
		all := s.fill(s.plain(), 4)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", 4, s.plain())
		require.NoError(s, s.acknowledge(s.plain(), generation, all[1], all[2]).Err)
		require.NoError(s, s.acknowledge(s.plain(), generation, all[1], all[2]).Err)
		assert.Equal(s, []splits.Offset{all[0], all[3]}, s.pending("a", s.plain()))
	}},
	{"ShareManyEntriesAreAcknowledgedAtOnce", func(s *shareScene) {
		all := s.fill(s.plain(), splits.MaxAcknowledge)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", len(all), s.plain())
		require.NoError(s, s.acknowledge(s.plain(), generation, all...).Err)
		assert.Empty(s, s.pending("a", s.plain()))
	}},
	{"ShareAcknowledgementOfAnotherGenerationIsStale", func(s *shareScene) {
		all := s.fill(s.plain(), 3)
		old := s.open(s.plain(), splits.Earliest())
		s.read("a", 3, s.plain())
		s.Destroy(theGroup, s.plain())
		generation := s.open(s.plain(), splits.Earliest())
		assert.Greater(s, generation, old)
		assert.Equal(s, all, s.read("b", 3, s.plain()))
		answer := s.acknowledge(s.plain(), old, all...)
		require.ErrorIs(s, answer.Err, splits.ErrStale)
		assert.Equal(s, generation, answer.Generation)
		assert.Equal(s, all, s.pending("b", s.plain()))
	}},
	{"ShareOpenKeepsTheGroup", func(s *shareScene) {
		all := s.fill(s.plain(), 3)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", 2, s.plain())
		assert.Equal(s, generation, s.open(s.plain(), splits.Earliest()))
		assert.Equal(s, all[2:], s.read("a", 2, s.plain()))
	}},
	{"ShareStartDecidesWhereANewGroupBegins", func(s *shareScene) {
		s.SetPartitions(s.topic, 3)
		of := splitsOf(s.topic, 3)
		for _, split := range of {
			s.fill(split, 2)
		}
		middle := s.Append(of[2], "body", "x")
		s.open(of[0], splits.Earliest())
		s.open(of[1], splits.Latest())
		s.open(of[2], splits.StartAt(middle))
		assert.Len(s, s.read("a", 9, of[0]), 2)
		assert.Empty(s, s.read("a", 9, of[1]))
		assert.Equal(s, []splits.Offset{middle}, s.read("a", 9, of[2]))
	}},
	{"ShareStreamThatAppearsLaterIsReadCompletely", func(s *shareScene) {
		opened := s.tryOpen(s.plain(), splits.Latest())
		require.NoError(s, opened.Err)
		assert.False(s, opened.Exists)
		all := s.fill(s.plain(), 2)
		s.open(s.plain(), splits.Latest())
		assert.Equal(s, all, s.read("a", 9, s.plain()))
	}},
	{"ShareLostGroupContinuesWithWhatIsNotAcknowledged", func(s *shareScene) {
		all := s.fill(s.plain(), 6)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", 5, s.plain())
		s.pass(1100 * time.Millisecond) // the mark is stored once a second
		require.NoError(s, s.acknowledge(s.plain(), generation, all[0], all[1], all[3]).Err)
		s.Destroy(theGroup, s.plain())
		opened := s.tryOpen(s.plain(), splits.Latest())
		require.NoError(s, opened.Err)
		assert.False(s, opened.Reset)
		assert.Equal(s, all[2:], s.read("b", 9, s.plain()))
	}},
	{"ShareLostGroupContinuesBehindTheLastAcknowledged", func(s *shareScene) {
		all := s.fill(s.plain(), 4)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", 2, s.plain())
		s.pass(1100 * time.Millisecond)
		require.NoError(s, s.acknowledge(s.plain(), generation, all[:2]...).Err)
		s.Destroy(theGroup, s.plain())
		s.open(s.plain(), splits.Latest())
		assert.Equal(s, all[2:], s.read("b", 9, s.plain()))
	}},
	{"ShareNewStreamIsReadFromItsFirstEntry", func(s *shareScene) {
		s.fill(s.plain(), 1)
		all := s.fill(s.plain(), 3)
		generation := s.open(s.plain(), splits.Latest())
		later := s.fill(s.plain(), 1)
		s.read("a", 1, s.plain())
		s.pass(1100 * time.Millisecond)
		require.NoError(s, s.acknowledge(s.plain(), generation, later...).Err)
		s.Drop(s.plain())
		assert.False(s, s.tryOpen(s.plain(), splits.Latest()).Exists)
		fresh := s.AppendAt(s.plain(), all[0].Prev())
		opened := s.tryOpen(s.plain(), splits.Latest())
		require.NoError(s, opened.Err)
		assert.True(s, opened.Reset)
		assert.Equal(s, []splits.Offset{fresh}, s.read("a", 9, s.plain()))
	}},
	{"ShareLostMarkGetsANewGeneration", func(s *shareScene) {
		all := s.fill(s.plain(), 3)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", 2, s.plain())
		s.DropMark(theGroup, s.plain())
		assert.Zero(s, s.tryRead("a", 1, s.plain())[0].Generation)
		assert.ErrorIs(s, s.acknowledge(s.plain(), generation, all[0]).Err, splits.ErrStale)
		assert.ErrorIs(s, s.acknowledge(s.plain(), 0, all[0]).Err, splits.ErrStale, "there is none")
		s.pass(time.Millisecond)
		assert.Greater(s, s.open(s.plain(), splits.Earliest()), generation)
		assert.Equal(s, all, s.pending("a", s.plain()))
	}},
	{"ShareSpoiledSplitHasAnErrorOfItsOwn", func(s *shareScene) {
		s.SetPartitions(s.topic, 2)
		of := splitsOf(s.topic, 2)
		s.fill(of[0], 1)
		s.fill(of[1], 1)
		s.open(of[0], splits.Earliest())
		s.open(of[1], splits.Earliest())
		s.SetWrongType(of[0])
		assert.Error(s, s.tryOpen(of[0], splits.Earliest()).Err)
		assert.Error(s, s.tryRead("a", 1, of[0])[0].Err)
		assert.Len(s, s.read("a", 1, of[1]), 1)
	}},
}
