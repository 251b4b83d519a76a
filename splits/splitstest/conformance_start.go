package splitstest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// startScenarios are about where a group begins to read.
var startScenarios = []scenario{
	{"EarliestStartsBeforeTheFirstEntry", func(s *scene) {
		offsets := s.fill(s.plain(), 3)
		position := s.first(splits.Earliest())
		assert.Equal(s, s.exactly(0), position.EntriesRead)
		assert.Equal(s, offsets, s.offsetsAfter(position.Offset))
	}},
	{"EarliestOfATrimmedStreamCountsWhatIsGoneAsRead", func(s *scene) {
		offsets := s.fill(s.plain(), 5)
		s.TrimTo(s.plain(), 2)
		position := s.first(splits.Earliest())
		assert.Equal(s, s.exactly(3), position.EntriesRead)
		assert.Equal(s, offsets[3:], s.offsetsAfter(position.Offset))
	}},
	{"LatestStartsBehindTheLastEntry", func(s *scene) {
		offsets := s.fill(s.plain(), 3)
		position := s.first(splits.Latest())
		assert.Equal(s, splits.Position{Offset: offsets[2], EntriesRead: s.exactly(3)}, position)
		assert.Empty(s, s.offsetsAfter(position.Offset))
	}},
	{"LatestOfAnEmptiedStreamIsItsLastGeneratedOffset", func(s *scene) {
		offsets := s.fill(s.plain(), 3)
		s.TrimTo(s.plain(), 0)
		assert.Equal(s, splits.Position{Offset: offsets[2], EntriesRead: s.exactly(3)}, s.first(splits.Latest()))
	}},
	{"StartAtIncludesTheOffset", func(s *scene) {
		offsets := s.fill(s.plain(), 3)
		position := s.first(splits.StartAt(offsets[1]))
		assert.Equal(s, splits.Position{Offset: offsets[1].Prev(), EntriesRead: splits.CountUnknown}, position)
		assert.Equal(s, offsets[1:], s.offsetsAfter(position.Offset))
	}},
	// A read behind an offset that the stream has not reached could wait forever: the stream would
	// look rolled back.
	{"StartAtBehindTheLastEntryIsLatest", func(s *scene) {
		offsets := s.fill(s.plain(), 3)
		last := offsets[2]
		position := s.first(splits.StartAt(splits.Offset{Millis: last.Millis, Seq: last.Seq + 5}))
		assert.Equal(s, splits.Position{Offset: last, EntriesRead: s.exactly(3)}, position)
	}},
	{"StartAtBeforeTheFirstEntryCountsWhatIsGoneAsRead", func(s *scene) {
		offsets := s.fill(s.plain(), 5)
		s.TrimTo(s.plain(), 2)
		position := s.first(splits.StartAt(offsets[1]))
		assert.Equal(s, splits.Position{Offset: offsets[1].Prev(), EntriesRead: s.exactly(3)}, position)
		assert.Equal(s, offsets[3:], s.offsetsAfter(position.Offset))
	}},
	{"StartAtAWholeMillisecondIsExact", func(s *scene) {
		o := splits.Offset{Millis: 9007199254740993}
		assert.Equal(s, splits.Position{Offset: o.Prev(), EntriesRead: splits.CountUnknown}, s.first(splits.StartAt(o)))
	}},
	{"MissingStreamStartsAtZero", func(s *scene) {
		all := s.create(2)
		for i, start := range []splits.Start{splits.Earliest(), splits.Latest()} {
			granted := s.claimOne("a", long, all[i], start)
			require.NoError(s, granted.Err)
			assert.Equal(s, splits.Position{}, granted.Position)
		}
	}},
	// A crash before the first commit must not skip the entries that came after the first claim.
	{"StartIsStoredAtOnce", func(s *scene) {
		first := s.fill(s.plain(), 1)
		granted := s.claimOne("a", short, s.plain(), splits.Latest())
		require.NoError(s, granted.Err)
		second := s.fill(s.plain(), 1)
		s.eventually("taking over", func() bool {
			granted = s.claimOne("b", long, s.plain(), splits.Latest())
			return granted.Err == nil
		})
		assert.Equal(s, first[0], granted.Position.Offset)
		assert.Equal(s, second, s.offsetsAfter(granted.Position.Offset))
	}},
	{"StoredPositionBeatsTheStart", func(s *scene) {
		offsets := s.fill(s.plain(), 3)
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, lease, splits.Position{Offset: offsets[0], EntriesRead: 1}))
		for _, start := range []splits.Start{splits.Latest(), splits.StartAt(offsets[2]), splits.Earliest()} {
			granted := s.claimOne("a", long, s.plain(), start)
			require.NoError(s, granted.Err)
			assert.Equal(s, splits.Position{Offset: offsets[0], EntriesRead: 1}, granted.Position)
		}
	}},
	{"PositionOutlivesTheStream", func(s *scene) {
		s.fill(s.plain(), 1)
		lease, _ := s.claim("a", long, s.plain())
		require.NoError(s, s.commit(long, lease, at(5, 0, 1)))
		s.Drop(s.plain())
		require.NoError(s, s.commit(long, lease, at(6, 0, 2)), "the lease is not lost with the stream")
		assert.Equal(s, at(6, 0, 2), s.committed(lease))
	}},
}

// first claims the plain topic for the first time and returns its position.
func (s *scene) first(start splits.Start) splits.Position {
	s.Helper()
	granted := s.claimOne("a", long, s.plain(), start)
	require.NoError(s, granted.Err)
	return granted.Position
}

// offsetsAfter reads the plain topic.
func (s *scene) offsetsAfter(after splits.Offset) []splits.Offset {
	s.Helper()
	fetched := s.fetch(splits.FetchRequest{Cursors: []splits.Cursor{{Split: s.plain(), After: after}}, Count: 100})
	require.NoError(s, fetched[0].Err)
	return offsetsOf(fetched[0].Entries)
}

func offsetsOf(entries []splits.Entry) []splits.Offset {
	offsets := make([]splits.Offset, len(entries))
	for i, e := range entries {
		offsets[i] = e.Offset
	}
	return offsets
}
