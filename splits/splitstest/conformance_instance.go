package splitstest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// The incarnations of a static member, from the earliest to the latest.
const theMember = "rafka/till é"

var lives = []string{
	splits.Incarnation(theMember, 9, "Z"),
	splits.Incarnation(theMember, 1_700_000_000_000_000, "A"),
	splits.Incarnation(theMember, 1_700_000_000_000_000, "B"),
	splits.Incarnation(theMember, 1_700_000_000_000_001, "A"),
}

// instanceScenarios are about static members, which return under their name.
var instanceScenarios = []scenario{
	{"LaterIncarnationTakesOverAtOnce", func(s *scene) {
		split := s.create(1)[0]
		var last splits.Lease
		for i, owner := range lives {
			_, err := s.beatAs(theMember, owner, long)
			require.NoError(s, err)
			lease, granted := s.claim(owner, long, split)
			assert.Greater(s, lease.Epoch, last.Epoch)
			if i > 0 {
				assert.EqualValues(s, i, granted.Position.EntriesRead, "it goes on where the earlier one stopped")
				at := splits.Position{Offset: splits.Offset{Millis: 99}, EntriesRead: 99}
				require.ErrorIs(s, s.commit(long, last, at), splits.ErrFenced)
				require.ErrorIs(s, s.renew(long, last), splits.ErrFenced)
				require.ErrorIs(s, s.reset(long, last, at), splits.ErrFenced)
				require.ErrorIs(s, s.release(last), splits.ErrFenced)
			}
			require.NoError(
				s,
				s.commit(
					long,
					lease,
					splits.Position{Offset: splits.Offset{Millis: uint64(i + 1)}, EntriesRead: int64(i + 1)},
				),
			)
			last = lease
		}
	}},
	{"RestartChangesNeitherMembersNorPlan", func(s *scene) {
		_, err := s.beatAs(theMember, lives[0], long)
		require.NoError(s, err)
		view := s.beat("b", long)
		plan := map[string][]int{theMember: {0}, "b": {1}}
		require.True(s, s.propose(view.Version, plan))
		for _, owner := range lives[1:] {
			back, err := s.beatAs(theMember, owner, long)
			require.NoError(s, err)
			assert.Equal(s, view.Version, back.Version)
			assert.Empty(s, back.Members, "there is nothing to plan")
			s.requirePlan(back, view.Version, plan)
		}
	}},
	{"EarlierIncarnationIsRefused", func(s *scene) {
		split := s.create(1)[0]
		for i := range lives[1:] {
			earlier, later := lives[i], lives[i+1]
			before, err := s.beatAs(theMember, later, long)
			require.NoError(s, err)
			lease, _ := s.claim(later, long, split)
			for range 2 {
				_, err = s.beatAs(theMember, earlier, 3*long)
				var superseded *splits.SupersededError
				require.ErrorAs(s, err, &superseded)
				assert.Equal(s, splits.SupersededError{Member: theMember, By: later}, *superseded)
				var held *splits.HeldError
				require.ErrorAs(s, s.claimOne(earlier, long, split, splits.Earliest()).Err, &held)
				assert.Equal(s, later, held.Owner)
			}
			after, err := s.beatAs(theMember, later, long)
			require.NoError(s, err)
			assert.Equal(s, before.Version, after.Version)
			assert.LessOrEqual(s, after.Next, long, "nor does the earlier one extend the membership")
			require.NoError(s, s.renew(long, lease))
		}
	}},
	{"EarlierIncarnationDoesNotKeepTheLaterAlive", func(s *scene) {
		s.beat("b", long)
		_, err := s.beatAs(theMember, lives[1], short)
		require.NoError(s, err)
		s.eventually("admitting the earlier one again", func() bool {
			_, err := s.beatAs(theMember, lives[0], long)
			var superseded *splits.SupersededError
			if err != nil {
				require.ErrorAs(s, err, &superseded)
			}
			return err == nil
		})
		_, err = s.beatAs(theMember, lives[1], long)
		require.NoError(s, err, "the later one was paused: it wins again")
		_, err = s.beatAs(theMember, lives[0], long)
		require.Error(s, err)
	}},
	{"EarlierIncarnationIsAdmittedWhenTheLaterHasLeft", func(s *scene) {
		_, err := s.beatAs(theMember, lives[1], long)
		require.NoError(s, err)
		require.NoError(s, s.group.Leave(s.Context(), theMember))
		view, err := s.beatAs(theMember, lives[0], long)
		require.NoError(s, err)
		assert.Equal(s, []string{theMember}, view.Members)
	}},
	{"IncarnationOfADroppedMemberIsForgotten", func(s *scene) {
		_, err := s.beatAs(theMember, lives[1], short)
		require.NoError(s, err)
		s.eventually("dropping the member", func() bool { return len(s.beat("b", long).Members) == 1 })
		view, err := s.beatAs(theMember, lives[0], long)
		require.NoError(s, err)
		assert.Equal(s, []string{"b", theMember}, view.Members)
	}},
	{"IncarnationsOfOtherMembersAreStrangers", func(s *scene) {
		split := s.create(1)[0]
		other := splits.Incarnation("rafka/other", 1_900_000_000_000_000, "A")
		for _, owner := range []string{other, lives[0]} {
			_, err := s.beatAs(map[string]string{other: "rafka/other", lives[0]: theMember}[owner], owner, long)
			require.NoError(s, err)
		}
		s.claim(lives[0], long, split)
		for _, stranger := range []string{other, "rafka/till é/RANDOM", theMember, "z"} {
			var held *splits.HeldError
			require.ErrorAs(s, s.claimOne(stranger, long, split, splits.Earliest()).Err, &held, stranger)
		}
	}},
	{"ReleasedLeaseOfALaterIncarnationIsFree", func(s *scene) {
		split := s.create(1)[0]
		lease, _ := s.claim(lives[1], long, split)
		require.NoError(s, s.release(lease))
		s.claim(lives[0], long, split)
	}},
	{"TakingOverIsHinted", func(s *scene) {
		_, err := s.beatAs(theMember, lives[0], long)
		require.NoError(s, err)
		w := s.wake()
		defer w.stop()
		w.requireHint("taking over", func() {
			_, err := s.beatAs(theMember, lives[1], long)
			require.NoError(s, err)
		})
	}},
	{"TakeoverFromAnEarlierIncarnationCountsAnAttempt", func(s *scene) {
		split := s.create(1)[0]
		s.claim(lives[0], long, split)
		_, granted := s.claim(lives[1], long, split)
		assert.Equal(s, 1, granted.Attempts, "the earlier one may have been killed by what it read")
		lease, granted := s.claim(lives[2], long, split)
		assert.Equal(s, 2, granted.Attempts)
		require.NoError(s, s.release(lease))
		_, granted = s.claim(lives[3], long, split)
		assert.Zero(s, granted.Attempts, "the earlier one has released")
	}},
}
