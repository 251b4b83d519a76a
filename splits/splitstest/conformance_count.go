package splitstest

import (
	"math"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// end is behind every entry.
var end = splits.Offset{Millis: math.MaxUint64, Seq: math.MaxUint64}

// countScenarios are about counting entries without reading them.
var countScenarios = []scenario{
	{"CountCountsARange", func(s *scene) {
		offsets := s.fill(s.plain(), 10)
		for _, c := range []struct{ from, to int }{{0, 9}, {0, 0}, {3, 7}, {9, 9}} {
			counted := s.count(splits.CountRequest{After: offsets[c.from].Prev(), UpTo: offsets[c.to], Most: 100})
			assert.Equal(s, c.to-c.from+1, counted.Entries)
			assert.Equal(s, offsets[c.from], counted.First)
			assert.Equal(s, offsets[c.to], counted.Last)
			assert.False(s, counted.More)
		}
		assert.Equal(
			s,
			9,
			s.count(splits.CountRequest{After: offsets[0], UpTo: end, Most: 100}).Entries,
			"the offset before it is not in it",
		)
	}},
	{"CountGoesOnInSlices", func(s *scene) {
		offsets := s.fill(s.plain(), 10)
		request, total, slices := splits.CountRequest{UpTo: offsets[7], Most: 3}, 0, 0
		for more := true; more; slices++ {
			counted := s.count(request)
			total += counted.Entries
			request.After, more = counted.Last, counted.More
		}
		assert.Equal(s, 8, total)
		assert.Equal(s, 3, slices)
	}},
	{"CountKnowsThatARangeEndsWithASlice", func(s *scene) {
		offsets := s.fill(s.plain(), 6)
		counted := s.count(splits.CountRequest{UpTo: offsets[2], Most: 3})
		assert.Equal(s, 3, counted.Entries)
		assert.False(s, counted.More)
	}},
	{"CountOfNothingIsZero", func(s *scene) {
		assert.Equal(
			s,
			splits.Counted{},
			s.timeless(s.count(splits.CountRequest{UpTo: end, Most: 10})),
			"there is no stream",
		)
		assert.False(s, s.state(s.plain())[0].Exists, "and none was created")
		offsets := s.fill(s.plain(), 3)
		counted := s.count(splits.CountRequest{After: offsets[2], UpTo: end, Most: 10})
		assert.Zero(s, counted.Entries)
		assert.Equal(s, splits.Offset{}, counted.First)
		assert.False(s, counted.More)
		s.TrimTo(s.plain(), 0)
		assert.Zero(s, s.count(splits.CountRequest{UpTo: end, Most: 10}).Entries)
	}},
	{"CountLeavesOutWhatIsGone", func(s *scene) {
		offsets := s.fill(s.plain(), 10)
		s.TrimTo(s.plain(), 7)
		s.Delete(s.plain(), offsets[5])
		counted := s.count(splits.CountRequest{UpTo: end, Most: 100})
		assert.Equal(s, 6, counted.Entries)
		assert.Equal(s, offsets[3], counted.First)
	}},
	{"CountSaysHowLargeEntriesAre", func(s *scene) {
		for range 40 {
			s.Append(s.plain(), "body", string(make([]byte, 2000)))
		}
		counted := s.count(splits.CountRequest{UpTo: end, Most: 100})
		assert.InDelta(s, 2000, counted.Size, 200)
	}},
	// The embedded server finds no entries there. Other stores return an error.
	{"CountOfAnotherTypeCountsNothing", func(s *scene) {
		s.SetWrongType(s.plain())
		counted, err := s.log.Count(s.Context(), splits.CountRequest{Split: s.plain(), UpTo: end, Most: 10})
		assert.True(s, err != nil || s.NoExactCounts)
		assert.Zero(s, counted.Entries)
	}},
}

// count counts entries of the plain topic.
func (s *scene) count(req splits.CountRequest) splits.Counted {
	s.Helper()
	req.Split = s.plain()
	counted, err := s.log.Count(s.Context(), req)
	require.NoError(s, err)
	assert.GreaterOrEqual(s, counted.Took.Nanoseconds(), int64(0))
	return counted
}

// timeless returns the result without the time that it took.
func (*scene) timeless(c splits.Counted) splits.Counted {
	c.Took = 0
	return c
}
