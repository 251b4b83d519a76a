package splitstest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// failingScenarios are about what is stored of entries that failed.
var failingScenarios = []scenario{
	{"FailuresAreReturnedByTheClaim", func(s *scene) {
		lease, granted := s.claim("a", short, s.plain())
		assert.Empty(s, granted.Failing)
		second := splits.Attempted{
			Offset: splits.Offset{
				Millis: 10,
				Seq:    2,
			},
			Attempts: 3,
			Age:      time.Hour,
			Lettered: true,
			Cause:    "no  such table",
		}
		first := splits.Attempted{Offset: splits.Offset{Millis: 9, Seq: 11}, Attempts: 1}
		require.NoError(s, s.note(splits.Note{Lease: lease, Failing: []splits.Attempted{second, first}}))
		_, granted = s.takeOver("b", long, s.plain())
		s.requireFailing([]splits.Attempted{first, second}, granted.Failing)
	}},
	{"FailuresAreReplacedAndRemoved", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		one, two := splits.Offset{Millis: 1}, splits.Offset{Millis: 2}
		require.NoError(s, s.note(splits.Note{
			Lease: lease, Failing: []splits.Attempted{{Offset: one, Attempts: 1}, {Offset: two, Attempts: 1}},
		}))
		require.NoError(s, s.note(splits.Note{
			Lease:    lease,
			Failing:  []splits.Attempted{{Offset: two, Attempts: 2, Cause: "again"}},
			Resolved: []splits.Offset{one, {Millis: 7}},
		}))
		_, granted := s.claim("a", long, s.plain())
		s.requireFailing([]splits.Attempted{{Offset: two, Attempts: 2, Cause: "again"}}, granted.Failing)
	}},
	{"LetteredFailureStaysSo", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		failing := []splits.Attempted{{Offset: splits.Offset{Millis: 1}, Attempts: 3, Lettered: true}}
		require.NoError(s, s.note(splits.Note{Lease: lease, Failing: failing}))
		failing[0].Attempts, failing[0].Lettered = 2, false
		require.NoError(s, s.note(splits.Note{Lease: lease, Failing: failing}), "it was sent before, and arrives late")
		failing[0].Lettered = true
		_, granted := s.claim("a", long, s.plain())
		s.requireFailing(failing, granted.Failing)
	}},
	{"AgeOfAFailureGrows", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.note(splits.Note{
			Lease: lease, Failing: []splits.Attempted{{Offset: splits.Offset{Millis: 1}, Attempts: 1}},
		}))
		s.pass(short)
		_, granted := s.claim("a", long, s.plain())
		require.Len(s, granted.Failing, 1)
		assert.GreaterOrEqual(s, granted.Failing[0].Age, short-time.Millisecond)
	}},
	{"CausesAreCutToOneLine", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		cause := "first\nsecond\x00" + strings.Repeat("€", 100)
		stored := splits.Attempted{Attempts: 1, Cause: cause}
		require.NoError(s, s.note(splits.Note{Lease: lease, Failing: []splits.Attempted{stored}}))
		_, granted := s.claim("a", long, s.plain())
		stored.Cause = splits.OneLine(cause)
		s.requireFailing([]splits.Attempted{stored}, granted.Failing)
	}},
	{"NumberOfFailuresIsBounded", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		all := make([]splits.Attempted, splits.MaxAttempted+1)
		for i := range all {
			all[i] = splits.Attempted{Offset: splits.Offset{Millis: 1, Seq: uint64(i)}, Attempts: 1}
		}
		require.NoError(s, s.note(splits.Note{Lease: lease, Failing: all}))
		_, granted := s.claim("a", long, s.plain())
		s.requireFailing(all[:splits.MaxAttempted], granted.Failing)
		lease.Epoch = granted.Epoch
		all[5].Attempts = 2
		require.NoError(s, s.note(splits.Note{Lease: lease, Failing: all[5:6]}), "an entry that is stored")
		require.NoError(s, s.commit(long, lease, at(1, 99, splits.CountUnknown)))
		require.NoError(
			s,
			s.note(splits.Note{Lease: lease, Failing: all[splits.MaxAttempted:]}),
			"the offset makes room",
		)
		_, granted = s.claim("a", long, s.plain())
		s.requireFailing(all[100:], granted.Failing)
	}},
	{"NoteKeepsPositionAndLease", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, lease, at(10, 0, 3)))
		failing := []splits.Attempted{{Offset: splits.Offset{Millis: 11}, Attempts: 1}}
		require.NoError(s, s.note(splits.Note{Lease: lease, Failing: failing}))
		s.requireHeld(s.plain(), "a", long/2, long)
		assert.Equal(s, at(10, 0, 3), s.committed(lease))
	}},
	{"NoteIsFenced", func(s *scene) {
		old, _ := s.claim("a", long, s.plain())
		lease, _ := s.claim("a", long, s.plain())
		failing := []splits.Attempted{{Offset: splits.Offset{Millis: 1}, Attempts: 1}}
		require.ErrorIs(s, s.note(splits.Note{Lease: old, Failing: failing}), splits.ErrFenced)
		forged := lease
		forged.Member = "b"
		require.ErrorIs(s, s.note(splits.Note{Lease: forged, Failing: failing}), splits.ErrFenced)
		require.NoError(s, s.note(splits.Note{Lease: lease, Failing: failing}))
		require.ErrorIs(s, s.note(splits.Note{Lease: old, Resolved: []splits.Offset{{Millis: 1}}}), splits.ErrFenced)
		_, granted := s.claim("a", long, s.plain())
		s.requireFailing(failing, granted.Failing)
		lease.Epoch = granted.Epoch
		require.NoError(s, s.release(lease))
		require.ErrorIs(s, s.note(splits.Note{Lease: lease, Failing: failing}), splits.ErrFenced)
	}},
	{"ResetForgetsFailures", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		failing := []splits.Attempted{{Offset: splits.Offset{Millis: 1}, Attempts: 1}}
		require.NoError(s, s.note(splits.Note{Lease: lease, Failing: failing}))
		require.NoError(s, s.reset(long, lease, at(0, 0, 0)))
		_, granted := s.claim("a", long, s.plain())
		assert.Empty(s, granted.Failing)
	}},
}

func (s *scene) note(n splits.Note) error {
	s.Helper()
	return s.single(s.leases.Note(s.Context(), []splits.Note{n}))
}

func (s *scene) requireFailing(want, got []splits.Attempted) {
	s.Helper()
	requireFailing(s.T, want, got)
}

// requireFailing asserts that these entries are stored. Their ages have grown by up to a minute.
func requireFailing(t *testing.T, want, got []splits.Attempted) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, a := range got {
		assert.GreaterOrEqual(t, a.Age, want[i].Age-time.Millisecond)
		assert.Less(t, a.Age, want[i].Age+time.Minute)
		a.Age = want[i].Age
		assert.Equal(t, want[i], a)
	}
}
