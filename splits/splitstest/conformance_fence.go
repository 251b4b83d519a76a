package splitstest

import (
	"math"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func at(ms, seq uint64, read int64) splits.Position {
	return splits.Position{Offset: splits.Offset{Millis: ms, Seq: seq}, EntriesRead: read}
}

// fenceScenarios are about what a member may do under a lease, and when it may not do so any more.
var fenceScenarios = []scenario{
	{"CommitIsStored", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, lease, at(10, 3, 4)))
		assert.Equal(s, at(10, 3, 4), s.committed(lease))
	}},
	{"PositionsAreExact", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		for _, position := range []splits.Position{
			at(9007199254740993, 9007199254740995, 9007199254740997),
			at(math.MaxUint64-1, math.MaxUint64, math.MaxInt64),
			at(math.MaxUint64, math.MaxUint64-1, splits.CountUnknown),
		} {
			require.NoError(s, s.commit(long, lease, position))
			_, granted := s.claim("a", long, s.plain())
			assert.Equal(s, position, granted.Position)
			lease.Epoch = granted.Epoch
		}
	}},
	{"CommitIsFencedByEpoch", func(s *scene) {
		old, _ := s.claim("a", long, s.plain())
		lease, _ := s.claim("a", long, s.plain())
		require.ErrorIs(s, s.commit(long, old, at(10, 0, 1)), splits.ErrFenced)
		require.NoError(s, s.commit(long, lease, at(5, 0, 1)))
		assert.Equal(s, at(5, 0, 1), s.committed(lease))
	}},
	{"CommitIsFencedByOwner", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		forged := lease
		forged.Member = "b"
		s.requireFenced(forged)
		assert.Equal(s, at(0, 0, 0), s.committed(lease))
	}},
	{"ReleasedLeaseIsFenced", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.release(lease))
		s.requireFenced(lease)
	}},
	{"LeaseThatWasTakenOverIsFenced", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		s.takeOver("b", long, s.plain())
		s.requireFenced(lease)
		s.requireHeld(s.plain(), "b", long/2, long)
	}},
	{"LeaseThatTheStoreLostIsFenced", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		s.Flush(s.topic)
		s.requireFenced(lease)
	}},
	{"LeaseThatNeverWasIsFenced", func(s *scene) {
		s.requireFenced(splits.Lease{Split: s.plain(), Member: "a", Epoch: 1})
	}},
	// No other member has claimed the split, so fencing the owner would waste its work.
	{"ExpiredLeaseThatNobodyTookCanBeRenewed", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		s.pass(2 * short)
		require.NoError(s, s.commit(short, lease, at(5, 0, 1)))
		s.pass(2 * short)
		require.NoError(s, s.renew(long, lease))
		s.requireHeld(s.plain(), "a", long/2, long)
	}},
	{"CommitExtendsTheLease", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		require.NoError(s, s.commit(long, lease, at(5, 0, 1)))
		s.pass(2 * short)
		s.requireHeld(s.plain(), "a", long/2, long)
	}},
	{"RenewExtendsTheLeaseAndKeepsThePosition", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		require.NoError(s, s.commit(short, lease, at(5, 1, 2)))
		require.NoError(s, s.renew(long, lease))
		s.pass(2 * short)
		s.requireHeld(s.plain(), "a", long/2, long)
		assert.Equal(s, at(5, 1, 2), s.committed(lease))
	}},
	{"ResetExtendsTheLease", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		require.NoError(s, s.reset(long, lease, at(0, 0, 0)))
		s.pass(2 * short)
		s.requireHeld(s.plain(), "a", long/2, long)
	}},
	// A late duplicate of an older commit: the member has the lease, so it is extended, but the
	// position stays.
	{"LowerCommitIsKeptOut", func(s *scene) {
		lease, _ := s.claim("a", short, s.plain())
		require.NoError(s, s.commit(short, lease, at(10, 10, 9)))
		require.NoError(s, s.commit(long, lease, at(10, 9, 8)))
		s.requireHeld(s.plain(), "a", long/2, long)
		assert.Equal(s, at(10, 10, 9), s.committed(lease))
	}},
	{"OffsetsAreComparedAsNumbers", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		ascending := []splits.Position{
			at(9, 100, 1),
			at(10, 9, 2),
			at(10, 10, 3),
			at(9007199254740992, 0, 4),
			at(9007199254740993, 0, 5),
			at(
				9007199254740993,
				math.MaxUint64-1,
				6,
			),
			at(9007199254740993, math.MaxUint64, 7),
			at(10000000000000000000, 1, 8),
		}
		for i, position := range ascending {
			require.NoError(s, s.commit(long, lease, position))
			for _, lower := range ascending[:i] {
				require.NoError(s, s.commit(long, lease, lower))
			}
			_, granted := s.claim("a", long, s.plain())
			assert.Equal(s, position, granted.Position)
			lease.Epoch = granted.Epoch
		}
	}},
	{"CommitOfTheSameOffsetIsNoError", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, lease, at(10, 0, splits.CountUnknown)))
		require.NoError(s, s.commit(long, lease, at(10, 0, 7)))
		assert.Equal(s, at(10, 0, 7), s.committed(lease), "what was unknown is known now")
	}},
	{"ResetGoesDown", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, lease, at(10, 0, 9)))
		require.NoError(s, s.reset(long, lease, at(3, 2, splits.CountUnknown)))
		require.NoError(s, s.commit(long, lease, at(2, 0, 1)), "from there on, lower commits are kept out again")
		assert.Equal(s, at(3, 2, splits.CountUnknown), s.committed(lease))
	}},
	{"RequestsOfOneCallAreIndependent", func(s *scene) {
		all := s.create(3)
		a0, _ := s.claim("a", long, all[0])
		b1, _ := s.claim("b", long, all[1])
		a2, _ := s.claim("a", long, all[2])
		forged := splits.Lease{Split: all[1], Member: "a", Epoch: b1.Epoch}
		leases := []splits.Lease{a2, forged, a0}
		check := func(errs []error) {
			s.Helper()
			require.Len(s, errs, 3)
			require.NoError(s, errs[0])
			require.ErrorIs(s, errs[1], splits.ErrFenced)
			require.NoError(s, errs[2])
		}
		check(s.leases.Commit(s.Context(), long, []splits.Commit{
			{
				Lease:    a2,
				Position: at(2, 0, 1),
			},
			{Lease: forged, Position: at(7, 0, 1)},
			{Lease: a0, Position: at(1, 0, 1)},
		}))
		check(s.leases.Renew(s.Context(), long, leases))
		check(s.leases.Release(s.Context(), leases))
		for i, want := range []splits.Position{at(1, 0, 1), {}, at(2, 0, 1)} {
			_, granted := s.claim("b", long, all[i])
			assert.Equal(s, want, granted.Position, "partition %d", i)
		}
	}},
	{"MirrorFollowsTheCommits", func(s *scene) {
		if s.Mirror == nil {
			return
		}
		offsets := s.fill(s.plain(), 5)
		lease, _ := s.claim("a", long, s.plain())
		s.requireMirror(splits.Position{})
		require.NoError(s, s.commit(long, lease, splits.Position{Offset: offsets[2], EntriesRead: 3}))
		s.requireMirror(splits.Position{Offset: offsets[2], EntriesRead: 3})
		require.NoError(s, s.commit(long, lease, splits.Position{Offset: offsets[1], EntriesRead: 2}))
		s.requireMirror(splits.Position{Offset: offsets[2], EntriesRead: 3})
		require.NoError(s, s.reset(long, lease, splits.Position{Offset: offsets[0], EntriesRead: 1}))
		s.requireMirror(splits.Position{Offset: offsets[0], EntriesRead: 1})
	}},
	{"NoStreamIsCreatedByReading", func(s *scene) {
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, lease, at(0, 0, 0)))
		require.NoError(s, s.reset(long, lease, at(0, 0, 0)))
		s.fetch(splits.FetchRequest{Cursors: []splits.Cursor{{Split: s.plain(), Inspect: true}}, Count: 1})
		s.beat("a", long)
		assert.False(s, s.state(s.plain())[0].Exists)
	}},
	{"MirrorAppearsWithTheStream", func(s *scene) {
		if s.Mirror == nil {
			return
		}
		lease, _ := s.claim("a", long, s.plain())
		_, there := s.Mirror(theGroup, s.plain())
		assert.False(s, there)
		offsets := s.fill(s.plain(), 2)
		require.NoError(s, s.commit(long, lease, splits.Position{Offset: offsets[0], EntriesRead: 1}))
		s.requireMirror(splits.Position{Offset: offsets[0], EntriesRead: 1})
	}},
	{"MirrorIsTheBackupOfTheLease", func(s *scene) {
		if s.Mirror == nil {
			return
		}
		offsets := s.fill(s.plain(), 3)
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, lease, splits.Position{Offset: offsets[1], EntriesRead: 2}))
		s.pass(20 * time.Millisecond)
		s.DropLease(theGroup, s.plain())
		s.requireFenced(lease)
		again, granted := s.claim("b", long, s.plain())
		assert.Equal(s, splits.Position{Offset: offsets[1], EntriesRead: 2}, granted.Position)
		assert.Greater(s, again.Epoch, lease.Epoch)
	}},
	// A client that reads with the native group moves it beyond what was committed.
	{"MirrorThatAnotherClientMovedSkipsNothing", func(s *scene) {
		if s.Mirror == nil {
			return
		}
		offsets := s.fill(s.plain(), 4)
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, lease, splits.Position{Offset: offsets[0], EntriesRead: 1}))
		s.ReadMirror(theGroup, s.plain(), 2)
		s.DropLease(theGroup, s.plain())
		_, granted := s.claim("b", long, s.plain())
		assert.Equal(s, offsets[1:], s.offsetsAfter(granted.Position.Offset))
		assert.Equal(s, splits.CountUnknown, granted.Position.EntriesRead)
	}},
	{"MirrorThatAnotherClientReadsIsNotMoved", func(s *scene) {
		if s.Mirror == nil {
			return
		}
		offsets := s.fill(s.plain(), 4)
		lease, _ := s.claim("a", long, s.plain())
		s.ReadMirror(theGroup, s.plain(), 3)
		require.NoError(s, s.commit(long, lease, splits.Position{Offset: offsets[0], EntriesRead: 1}))
		s.requireMirror(splits.Position{Offset: offsets[2], EntriesRead: 3})
	}},
}

// requireFenced asserts that every request under the lease is refused.
func (s *scene) requireFenced(lease splits.Lease) {
	s.Helper()
	require.ErrorIs(s, s.commit(long, lease, at(10, 0, 1)), splits.ErrFenced)
	require.ErrorIs(s, s.renew(long, lease), splits.ErrFenced)
	require.ErrorIs(s, s.reset(long, lease, at(10, 0, 1)), splits.ErrFenced)
	require.ErrorIs(s, s.release(lease), splits.ErrFenced)
}

func (s *scene) requireMirror(want splits.Position) {
	s.Helper()
	got, there := s.Mirror(theGroup, s.plain())
	require.True(s, there)
	assert.Equal(s, want, got)
}
