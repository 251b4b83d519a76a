package splitstest

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

var shareDeleteScenarios = []shareScenario{
	{"ShareDeleteRemovesWhatWasAcknowledged", func(s *shareScene) {
		all, generation := s.delivered(5)
		s.wantDeleted(generation, all[1], all[2])
		assert.Equal(s, []splits.Offset{all[0], all[3], all[4]}, s.present(all...))
		assert.Equal(s, []splits.Offset{all[0], all[3], all[4]}, s.pending("a", s.plain()))
		s.wantDeleted(generation, all[1], all[2]) // a repeated request
		later := s.fill(s.plain(), 2)
		assert.Equal(s, later, s.read("a", 9, s.plain()))
	}},
	{"ShareAcknowledgementAloneDeletesNothing", func(s *shareScene) {
		all, generation := s.delivered(3)
		answer := s.acknowledge(s.plain(), generation, all...)
		require.NoError(s, answer.Err)
		require.NoError(s, answer.Kept)
		assert.Equal(s, all, s.present(all...))
	}},
	{"ShareDeleteOfAnotherGenerationChangesNothing", func(s *shareScene) {
		all, generation := s.delivered(3)
		answer := s.acknowledgeAndDelete(generation-1, all...)
		require.ErrorIs(s, answer.Err, splits.ErrStale)
		assert.Equal(s, all, s.present(all...))
		assert.Equal(s, all, s.pending("a", s.plain()))
	}},
	{"ShareDeleteIsRefusedBesideAShareGroup", func(s *shareScene) {
		_, err := s.Group(s.topic, "other").Beat(s.Context(), splits.ShareBeat{Member: "x", TTL: long})
		require.NoError(s, err)
		all, generation := s.delivered(3)
		s.wantKept("other", generation, all...)
	}},
	{"ShareDeleteIsRefusedBesideAConsumerGroup", func(s *shareScene) {
		_, err := s.Consumers(s.topic, "other").Beat(s.Context(), splits.Beat{Member: "x", TTL: long})
		require.NoError(s, err)
		all, generation := s.delivered(3)
		s.wantKept("other", generation, all...)
	}},
	{"ShareDeleteIsRefusedAfterAGroupCame", func(s *shareScene) {
		all, generation := s.delivered(3)
		s.wantDeleted(generation, all[0])
		_, err := s.Consumers(s.topic, "other").Beat(s.Context(), splits.Beat{Member: "x", TTL: long})
		require.NoError(s, err)
		s.beat(splits.ShareBeat{Member: "a", TTL: long, Continues: true})
		s.wantKept("other", generation, all[1:]...)
	}},
	{"ShareDeleteIsRefusedBesideANativeGroup", func(s *shareScene) {
		all, generation := s.delivered(3)
		s.CreateNative("foreign", s.plain())
		s.wantKept("foreign", generation, all...)
	}},
	{"ShareDeleteIgnoresGroupsOfOtherTopics", func(s *shareScene) {
		_, err := s.Consumers(s.topic+"x", "other").Beat(s.Context(), splits.Beat{Member: "x", TTL: long})
		require.NoError(s, err)
		all, generation := s.delivered(1)
		s.wantDeleted(generation, all...)
	}},
	{"ShareDeleteNeedsABeat", func(s *shareScene) {
		all := s.fill(s.plain(), 2)
		generation := s.open(s.plain(), splits.Earliest())
		s.read("a", 2, s.plain())
		s.wantKept("", generation, all...)
	}},
	{"ShareDeleteNeedsABeatWithinTheSession", func(s *shareScene) {
		all, generation := s.delivered(2)
		s.beat(splits.ShareBeat{Member: "a", TTL: short, Continues: true})
		s.pass(2 * short)
		s.wantKept("", generation, all...)
		s.beat(splits.ShareBeat{Member: "b", TTL: long})
		s.wantDeleted(generation, all...)
	}},
	{"ShareDeleteIsRefusedAfterTheRegistryWasLost", func(s *shareScene) {
		other := s.Consumers(s.topic, "other")
		_, err := other.Beat(s.Context(), splits.Beat{Member: "x", TTL: long})
		require.NoError(s, err)
		all, generation := s.delivered(3)
		s.DropRegistry(s.topic)
		s.beat(splits.ShareBeat{Member: "a", TTL: long, Continues: true})
		_, err = other.Beat(s.Context(), splits.Beat{Member: "x", TTL: long})
		require.NoError(s, err)
		s.wantKept("other", generation, all[0])
		s.beat(splits.ShareBeat{Member: "a", TTL: long, Continues: true})
		s.wantKept("other", generation, all[1:]...)
	}},
	{"ShareDeleteWithoutTheNativeGroupIsRefused", func(s *shareScene) {
		all, generation := s.delivered(2)
		s.Destroy(theGroup, s.plain())
		s.wantKept("", generation, all...)
	}},
	{"ShareDeletedEntryIsNotLost", func(s *shareScene) {
		all, generation := s.delivered(4)
		s.wantDeleted(generation, all[0], all[2])
		taken := s.take(s.plain(), "a", "b", 9)
		assert.Equal(s, splits.ShareTaken{Offsets: []splits.Offset{all[1], all[3]}, Generation: generation}, taken)
	}},
	{"ShareLagDoesNotCountDeletedEntries", func(s *shareScene) {
		all, generation := s.delivered(4)
		s.fill(s.plain(), 3)
		s.wantDeleted(generation, all[1], all[3]) // the last one that was delivered, but not the first one
		answer := s.shares.Holders(s.Context(), []splits.Split{s.plain()})[0]
		require.NoError(s, answer.Err)
		if !s.NoLag {
			assert.EqualValues(s, 3, answer.Lag)
		}
	}},
	{"ShareLostGroupContinuesBehindDeletedEntries", func(s *shareScene) {
		all, generation := s.delivered(5)
		s.pass(1100 * time.Millisecond) // the mark is stored once a second
		s.wantDeleted(generation, all[0], all[1], all[3])
		s.Destroy(theGroup, s.plain())
		opened := s.tryOpen(s.plain(), splits.Latest())
		require.NoError(s, opened.Err)
		assert.False(s, opened.Reset)
		assert.Equal(s, []splits.Offset{all[2], all[4]}, s.read("b", 9, s.plain()))
	}},
	{"ShareGroupContinuesAfterEverythingWasDeleted", func(s *shareScene) {
		all, generation := s.delivered(2)
		s.pass(1100 * time.Millisecond)
		s.wantDeleted(generation, all...)
		assert.Equal(s, generation, s.open(s.plain(), splits.Earliest()))
		s.Destroy(theGroup, s.plain())
		opened := s.tryOpen(s.plain(), splits.Latest())
		require.NoError(s, opened.Err)
		assert.True(s, opened.Exists)
		assert.False(s, opened.Reset)
		later := s.fill(s.plain(), 1)
		assert.Equal(s, later, s.read("a", 9, s.plain()))
	}},
}

// delivered joins the member a and delivers n entries to it.
func (s *shareScene) delivered(n int) (all []splits.Offset, generation uint64) {
	s.Helper()
	s.join("a")
	all = s.fill(s.plain(), n)
	generation = s.open(s.plain(), splits.Earliest())
	assert.Equal(s, all, s.read("a", n, s.plain()))
	return all, generation
}

func (s *shareScene) acknowledgeAndDelete(generation uint64, offsets ...splits.Offset) splits.ShareAcked {
	s.Helper()
	ack := splits.ShareAck{Split: s.plain(), Generation: generation, Offsets: offsets, Delete: true}
	answers := s.shares.Acknowledge(s.Context(), []splits.ShareAck{ack})
	require.Len(s, answers, 1)
	return answers[0]
}

// wantDeleted acknowledges entries, which must be deleted.
func (s *shareScene) wantDeleted(generation uint64, offsets ...splits.Offset) {
	s.Helper()
	answer := s.acknowledgeAndDelete(generation, offsets...)
	require.NoError(s, answer.Err)
	require.NoError(s, answer.Kept)
	assert.Empty(s, s.present(offsets...))
}

// wantKept acknowledges entries, which must not be deleted. The reason must contain a text.
func (s *shareScene) wantKept(why string, generation uint64, offsets ...splits.Offset) {
	s.Helper()
	answer := s.acknowledgeAndDelete(generation, offsets...)
	require.NoError(s, answer.Err)
	require.ErrorContains(s, answer.Kept, why)
	assert.Equal(s, offsets, s.present(offsets...))
	pending := splits.SharePending{Member: "a", Splits: []splits.Split{s.plain()}, Most: 10000}
	held := s.shares.Pending(s.Context(), pending)[0].Offsets // none if the native group is gone
	for _, o := range offsets {
		assert.NotContains(s, held, o)
	}
}

// present returns which of the entries are in the stream.
func (s *shareScene) present(offsets ...splits.Offset) []splits.Offset {
	s.Helper()
	load := splits.ShareLoad{Split: s.plain(), Offsets: offsets, Bytes: 1 << 20}
	loaded, err := s.shares.Load(s.Context(), load)
	require.NoError(s, err)
	return entryOffsets(loaded.Entries)
}
