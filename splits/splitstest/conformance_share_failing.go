package splitstest

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// shareFailingScenarios are about what is stored of entries of share groups that failed.
var shareFailingScenarios = []shareScenario{
	{"ShareFailuresComeWithTheEntries", func(s *shareScene) {
		all, generation := s.deliver("a", 4)
		failing := []splits.Attempted{
			{Offset: all[2], Attempts: 3, Age: time.Hour, Lettered: true, Cause: "no such\ntable"},
			{Offset: all[1], Attempts: 1},
		}
		require.NoError(s, s.note("a", generation, failing, nil))
		s.take(s.plain(), "a", "b", 4)
		failing[0].Cause = splits.OneLine(failing[0].Cause)
		s.requireFailing([]splits.Attempted{failing[1], failing[0]}, s.failing(generation, all...))
		s.requireFailing(failing[1:], s.failing(generation, all[:2]...))
	}},
	{"ShareFailuresAreReplacedAndRemoved", func(s *shareScene) {
		all, generation := s.deliver("a", 3)
		require.NoError(s, s.note("a", generation, attemptsAt(1, all...), nil))
		require.NoError(s, s.acknowledge(s.plain(), generation, all[0]).Err)
		require.NoError(s, s.note("a", generation, attemptsAt(2, all[1]), []splits.Offset{all[0], all[2], {Millis: 7}}))
		want := []splits.Attempted{{Offset: all[1], Attempts: 2}, {Offset: all[2], Attempts: 1}}
		s.requireFailing(want, s.failing(generation, all...))
	}},
	{"ShareLetteredFailureStaysSo", func(s *shareScene) {
		all, generation := s.deliver("a", 1)
		failing := []splits.Attempted{{Offset: all[0], Attempts: 3, Lettered: true}}
		require.NoError(s, s.note("a", generation, failing, nil))
		require.NoError(s, s.note("a", generation, attemptsAt(2, all...), nil))
		failing[0].Attempts = 2
		s.requireFailing(failing, s.failing(generation, all...))
	}},
	{"ShareFailuresOfOtherMembersEntriesAreNotStored", func(s *shareScene) {
		all, generation := s.deliver("a", 2)
		require.NoError(s, s.note("a", generation, attemptsAt(3, all[0]), nil))
		s.take(s.plain(), "a", "b", 1)
		require.NoError(s, s.note("a", generation, attemptsAt(9, all...), []splits.Offset{all[0]}))
		want := []splits.Attempted{{Offset: all[0], Attempts: 3}, {Offset: all[1], Attempts: 9}}
		s.requireFailing(want, s.failing(generation, all...))
		require.NoError(s, s.acknowledge(s.plain(), generation, all[0]).Err)
		require.NoError(s, s.note("b", generation, attemptsAt(4, all[0]), all[:1]))
		s.requireFailing(want[1:], s.failing(generation, all...))
	}},
	{"ShareNumberOfFailuresIsBounded", func(s *shareScene) {
		all, generation := s.deliver("a", splits.MaxAttempted+2)
		require.NoError(s, s.note("a", generation, attemptsAt(1, all...), nil))
		last := all[splits.MaxAttempted:]
		s.requireFailing(attemptsAt(1, all[splits.MaxAttempted-2:splits.MaxAttempted]...),
			s.failing(generation, all[splits.MaxAttempted-2:]...))
		require.NoError(s, s.acknowledge(s.plain(), generation, all[0]).Err)
		require.NoError(s, s.note("a", generation, attemptsAt(1, last...), nil))
		s.requireFailing(attemptsAt(1, last[0]), s.failing(generation, last...))
		s.requireFailing(nil, s.failing(generation, all[0]))
	}},
	{"ShareNoteOfAnEarlierGenerationIsRefused", func(s *shareScene) {
		all, generation := s.deliver("a", 2)
		require.NoError(s, s.note("a", generation, attemptsAt(1, all...), nil))
		assert.ErrorIs(s, s.note("a", generation-1, attemptsAt(2, all[0]), all[1:]), splits.ErrStale)
		s.requireFailing(attemptsAt(1, all...), s.failing(generation, all...))
	}},
	{"ShareFailuresEndWithTheGeneration", func(s *shareScene) {
		all, generation := s.deliver("a", 2)
		require.NoError(s, s.note("a", generation, attemptsAt(1, all...), nil))
		s.Destroy(theGroup, s.plain())
		again := s.open(s.plain(), splits.Earliest())
		assert.Equal(s, all, s.read("a", 2, s.plain()))
		s.requireFailing(nil, s.failing(again, all...))
		require.NoError(s, s.note("a", again, attemptsAt(2, all[1]), nil))
		s.requireFailing(attemptsAt(2, all[1]), s.failing(again, all...))
		assert.ErrorIs(s, s.note("a", generation, attemptsAt(1, all...), nil), splits.ErrStale)
	}},
	{"ShareNoteNeedsNoGroup", func(s *shareScene) {
		all, generation := s.deliver("a", 1)
		require.NoError(s, s.note("a", generation, attemptsAt(1, all...), nil))
		s.Destroy(theGroup, s.plain())
		require.NoError(s, s.note("a", generation, attemptsAt(2, all...), all))
		s.requireFailing(nil, s.failing(generation, all...))
	}},
}

// deliver appends n entries and delivers them to a member.
func (s *shareScene) deliver(member string, n int) (all []splits.Offset, generation uint64) {
	s.Helper()
	all, generation = s.fill(s.plain(), n), s.open(s.plain(), splits.Earliest())
	require.Equal(s, all, s.read(member, n, s.plain()))
	return all, generation
}

// attemptsAt returns what is to be stored of entries that failed n times.
func attemptsAt(n int, offsets ...splits.Offset) (all []splits.Attempted) {
	for _, o := range offsets {
		all = append(all, splits.Attempted{Offset: o, Attempts: n})
	}
	return all
}

func (s *shareScene) note(
	member string,
	generation uint64,
	failing []splits.Attempted,
	resolved []splits.Offset,
) error {
	s.Helper()
	errs := s.shares.Note(s.Context(), []splits.ShareNote{{
		Split: s.plain(), Generation: generation, Member: member, Failing: failing, Resolved: resolved,
	}})
	require.Len(s, errs, 1)
	return errs[0]
}

// failing returns what is stored of some entries.
func (s *shareScene) failing(generation uint64, offsets ...splits.Offset) []splits.Attempted {
	s.Helper()
	loaded, err := s.shares.Load(s.Context(), splits.ShareLoad{
		Split: s.plain(), Offsets: offsets, Generation: generation, Bytes: 1 << 20,
	})
	require.NoError(s, err)
	return loaded.Failing
}

func (s *shareScene) requireFailing(want, got []splits.Attempted) {
	s.Helper()
	requireFailing(s.T, want, got)
}
