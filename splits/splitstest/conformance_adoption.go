package splitstest

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// adoptionScenarios are about groups that continue where a foreign group stands.
var adoptionScenarios = []scenario{
	adoption("AdoptionWithoutAForeignGroupIsRefused", func(s adoptionScene) {
		s.fill(s.plain(), 2)
		granted := s.claimOne("a", long, s.plain(), splits.Adopt())
		require.Error(s, granted.Err)
		require.NotErrorAs(s, granted.Err, new(*splits.HeldError))
		granted = s.claimOne("a", long, s.plain(), splits.Latest())
		require.NoError(s, granted.Err)
		assert.True(s, granted.Resolved, "the refused claim stored nothing")
		assert.Empty(s, granted.Adopting)
	}),
	adoption("AdoptionBeginsAtTheForeignPosition", func(s adoptionScene) {
		offsets := s.adopt(5, 3, 0, 2)
		_, granted := s.adopting("a", long)
		assert.Equal(s, theGroup, granted.Adopting)
		assert.Equal(s, offsets[2], granted.Position.Offset)
		assert.Equal(s, offsets[3:], s.offsetsAfter(granted.Position.Offset))
		page := s.pending(granted.Position.Offset)
		assert.Equal(s, []splits.Offset{offsets[0], offsets[2]}, offsetsOf(page.Entries))
		assert.Equal(s, []string{"body", "hello"}, page.Entries[0].Fields)
		assert.Empty(s, page.Gone)
		assert.False(s, page.More)
	}),
	adoption("ForeignPositionBeyondTheEndIsTheEnd", func(s adoptionScene) {
		offsets := s.fill(s.plain(), 1)
		s.AddForeignGroup(theGroup, s.plain(), splits.Offset{Millis: offsets[0].Millis + 1e9})
		_, granted := s.adopting("a", long)
		assert.Equal(s, offsets[0], granted.Position.Offset)
	}),
	adoption("AdoptionLastsWhateverTheStartIs", func(s adoptionScene) {
		offsets := s.adopt(5, 3, 0, 2)
		s.adopting("a", short)
		var granted splits.Granted
		s.eventually("taking over", func() bool {
			granted = s.claimOne("b", long, s.plain(), splits.Latest())
			return granted.Err == nil
		})
		assert.Equal(s, theGroup, granted.Adopting)
		assert.Equal(s, offsets[2], granted.Position.Offset)
	}),
	adoption("PendingPagesAreBoundedByEntries", func(s adoptionScene) {
		offsets := s.adopt(6, 6, 0, 1, 3, 4)
		s.adopting("a", long)
		page := s.page(splits.PendingRequest{UpTo: offsets[5], MaxEntries: 3, MaxBytes: 1 << 20})
		assert.Equal(s, []splits.Offset{offsets[0], offsets[1], offsets[3]}, offsetsOf(page.Entries))
		assert.True(s, page.More)
		page = s.page(splits.PendingRequest{After: page.Through, UpTo: offsets[5], MaxEntries: 3, MaxBytes: 1 << 20})
		assert.Equal(s, []splits.Offset{offsets[4]}, offsetsOf(page.Entries))
		assert.False(s, page.More)
	}),
	adoption("PendingPagesAreBoundedByBytes", func(s adoptionScene) {
		offsets := s.adopt(3, 3, 0, 1, 2)
		s.adopting("a", long)
		page := s.page(splits.PendingRequest{UpTo: offsets[2], MaxEntries: 100, MaxBytes: 1})
		assert.Equal(s, offsets[:1], offsetsOf(page.Entries), "one entry always fits")
		assert.True(s, page.More)
		assert.Equal(s, offsets[0], page.Through)
	}),
	adoption("PendingRangeIsExclusiveAndInclusive", func(s adoptionScene) {
		offsets := s.adopt(5, 5, 0, 1, 2, 3, 4)
		s.adopting("a", long)
		page := s.page(splits.PendingRequest{After: offsets[0], UpTo: offsets[2], MaxEntries: 100, MaxBytes: 1 << 20})
		assert.Equal(s, offsets[1:3], offsetsOf(page.Entries))
	}),
	adoption("PendingEntriesThatAreGoneAreNamed", func(s adoptionScene) {
		offsets := s.adopt(5, 5, 0, 1, 2, 3)
		s.TrimTo(s.plain(), 3)
		s.Delete(s.plain(), offsets[3])
		_, granted := s.adopting("a", long)
		page := s.pending(granted.Position.Offset)
		assert.Equal(s, []splits.Offset{offsets[0], offsets[1], offsets[3]}, page.Gone)
		assert.Equal(s, offsets[2:3], offsetsOf(page.Entries))
	}),
	adoption("SettleAcknowledgesAndEndsTheAdoption", func(s adoptionScene) {
		offsets := s.adopt(5, 4, 0, 2, 3)
		lease, granted := s.adopting("a", long)
		behind := granted.Position.Offset
		assert.Equal(s, splits.Settled{Pending: 2}, s.settle(lease, behind, offsets[0]))
		s.requirePending(offsets[3], offsets[2], offsets[3])
		require.NoError(s, s.commit(long, lease, splits.Position{Offset: offsets[4], EntriesRead: splits.CountUnknown}))
		s.requirePending(offsets[3], offsets[2], offsets[3])
		assert.Equal(s, splits.Settled{}, s.settle(lease, behind, offsets[2], offsets[3], offsets[0]))
		assert.Equal(s, splits.Settled{}, s.settle(lease, behind, offsets[2]), "a repeated request")
		again, granted := s.claim("a", long, s.plain())
		assert.Empty(s, granted.Adopting)
		assert.Equal(s, offsets[4], granted.Position.Offset)
		if s.Mirror != nil {
			require.NoError(s, s.commit(long, again, splits.Position{Offset: offsets[4], EntriesRead: 5}))
			s.requireMirror(splits.Position{Offset: offsets[4], EntriesRead: 5})
		}
	}),
	adoption("AdoptionWithNothingPendingEndsWithTheFirstSettle", func(s adoptionScene) {
		offsets := s.adopt(3, 2)
		lease, granted := s.adopting("a", long)
		assert.Equal(s, theGroup, granted.Adopting)
		assert.Empty(s, s.pending(offsets[1]).Entries)
		assert.Equal(s, splits.Settled{}, s.settle(lease, offsets[1]))
		_, granted = s.claim("a", long, s.plain())
		assert.Empty(s, granted.Adopting)
	}),
	adoption("SettleIsFenced", func(s adoptionScene) {
		offsets := s.adopt(3, 2, 0, 1)
		old, _ := s.adopting("a", long)
		lease, _ := s.claim("a", long, s.plain())
		require.ErrorIs(s, s.settle(old, offsets[1], offsets[0]).Err, splits.ErrFenced)
		s.requirePending(offsets[1], offsets[0], offsets[1])
		require.NoError(s, s.release(lease))
		require.ErrorIs(s, s.settle(lease, offsets[1], offsets[0]).Err, splits.ErrFenced)
	}),
	// A reader of the foreign group that was not stopped causes duplicates, and keeps nothing pending.
	adoption("WhatAForeignReaderTakesIsAcknowledgedWhenCommitted", func(s adoptionScene) {
		offsets := s.adopt(5, 2, 1)
		lease, granted := s.adopting("a", long)
		s.ReadForeign(theGroup, s.plain(), 3)
		s.requirePending(offsets[4], offsets[1], offsets[2], offsets[3], offsets[4])
		require.NoError(s, s.commit(long, lease, splits.Position{Offset: offsets[3], EntriesRead: 4}))
		assert.Equal(s, splits.Settled{Pending: 1}, s.settle(lease, granted.Position.Offset, offsets[1]))
		s.requirePending(offsets[4], offsets[4])
	}),
	adoption("SettlementsOfOneCallAreIndependent", func(s adoptionScene) {
		all := s.create(3)
		var requests []splits.Settlement
		for _, split := range all {
			o := s.fill(split, 1)[0]
			s.AddForeignGroup(theGroup, split, o, o)
			granted := s.claimOne("a", long, split, splits.Adopt())
			require.NoError(s, granted.Err)
			lease := splits.Lease{Split: split, Member: "a", Epoch: granted.Epoch}
			requests = append(requests, splits.Settlement{Lease: lease, Done: []splits.Offset{o}, Behind: o})
		}
		requests[1].Lease.Epoch--
		answers := s.Adoptions(s.topic, theGroup).Settle(s.Context(), requests)
		require.Len(s, answers, 3)
		require.NoError(s, answers[0].Err)
		require.ErrorIs(s, answers[1].Err, splits.ErrFenced)
		require.NoError(s, answers[2].Err)
	}),
	adoption("NothingIsPendingWithoutAnAdoption", func(s adoptionScene) {
		offsets := s.fill(s.plain(), 2)
		lease, _ := s.claim("a", long, s.plain())
		page, err := s.Adoptions(s.topic, theGroup).Pending(s.Context(), splits.PendingRequest{
			Split: s.plain(), UpTo: offsets[1], MaxEntries: 1, MaxBytes: 1,
		})
		require.NoError(s, err)
		assert.Equal(
			s,
			splits.PendingPage{Through: offsets[1]},
			splits.PendingPage{Through: page.Through, More: page.More},
		)
		assert.Empty(s, page.Entries)
		assert.Equal(s, splits.Settled{}, s.settle(lease, offsets[1]))
	}),
	adoption("ForeignGroupThatIsGoneHasNothingPending", func(s adoptionScene) {
		s.adopt(3, 2, 0, 1)
		lease, granted := s.adopting("a", long)
		s.Drop(s.plain())
		assert.Empty(s, s.pending(granted.Position.Offset).Entries)
		assert.Equal(s, splits.Settled{}, s.settle(lease, granted.Position.Offset))
	}),
}

// adoptionScene is a scene of a store with foreign groups.
type adoptionScene struct{ *scene }

// adoption returns a scenario that does nothing on stores without foreign groups.
func adoption(name string, run func(s adoptionScene)) scenario {
	return scenario{name, func(s *scene) {
		if s.AddForeignGroup != nil {
			run(adoptionScene{s})
		}
	}}
}

// adopt appends n entries to the plain topic and adds a foreign group that has delivered the first
// delivered ones. pending are the indexes of its pending entries.
func (s adoptionScene) adopt(n, delivered int, pending ...int) []splits.Offset {
	s.Helper()
	var offsets []splits.Offset
	for range n {
		offsets = append(offsets, s.fill(s.plain(), 1)...)
		s.pass(2 * time.Millisecond)
	}
	open := make([]splits.Offset, len(pending))
	for i, index := range pending {
		open[i] = offsets[index]
	}
	s.AddForeignGroup(theGroup, s.plain(), offsets[delivered-1], open...)
	return offsets
}

// adopting claims the plain topic.
func (s adoptionScene) adopting(member string, ttl time.Duration) (splits.Lease, splits.Granted) {
	s.Helper()
	granted := s.claimOne(member, ttl, s.plain(), splits.Adopt())
	require.NoError(s, granted.Err)
	return splits.Lease{Split: s.plain(), Member: member, Epoch: granted.Epoch}, granted
}

func (s adoptionScene) page(req splits.PendingRequest) splits.PendingPage {
	s.Helper()
	req.Split = s.plain()
	page, err := s.Adoptions(s.topic, theGroup).Pending(s.Context(), req)
	require.NoError(s, err)
	return page
}

func (s adoptionScene) pending(upTo splits.Offset) splits.PendingPage {
	s.Helper()
	return s.page(splits.PendingRequest{UpTo: upTo, MaxEntries: 100, MaxBytes: 1 << 20})
}

func (s adoptionScene) settle(lease splits.Lease, behind splits.Offset, done ...splits.Offset) splits.Settled {
	s.Helper()
	answers := s.Adoptions(s.topic, theGroup).Settle(
		s.Context(),
		[]splits.Settlement{{Lease: lease, Done: done, Behind: behind}},
	)
	require.Len(s, answers, 1)
	return answers[0]
}

// requirePending asserts the state of the foreign group.
func (s adoptionScene) requirePending(last splits.Offset, pending ...splits.Offset) {
	s.Helper()
	at, open, there := s.ForeignGroup(theGroup, s.plain())
	require.True(s, there)
	assert.Equal(s, last, at)
	assert.Equal(s, pending, open)
}
