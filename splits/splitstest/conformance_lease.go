package splitstest

import (
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// leaseScenarios are about the owners of splits.
var leaseScenarios = []scenario{
	{"FirstClaimIsGranted", func(s *scene) {
		granted := s.claimOne("a", long, s.plain(), splits.Earliest())
		require.NoError(s, granted.Err)
		assert.NotZero(s, granted.Epoch)
		assert.Zero(s, granted.Attempts)
		assert.Equal(s, splits.Position{}, granted.Position)
	}},
	{"LiveLeaseRefusesOthers", func(s *scene) {
		const owner = "rafka/é \"x\" %/1"
		s.claim(owner, long, s.plain())
		s.requireHeld(s.plain(), owner, long/2, long)
		s.requireHeld(s.plain(), owner, long/2, long)
	}},
	{"RefusalNamesTheTimeThatIsLeft", func(s *scene) {
		s.claim("a", 20*time.Second, s.plain())
		s.requireHeld(s.plain(), "a", 0, 20*time.Second)
		s.pass(100 * time.Millisecond)
		s.requireHeld(s.plain(), "a", 0, 20*time.Second-100*time.Millisecond)
	}},
	{"ExpiredLeaseIsTakenOver", func(s *scene) {
		first, _ := s.claim("a", short, s.plain())
		second, _ := s.takeOver("b", long, s.plain())
		assert.Greater(s, second.Epoch, first.Epoch)
		s.requireHeld(s.plain(), "b", long/2, long)
	}},
	{"ReleasedLeaseIsFreeAtOnce", func(s *scene) {
		first, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, first, splits.Position{Offset: splits.Offset{Millis: 7}, EntriesRead: 3}))
		require.NoError(s, s.release(first))
		second, granted := s.claim("b", long, s.plain())
		assert.Greater(s, second.Epoch, first.Epoch)
		assert.Equal(s, splits.Position{Offset: splits.Offset{Millis: 7}, EntriesRead: 3}, granted.Position)
	}},
	{"FinishedRangesAreStoredWithThePosition", func(s *scene) {
		at := func(ms uint64) splits.Position {
			return splits.Position{Offset: splits.Offset{Millis: ms}, EntriesRead: 1}
		}
		ranges := func(ms ...uint64) (all []splits.Range) {
			for _, m := range ms {
				all = append(all, splits.Range{First: splits.Offset{Millis: m}, Last: splits.Offset{Millis: m, Seq: 4}})
			}
			return all
		}
		lease, granted := s.claim("a", long, s.plain())
		assert.Empty(s, granted.Finished)
		commit := func(at splits.Position, finished []splits.Range, want []splits.Range) {
			s.Helper()
			require.NoError(s, s.single(s.leases.Commit(s.Context(), long, []splits.Commit{
				{Lease: lease, Position: at, Accounted: splits.CountUnknown, Finished: finished},
			})))
			require.NoError(s, s.renew(long, lease))
			lease, granted = s.claim("a", long, s.plain())
			assert.Equal(s, want, granted.Finished)
		}
		commit(at(7), ranges(9, 12), ranges(9, 12))
		commit(at(7), ranges(9, 12, 15), ranges(9, 12, 15))
		commit(at(6), ranges(9), ranges(9, 12, 15)) // a late request
		commit(at(8), ranges(12), ranges(12))
		require.NoError(s, s.release(lease))
		lease, granted = s.claim("b", long, s.plain())
		assert.Equal(s, ranges(12), granted.Finished)
		require.NoError(s, s.reset(long, lease, at(8)))
		_, granted = s.claim("b", long, s.plain())
		assert.Empty(s, granted.Finished, "the offsets may be those of other entries now")
	}},
	{"OwnerIsGrantedAgainUnderANewEpoch", func(s *scene) {
		first, _ := s.claim("a", short, s.plain())
		second, _ := s.claim("a", long, s.plain())
		third, _ := s.claim("a", long, s.plain())
		assert.Greater(s, second.Epoch, first.Epoch)
		assert.Greater(s, third.Epoch, second.Epoch)
		s.requireHeld(s.plain(), "a", long/2, long)
		require.ErrorIs(s, s.renew(long, first), splits.ErrFenced)
		require.NoError(s, s.renew(long, third))
	}},
	{"EpochsGrowEvenIfTheStoreLosesEverything", func(s *scene) {
		split := s.create(1)[0]
		var last uint64
		for range 5 {
			lease, _ := s.claim("a", long, split)
			assert.Greater(s, lease.Epoch, last)
			last = lease.Epoch
			require.NoError(s, s.release(lease))
		}
		s.pass(20 * time.Millisecond)
		s.Flush(s.topic)
		lease, granted := s.claim("b", long, split)
		assert.Greater(s, lease.Epoch, last)
		assert.Equal(s, splits.Position{}, granted.Position)
	}},
	{"OneOfManyConcurrentClaimsIsGranted", func(s *scene) {
		granted := make([]splits.Granted, 20)
		var all sync.WaitGroup
		for i := range granted {
			all.Go(func() {
				member := string(rune('a' + i))
				granted[i] = s.leases.Claim(s.Context(), member, long, []splits.Claim{{Split: s.plain()}})[0]
			})
		}
		all.Wait()
		winners := 0
		for _, g := range granted {
			var held *splits.HeldError
			if g.Err == nil {
				winners++
			} else {
				require.ErrorAs(s, g.Err, &held)
			}
		}
		assert.Equal(s, 1, winners)
	}},
	{"ClaimsOfOneCallAreIndependent", func(s *scene) {
		all := s.create(4)
		s.claim("b", long, all[1])
		s.SetWrongType(all[2])
		claims := make([]splits.Claim, len(all))
		for i := range all {
			claims[i] = splits.Claim{Split: all[len(all)-1-i], Start: splits.Latest()}
		}
		granted := s.leases.Claim(s.Context(), "a", long, claims)
		require.Len(s, granted, 4)
		require.NoError(s, granted[0].Err)
		require.Error(s, granted[1].Err, "where a stream of another type ends is not known")
		var held *splits.HeldError
		assert.NotErrorAs(s, granted[1].Err, &held)
		require.ErrorAs(s, granted[2].Err, &held)
		assert.Equal(s, "b", held.Owner)
		require.NoError(s, granted[3].Err)
	}},
	{"EmptyCallsAreAnsweredEmpty", func(s *scene) {
		assert.Empty(s, s.leases.Claim(s.Context(), "a", long, nil))
		assert.Empty(s, s.leases.Commit(s.Context(), long, nil))
		assert.Empty(s, s.leases.Renew(s.Context(), long, nil))
		assert.Empty(s, s.leases.Release(s.Context(), nil))
	}},
	{"GroupsHoldSplitsIndependently", func(s *scene) {
		s.claim("a", long, s.plain())
		seen := map[string]splits.Leases{}
		for _, name := range []string{"other", "x:y", "x%3Ay", "x%253Ay", "{x}", "%7Bx%7D", "x y", "ä"} {
			seen[name] = s.Leases(s.topic, name)
		}
		for name, leases := range seen {
			granted := leases.Claim(s.Context(), "member of "+name, long, []splits.Claim{{Split: s.plain()}})
			require.NoError(s, granted[0].Err, name)
		}
		for name, leases := range seen {
			granted := leases.Claim(s.Context(), "stranger", long, []splits.Claim{{Split: s.plain()}})
			var held *splits.HeldError
			require.ErrorAs(s, granted[0].Err, &held)
			assert.Equal(s, "member of "+name, held.Owner)
		}
	}},
	{"FirstClaimCountsNoAttempt", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.release(lease))
		_, granted := s.claim("b", long, s.plain())
		assert.Zero(s, granted.Attempts)
	}},
	{"TakeoversWithoutProgressCountAttempts", func(s *scene) {
		s.claim("a", short, s.plain())
		_, granted := s.takeOver("b", short, s.plain())
		assert.Equal(s, 1, granted.Attempts)
		lease, granted := s.takeOver("c", short, s.plain())
		assert.Equal(s, 2, granted.Attempts)
		require.NoError(s, s.commit(short, lease, splits.Position{Offset: splits.Offset{Millis: 5}, EntriesRead: 1}))
		lease, granted = s.takeOver("d", long, s.plain())
		assert.Equal(s, 1, granted.Attempts, "the offset has moved since c's claim")
		require.NoError(s, s.release(lease))
		_, granted = s.claim("e", long, s.plain())
		assert.Zero(s, granted.Attempts, "d has released")
	}},
	{"ClaimingAgainKeepsTheAttempts", func(s *scene) {
		s.claim("a", short, s.plain())
		_, granted := s.takeOver("b", short, s.plain())
		assert.Equal(s, 1, granted.Attempts)
		_, granted = s.claim("b", short, s.plain())
		assert.Equal(s, 1, granted.Attempts)
		_, granted = s.takeOver("c", long, s.plain())
		assert.Equal(s, 2, granted.Attempts)
		_, granted = s.claim("c", long, s.plain())
		assert.Equal(s, 2, granted.Attempts)
	}},
}
