package splitstest

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// suspectScenarios are about what is stored of entries that may have killed the owner of a split.
var suspectScenarios = []scenario{
	{"SuspectIsWhatWasInFlight", func(s *scene) {
		lease, granted := s.claim("a", short, s.plain())
		s.requireSuspect(granted, 0)
		s.suspect(short, lease, 5, 9, splits.InFlight, 1)
		_, granted = s.takeOver("b", short, s.plain())
		s.requireSuspect(granted, 9)
		_, granted = s.takeOver("c", long, s.plain())
		s.requireSuspect(granted, 9) // b had nothing in flight
	}},
	{"OnlyDeathsAloneCount", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		var granted splits.Granted
		var deaths []uint64
		for _, member := range []string{"b", "c", "d"} {
			s.suspect(short, lease, 5, 9, splits.InFlightAlone, 1)
			lease, granted = s.takeOver(member, short, s.plain())
			deaths = append(deaths, 9)
			s.requireSuspect(granted, 9, deaths...)
		}
		s.suspect(short, lease, 5, 9, splits.NotInFlight, 1)
		lease, granted = s.takeOver("e", short, s.plain())
		s.requireSuspect(granted, 9, deaths...)
		s.suspect(short, lease, 5, 9, splits.InFlight, 1)
		_, granted = s.takeOver("f", long, s.plain())
		s.requireSuspect(granted, 9, deaths...)
	}},
	{"DeathsOfSeveralEntriesAreKept", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		s.suspect(short, lease, 5, 9, splits.InFlightAlone, 1)
		lease, _ = s.takeOver("b", short, s.plain())
		s.suspect(short, lease, 5, 8, splits.InFlightAlone, 1)
		lease, granted := s.takeOver("c", short, s.plain())
		s.requireSuspect(granted, 8, 9, 8)
		s.suspect(short, lease, 5, 0, splits.NotInFlight, 1)
		lease, granted = s.takeOver("d", short, s.plain())
		s.requireSuspect(granted, 0, 9, 8)
		require.NoError(s, s.commit(long, lease, at(8, 0, 2)))
		_, granted = s.claim("d", long, s.plain())
		s.requireSuspect(granted, 0, 9)
	}},
	{"NumberOfDeathsIsBounded", func(s *scene) {
		lease, _ := s.claim(splits.Incarnation("m", 1, "A"), long, s.plain())
		var granted splits.Granted
		for i := range splits.MaxDeaths + 2 {
			s.suspect(long, lease, 5, uint64(10+i), splits.InFlightAlone, 1)
			lease, granted = s.claim(splits.Incarnation("m", uint64(2+i), "A"), long, s.plain())
		}
		require.Len(s, granted.Deaths, splits.MaxDeaths)
		assert.Equal(s, splits.Offset{Millis: 12}, granted.Deaths[0])
	}},
	{"ReleasedOwnerHasNotDied", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		s.suspect(long, lease, 5, 9, splits.InFlightAlone, 1)
		require.NoError(s, s.release(lease))
		lease, granted := s.claim("b", long, s.plain())
		s.requireSuspect(granted, 9)
		s.suspect(long, lease, 5, 8, splits.InFlight, 1)
		require.NoError(s, s.release(lease))
		_, granted = s.claim("c", long, s.plain())
		s.requireSuspect(granted, 0) // nothing has died of the batch
	}},
	// The owner could not renew its lease, for example during an outage of the store.
	{"OwnerThatClaimsAgainHasNotDied", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		s.suspect(short, lease, 5, 9, splits.InFlightAlone, 1)
		s.pass(2 * short)
		lease, granted := s.claim("a", short, s.plain())
		s.requireSuspect(granted, 9)
		s.suspect(short, lease, 5, 9, splits.InFlight, 1)
		s.pass(2 * short)
		_, granted = s.claim("a", long, s.plain())
		s.requireSuspect(granted, 0)
	}},
	{"LaterIncarnationCountsTheDeathOfTheEarlierOne", func(s *scene) {
		lease, _ := s.claim(splits.Incarnation("m", 1, "A"), long, s.plain())
		s.suspect(long, lease, 5, 9, splits.InFlightAlone, 1)
		_, granted := s.claim(splits.Incarnation("m", 2, "A"), long, s.plain())
		s.requireSuspect(granted, 9, 9)
	}},
	{"LiveOwnerTakesItsDeathBack", func(s *scene) {
		first, _ := s.claim("a", short, s.plain())
		s.suspect(short, first, 5, 9, splits.InFlightAlone, 1)
		second, _ := s.takeOver("b", short, s.plain())
		s.suspect(short, second, 5, 9, splits.InFlightAlone, 1)
		third, granted := s.takeOver("c", long, s.plain())
		s.requireSuspect(granted, 9, 9, 9)
		for range 2 {
			require.NoError(s, s.survive(first))
			_, granted = s.claim("c", long, s.plain())
			s.requireSuspect(granted, 9, 9)
		}
		require.ErrorIs(s, s.release(third), splits.ErrFenced)
		s.requireHeld(s.plain(), "c", long/2, long)
	}},
	{"LiveOwnerPreventsThatItsDeathIsCounted", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		s.suspect(short, lease, 5, 9, splits.InFlightAlone, 1)
		require.NoError(s, s.survive(lease))
		require.NoError(s, s.storeSuspect(short, lease, 5, 9, splits.InFlightAlone, 1), "a late repetition")
		require.NoError(s, s.storeSuspect(short, lease, 5, 9, splits.InFlightAlone, 2), "a late commit")
		lease, granted := s.takeOver("b", short, s.plain())
		s.requireSuspect(granted, 9)
		s.suspect(short, lease, 5, 9, splits.InFlight, 1)
		require.NoError(s, s.survive(lease))
		_, granted = s.takeOver("c", long, s.plain())
		s.requireSuspect(granted, 0)
	}},
	{"SurvivalOfAnUnknownLeaseChangesNothing", func(s *scene) {
		lease := splits.Lease{Split: s.plain(), Member: "a", Epoch: 1}
		require.NoError(s, s.survive(lease))
		_, granted := s.claim("a", long, s.plain())
		assert.True(s, granted.Resolved)
	}},
	{"ResolvedSuspectIsDropped", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		s.suspect(short, lease, 5, 9, splits.InFlightAlone, 1)
		require.NoError(s, s.commit(short, lease, at(9, 0, 2)))
		_, granted := s.takeOver("b", short, s.plain())
		s.requireSuspect(granted, 0)
	}},
	{"RenewalAndLateCommitKeepTheSuspect", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		s.suspect(long, lease, 5, 9, splits.InFlightAlone, 3)
		s.suspect(long, lease, 5, 8, splits.InFlightAlone, 2) // applied late
		s.suspect(long, lease, 4, 7, splits.InFlightAlone, 4) // below the position
		require.NoError(s, s.commit(long, lease, at(6, 0, 2)))
		require.NoError(s, s.renew(short, lease))
		_, granted := s.takeOver("b", long, s.plain())
		s.requireSuspect(granted, 9, 9)
	}},
	{"SuspectIsFenced", func(s *scene) {
		old, _ := s.claim("a", long, s.plain())
		lease, _ := s.claim("a", long, s.plain())
		require.ErrorIs(s, s.storeSuspect(long, old, 5, 9, splits.NotInFlight, 1), splits.ErrFenced)
		require.NoError(s, s.release(lease))
		_, granted := s.claim("b", long, s.plain())
		s.requireSuspect(granted, 0)
	}},
	{"ResetDeletesSuspectAndDeaths", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		s.suspect(short, lease, 5, 9, splits.InFlightAlone, 1)
		lease, granted := s.takeOver("b", long, s.plain())
		s.requireSuspect(granted, 9, 9)
		require.NoError(s, s.reset(long, lease, at(3, 0, 1)))
		_, granted = s.claim("b", long, s.plain())
		s.requireSuspect(granted, 0)
	}},
}

// requireSuspect checks the suspect and the deaths of a claim; upTo is 0 if nothing is suspected.
func (s *scene) requireSuspect(granted splits.Granted, upTo uint64, deaths ...uint64) {
	s.Helper()
	assert.Equal(s, splits.Suspect{UpTo: splits.Offset{Millis: upTo}}, granted.Suspect)
	var all []splits.Offset
	for _, ms := range deaths {
		all = append(all, splits.Offset{Millis: ms})
	}
	assert.Equal(s, all, granted.Deaths)
}

// suspect stores a suspect with the position at ms.
func (s *scene) suspect(ttl time.Duration, lease splits.Lease, ms, upTo uint64, flight splits.Flight, turn int) {
	s.Helper()
	require.NoError(s, s.storeSuspect(ttl, lease, ms, upTo, flight, turn))
}

func (s *scene) storeSuspect(
	ttl time.Duration, lease splits.Lease, ms, upTo uint64, flight splits.Flight, turn int,
) error {
	s.Helper()
	return s.single(s.leases.Commit(s.Context(), ttl, []splits.Commit{{
		Lease: lease, Position: at(ms, 0, 1), Accounted: 1,
		Suspect: splits.Suspect{UpTo: splits.Offset{Millis: upTo}, Flight: flight, Turn: turn},
	}}))
}

func (s *scene) survive(lease splits.Lease) error {
	s.Helper()
	return s.single(s.leases.Survive(s.Context(), []splits.Lease{lease}))
}
