package splitstest

import (
	"strconv"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// shareSuspectScenarios are about what is stored of entries of share groups that may have killed
// the process of their member.
var shareSuspectScenarios = []shareScenario{
	{"ShareTakeoverFromADeadMemberIsCounted", func(s *shareScene) {
		all, generation := s.deliver("a", 3)
		s.requireSuspected(generation, all)
		s.takeDead("a", "b", 2)
		s.requireSuspected(generation, all, suspected(all[0], 1, 0), suspected(all[1], 1, 0))
		assert.Empty(s, s.takeDead("stranger", "b", 2).Offsets)
		s.takeDead("a", "b", 2)
		s.take(s.plain(), "b", "c", 3) // b is another name of the caller
		s.takeDead("c", "d", 1)
		s.requireSuspected(generation, all,
			suspected(all[0], 2, 0), suspected(all[1], 1, 0), suspected(all[2], 1, 0))
		s.requireSuspected(generation, all[1:2], suspected(all[1], 1, 0))
		s.requireSuspected(generation-1, all)
	}},
	{"ShareDeathCountsWhatWasInFlight", func(s *shareScene) {
		all, generation := s.deliver("a", 3)
		s.requireSuspect("a", generation, 1, splits.InFlight, all[:2]...)
		s.takeDead("a", "b", 1)
		s.takeDead("a", "b", 2)
		s.requireSuspected(generation, all, suspected(all[0], 1, 0), suspected(all[1], 1, 0))
		s.requireSuspect("b", generation, 1, splits.InFlightAlone, all[1])
		s.takeDead("b", "c", 3)
		s.requireSuspected(generation, all, suspected(all[0], 1, 0), suspected(all[1], 2, 1))
		s.requireSuspect("c", generation, 1, splits.InFlightAlone, all[1])
		s.requireSuspect("c", generation, 2, splits.NotInFlight)
		s.takeDead("c", "d", 3)
		s.requireSuspected(generation, all, suspected(all[0], 1, 0), suspected(all[1], 2, 1))
		s.requireSuspect("d", generation, 1, splits.InFlightAlone, all[1])
		s.requireSuspect("d", generation, 2, splits.AnyInFlight)
		s.takeDead("d", "e", 3)
		s.requireSuspected(generation, all,
			suspected(all[0], 2, 0), suspected(all[1], 3, 1), suspected(all[2], 1, 0))
	}},
	{"ShareFlightEndsWithTheName", func(s *shareScene) {
		all, generation := s.deliver("a", 2)
		s.requireSuspect("a", generation, 5, splits.InFlightAlone, all[1])
		s.takeDead("a", "b", 2)
		s.take(s.plain(), "b", "a", 2)
		s.takeDead("a", "b", 2)
		s.requireSuspected(generation, all, suspected(all[0], 1, 0), suspected(all[1], 2, 1))
	}},
	{"ShareLateFlightChangesNothing", func(s *shareScene) {
		all, generation := s.deliver("a", 2)
		s.requireSuspect("a", generation, 3, splits.InFlightAlone, all[1])
		s.requireSuspect("a", generation, 2, splits.InFlightAlone, all[0])
		s.requireSuspect("a", generation, 3, splits.InFlightAlone, all[1])
		s.takeDead("a", "b", 2)
		s.requireSuspected(generation, all, suspected(all[1], 1, 1))
		assert.ErrorIs(s, s.suspect("a", generation, 4, splits.InFlight, all[1]), splits.ErrStale, "it is pending at b")
		s.requireSuspect("a", generation, 5, splits.NotInFlight) // nothing is pending at a
		s.take(s.plain(), "b", "a", 2)
		s.takeDead("a", "b", 2)
		s.requireSuspected(generation, all, suspected(all[0], 1, 0), suspected(all[1], 2, 1))
	}},
	// The answer of the first request was lost, and it is applied after the second one.
	{"ShareMemberWithEntriesCanSayThatNothingIsInFlight", func(s *shareScene) {
		all, generation := s.deliver("a", 2)
		s.requireSuspect("a", generation, 2, splits.NotInFlight)
		s.requireSuspect("a", generation, 1, splits.InFlightAlone, all[1])
		s.takeDead("a", "b", 2)
		s.requireSuspected(generation, all)
	}},
	{"ShareFlightNeedsAllItsEntries", func(s *shareScene) {
		all, generation := s.deliver("a", 3)
		require.NoError(s, s.acknowledge(s.plain(), generation, all[1]).Err)
		assert.ErrorIs(s, s.suspect("a", generation, 1, splits.InFlight, all...), splits.ErrStale)
		s.takeDead("a", "b", 3)
		s.requireSuspected(generation, all, suspected(all[0], 1, 0), suspected(all[2], 1, 0))
	}},
	{"ShareAcknowledgedEntryIsNotSuspectedAnyMore", func(s *shareScene) {
		all, generation := s.deliver("a", 3)
		s.takeDead("a", "b", 3)
		require.NoError(s, s.acknowledge(s.plain(), generation, all[0], all[2]).Err)
		s.requireSuspected(generation, all, suspected(all[1], 1, 0))
		require.NoError(s, s.acknowledge(s.plain(), generation, all[1]).Err)
		s.requireSuspected(generation, all)
	}},
	{"ShareSuspicionEndsWithTheGeneration", func(s *shareScene) {
		all, generation := s.deliver("a", 2)
		s.takeDead("a", "b", 2)
		s.requireSuspect("b", generation, 1, splits.InFlightAlone, all[0])
		s.Destroy(theGroup, s.plain())
		again := s.open(s.plain(), splits.Earliest())
		assert.Equal(s, all, s.read("b", 2, s.plain()))
		assert.ErrorIs(s, s.suspect("b", generation, 2, splits.InFlightAlone, all[0]), splits.ErrStale)
		s.requireSuspected(generation, all)
		s.requireSuspected(again, all)
		s.takeDead("b", "c", 2)
		s.requireSuspected(again, all, suspected(all[0], 1, 0), suspected(all[1], 1, 0))
	}},
	{"ShareLiveMemberTakesItsDeathBack", func(s *shareScene) {
		all, generation := s.deliver("a", 2)
		for i, member := range []string{"a", "b"} {
			s.requireSuspect(member, generation, 1, splits.InFlightAlone, all[0])
			s.takeDead(member, []string{"b", "c"}[i], 2)
		}
		s.requireSuspected(generation, all, suspected(all[0], 2, 2))
		for range 2 {
			s.survive("a")
			s.requireSuspected(generation, all, suspected(all[0], 2, 1))
		}
	}},
	{"ShareLiveMemberPreventsThatItsDeathIsCounted", func(s *shareScene) {
		all, generation := s.deliver("a", 2)
		s.requireSuspect("a", generation, 1, splits.InFlightAlone, all[0])
		s.survive("a")
		s.requireSuspect("a", generation, 1, splits.InFlightAlone, all[0]) // a late repetition
		s.takeDead("a", "b", 1)
		s.takeDead("a", "b", 1)
		s.requireSuspected(generation, all)
		s.take(s.plain(), "b", "a", 2)
		s.survive("a")
		s.requireSuspect("a", generation, survived+1, splits.InFlightAlone, all[0]) // the same name lives on
		s.takeDead("a", "b", 2)
		s.requireSuspected(generation, all, suspected(all[0], 1, 1))
	}},
	{"ShareSurvivalOfAMemberWithoutEntriesLeavesNothing", func(s *shareScene) {
		all, generation := s.deliver("a", 1)
		s.survive("b")
		s.take(s.plain(), "a", "b", 1)
		s.takeDead("b", "c", 1)
		s.requireSuspected(generation, all, suspected(all[0], 1, 0))
	}},
	{"ShareNumberOfDeathsIsBounded", func(s *shareScene) {
		all, generation := s.deliver("0", 1)
		for i := range splits.MaxDeaths + 2 {
			s.requireSuspect(strconv.Itoa(i), generation, 1, splits.InFlightAlone, all[0])
			s.takeDead(strconv.Itoa(i), strconv.Itoa(i+1), 1)
		}
		s.requireSuspected(generation, all, suspected(all[0], splits.MaxDeaths+2, splits.MaxDeaths))
	}},
}

func suspected(at splits.Offset, takeovers, deaths int) splits.Suspected {
	return splits.Suspected{Offset: at, Takeovers: takeovers, Deaths: deaths}
}

// takeDead takes over entries from a member that has died.
func (s *shareScene) takeDead(from, to string, most int) splits.ShareTaken {
	s.Helper()
	request := splits.ShareTake{Split: s.plain(), From: from, To: to, Died: true, Most: most}
	taken, err := s.shares.Take(s.Context(), request)
	require.NoError(s, err)
	return taken
}

func (s *shareScene) suspect(
	member string,
	generation uint64,
	turn int,
	flight splits.Flight,
	offsets ...splits.Offset,
) error {
	s.Helper()
	errs := s.shares.Suspect(s.Context(), []splits.ShareSuspects{{
		Split: s.plain(), Generation: generation, Member: member, Turn: turn, Flight: flight, Offsets: offsets,
	}})
	require.Len(s, errs, 1)
	return errs[0]
}

func (s *shareScene) requireSuspect(
	member string,
	generation uint64,
	turn int,
	flight splits.Flight,
	offsets ...splits.Offset,
) {
	s.Helper()
	require.NoError(s, s.suspect(member, generation, turn, flight, offsets...))
}

// survived is the turn of survive.
const survived = 9

func (s *shareScene) survive(member string) {
	s.Helper()
	errs := s.shares.Survive(s.Context(), []splits.ShareSurvivor{{Split: s.plain(), Member: member, Turn: survived}})
	require.Equal(s, []error{nil}, errs)
}

// requireSuspected checks what is counted of some entries.
func (s *shareScene) requireSuspected(generation uint64, offsets []splits.Offset, want ...splits.Suspected) {
	s.Helper()
	loaded, err := s.shares.Load(s.Context(), splits.ShareLoad{
		Split: s.plain(), Offsets: offsets, Generation: generation, Bytes: 1 << 20,
	})
	require.NoError(s, err)
	assert.Equal(s, want, loaded.Suspected)
}
