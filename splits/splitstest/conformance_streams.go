package splitstest

import (
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// logScenarios are about reading entries.
var logScenarios = []scenario{
	{"FetchReadsBehindTheCursor", func(s *scene) {
		offsets := s.fill(s.plain(), 4)
		assert.Equal(s, offsets, s.offsetsAfter(splits.Offset{}))
		assert.Equal(s, offsets[2:], s.offsetsAfter(offsets[1]))
		assert.Equal(s, offsets[1:], s.offsetsAfter(offsets[1].Prev()))
		assert.Empty(s, s.offsetsAfter(offsets[3]))
	}},
	{"FetchPassesOverDeletedEntries", func(s *scene) {
		offsets := s.fill(s.plain(), 4)
		s.Delete(s.plain(), offsets[1])
		assert.Equal(s, offsets[2:], s.offsetsAfter(offsets[0]))
		assert.Equal(s, offsets[2:], s.offsetsAfter(offsets[1]))
	}},
	{"LoadReadsSingleEntriesThatStillExist", func(s *scene) {
		all := s.create(2)
		first, second := s.fill(all[0], 5), s.fill(all[1], 2)
		s.Delete(all[0], first[2])
		loaded, err := s.log.Load(s.Context(), []splits.LoadRequest{
			{Split: all[0], Offsets: []splits.Offset{first[0], first[2], first[4], first[4].Next()}},
			{Split: all[1], Offsets: second[1:]},
			{Split: s.plain(), Offsets: first[:1]}, // the stream does not exist
		})
		require.NoError(s, err)
		require.Len(s, loaded, 3)
		assert.Equal(s, []splits.Offset{first[0], first[4]}, offsetsOf(loaded[0].Entries))
		assert.Equal(s, second[1:], offsetsOf(loaded[1].Entries))
		assert.Empty(s, loaded[2].Entries)
		fetched := s.fetch(splits.FetchRequest{Cursors: cursors(all[1]), Count: 10})
		assert.Equal(s, fetched[0].Entries[1:], loaded[1].Entries)
		for _, one := range loaded {
			assert.NoError(s, one.Err)
		}
	}},
	{"FieldsComeAsTheyWereWritten", func(s *scene) {
		fields := []string{
			"b",
			"1",
			"a",
			"2",
			"b",
			"3",
			"body",
			"",
			"\x00\xff\xfe",
			"line\r\nbreak\x00",
			"$-1",
			"*3",
			"ä",
			strings.Repeat("x", 100_000),
		}
		offset := s.Append(s.plain(), fields...)
		s.Append(s.plain(), "a", "b")
		fetched := s.fetch(splits.FetchRequest{Cursors: []splits.Cursor{{Split: s.plain()}}, Count: 10})
		require.Len(s, fetched[0].Entries, 2)
		assert.Equal(s, splits.Entry{Offset: offset, Fields: fields}, fetched[0].Entries[0])
		assert.Equal(s, []string{"a", "b"}, fetched[0].Entries[1].Fields)
	}},
	{"CountIsPerSplit", func(s *scene) {
		all := s.create(3)
		first, third := s.fill(all[0], 5), s.fill(all[2], 2)
		fetched := s.fetch(splits.FetchRequest{Cursors: cursors(all...), Count: 3})
		assert.Equal(s, first[:3], offsetsOf(fetched[0].Entries))
		assert.Empty(s, fetched[1].Entries)
		assert.Equal(s, third, offsetsOf(fetched[2].Entries))
	}},
	{"AnswersHaveTheOrderOfTheCursors", func(s *scene) {
		all := s.create(12)
		for _, split := range all {
			s.Append(split, "from", split.ID())
		}
		order := []splits.Split{all[11], all[2], all[10], all[0], all[1], all[9]}
		for i, fetched := range s.fetch(splits.FetchRequest{Cursors: cursors(order...), Count: 1}) {
			require.Len(s, fetched.Entries, 1)
			assert.Equal(s, []string{"from", order[i].ID()}, fetched.Entries[0].Fields)
		}
	}},
	{"ManySplitsAreReadAtOnce", func(s *scene) {
		all := s.create(200)
		for _, split := range all {
			s.fill(split, 2)
		}
		for _, fetched := range s.fetch(splits.FetchRequest{Cursors: cursors(all...), Count: 10, Block: time.Second}) {
			assert.Len(s, fetched.Entries, 2)
		}
	}},
	{"NothingToReadIsNoError", func(s *scene) {
		all := s.create(2)
		s.fill(all[0], 1)
		s.TrimTo(all[0], 0)
		for _, fetched := range s.fetch(splits.FetchRequest{Cursors: cursors(all...), Count: 1}) {
			assert.Empty(s, fetched.Entries)
			require.NoError(s, fetched.Err)
			assert.Nil(s, fetched.State)
		}
	}},
	{"BlockEndsWithNothing", func(s *scene) {
		all := s.create(2)
		start := time.Now()
		req := splits.FetchRequest{Cursors: cursors(all...), Count: 1, Block: 100 * time.Millisecond}
		for _, fetched := range s.fetch(req) {
			assert.Empty(s, fetched.Entries)
			require.NoError(s, fetched.Err)
		}
		assert.GreaterOrEqual(s, time.Since(start), 90*time.Millisecond)
	}},
	{"BlockEndsWithTheFirstEntry", func(s *scene) {
		all := s.create(3)
		s.fill(all[2], 1)
		for _, split := range all[:2] { // a stream that exists, and one that does not
			start := time.Now()
			offset := make(chan splits.Offset, 1)
			go func() { // ends when the fetch returns
				defer close(offset)
				s.pass(50 * time.Millisecond)
				offset <- s.Append(split, "a", "b")
			}()
			// All cursors are at the ends of their streams: only the new entry can end the wait.
			cursors := cursors(all...)
			for i, state := range s.state(all...) {
				cursors[i].After = state.Last
			}
			fetched := s.fetch(splits.FetchRequest{Cursors: cursors, Count: 10, Block: 5 * time.Second})
			assert.Equal(s, []splits.Offset{<-offset}, offsetsOf(fetched[split.Partition].Entries))
			assert.Less(s, time.Since(start), 4*time.Second)
		}
	}},
	{"BlockDoesNotWaitIfThereIsSomething", func(s *scene) {
		all := s.create(2)
		offsets := s.fill(all[1], 1)
		start := time.Now()
		fetched := s.fetch(splits.FetchRequest{Cursors: cursors(all...), Count: 10, Block: 5 * time.Second})
		assert.Equal(s, offsets, offsetsOf(fetched[1].Entries))
		assert.Less(s, time.Since(start), 4*time.Second)
	}},
	{"SpoiledSplitDoesNotDisturbOthers", func(s *scene) {
		all := s.create(3)
		offsets := s.fill(all[2], 2)
		s.fill(all[0], 1)
		s.SetWrongType(all[1])
		for _, block := range []time.Duration{0, 100 * time.Millisecond} {
			fetched := s.fetch(splits.FetchRequest{Cursors: cursors(all...), Count: 10, Block: block})
			assert.Len(s, fetched[0].Entries, 1)
			require.NoError(s, fetched[0].Err)
			require.Error(s, fetched[1].Err)
			assert.Empty(s, fetched[1].Entries)
			assert.Equal(s, offsets, offsetsOf(fetched[2].Entries))
			require.NoError(s, fetched[2].Err)
		}
		states := s.state(all...)
		require.NoError(s, states[0].Err)
		require.Error(s, states[1].Err)
		assert.EqualValues(s, 2, states[2].Length)
	}},
	{"InspectTellsTheStateBeforeTheRead", func(s *scene) {
		all := s.create(3)
		s.fill(all[0], 3)
		s.fill(all[1], 1)
		request := splits.FetchRequest{Cursors: cursors(all...), Count: 2}
		request.Cursors[0].Inspect, request.Cursors[2].Inspect = true, true
		fetched := s.fetch(request)
		require.NotNil(s, fetched[0].State)
		assert.Equal(s, s.state(all[0])[0], *fetched[0].State)
		assert.EqualValues(s, 3, fetched[0].State.Length)
		assert.Len(s, fetched[0].Entries, 2)
		assert.Nil(s, fetched[1].State, "it was not asked for")
		assert.Len(s, fetched[1].Entries, 1)
		require.NotNil(s, fetched[2].State)
		assert.Equal(s, splits.State{}, *fetched[2].State)
	}},
	{"InspectWorksWithBlock", func(s *scene) {
		request := splits.FetchRequest{Cursors: cursors(s.plain()), Count: 2, Block: 50 * time.Millisecond}
		request.Cursors[0].Inspect = true
		fetched := s.fetch(request)
		require.NotNil(s, fetched[0].State)
		assert.False(s, fetched[0].State.Exists)
		assert.Empty(s, fetched[0].Entries)
		s.fill(s.plain(), 1)
		fetched = s.fetch(request)
		require.NotNil(s, fetched[0].State)
		assert.EqualValues(s, 1, fetched[0].State.Length)
		assert.Len(s, fetched[0].Entries, 1)
	}},
}

// cursors returns cursors before the first entries of the splits.
func cursors(of ...splits.Split) []splits.Cursor {
	cursors := make([]splits.Cursor, len(of))
	for i, split := range of {
		cursors[i].Split = split
	}
	return cursors
}

// stateScenarios are about the states of streams.
var stateScenarios = []scenario{
	{"MissingStreamHasNoState", func(s *scene) {
		assert.Equal(s, splits.State{}, s.state(s.plain())[0])
	}},
	{"FilledStreamIsDescribed", func(s *scene) {
		offsets := s.fill(s.plain(), 3)
		s.requireState(splits.State{Exists: true, Length: 3, First: offsets[0], Last: offsets[2], EntriesAdded: 3})
	}},
	{"TrimmedStreamIsDescribed", func(s *scene) {
		offsets := s.fill(s.plain(), 5)
		s.TrimTo(s.plain(), 2)
		s.requireState(splits.State{Exists: true, Length: 2, First: offsets[3], Last: offsets[4], EntriesAdded: 5})
	}},
	{"DeletedEntriesAreTold", func(s *scene) {
		offsets := s.fill(s.plain(), 5)
		s.Delete(s.plain(), offsets[3])
		s.Delete(s.plain(), offsets[1])
		s.requireState(
			splits.State{
				Exists:       true,
				Length:       3,
				First:        offsets[0],
				Last:         offsets[4],
				EntriesAdded: 5,
				MaxDeleted:   offsets[3],
			},
		)
		s.Delete(s.plain(), offsets[4])
		s.requireState(
			splits.State{
				Exists:       true,
				Length:       2,
				First:        offsets[0],
				Last:         offsets[4],
				EntriesAdded: 5,
				MaxDeleted:   offsets[4],
			},
		)
	}},
	{"EmptiedStreamKeepsItsLastOffset", func(s *scene) {
		offsets := s.fill(s.plain(), 3)
		s.TrimTo(s.plain(), 0)
		s.requireState(splits.State{Exists: true, Last: offsets[2], EntriesAdded: 3})
		next := s.fill(s.plain(), 1)
		assert.True(s, offsets[2].Before(next[0]))
		s.requireState(splits.State{Exists: true, Length: 1, First: next[0], Last: next[0], EntriesAdded: 4})
	}},
	{"RecreatedStreamStartsAnew", func(s *scene) {
		s.fill(s.plain(), 3)
		s.Drop(s.plain())
		assert.Equal(s, splits.State{}, s.state(s.plain())[0])
		offsets := s.fill(s.plain(), 1)
		s.requireState(splits.State{Exists: true, Length: 1, First: offsets[0], Last: offsets[0], EntriesAdded: 1})
	}},
	{"StatesHaveTheOrderOfTheSplits", func(s *scene) {
		all := s.create(3)
		s.fill(all[0], 1)
		s.fill(all[2], 2)
		states := s.state(all[2], all[1], all[0])
		assert.EqualValues(s, 2, states[0].Length)
		assert.False(s, states[1].Exists)
		assert.EqualValues(s, 1, states[2].Length)
		assert.Empty(s, s.state())
	}},
}

// requireState asserts the state of the plain topic.
func (s *scene) requireState(want splits.State) {
	s.Helper()
	if s.NoExactCounts {
		want.EntriesAdded, want.MaxDeleted = -1, splits.Offset{}
	}
	assert.Equal(s, want, s.state(s.plain())[0])
}
