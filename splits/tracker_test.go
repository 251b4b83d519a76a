package splits

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entries returns entries with the offsets from-0 to to-0.
func entries(from, to int) []Entry {
	var all []Entry
	for i := from; i <= to; i++ {
		all = append(all, Entry{Offset: Offset{Millis: uint64(i)}})
	}
	return all
}

func pos(offset int, read int64) Position { return Position{Offset{Millis: uint64(offset)}, read} }

func TestDoneStopsAtTheFirstGap(t *testing.T) {
	tr := newTracker(pos(10, 5))
	a := tr.Track(entries(11, 13), 5, time.Time{})
	b := tr.Track(entries(14, 15), 8, time.Time{})
	assert.Equal(t, pos(10, 5), tr.Done())
	assert.Equal(t, pos(15, 10), tr.End())

	tr.Resolve(b, 0)
	tr.Resolve(b, 1)
	tr.Resolve(a, 1)
	assert.Equal(t, pos(10, 5), tr.Done(), "11 is open")
	oldest, _, open := tr.Oldest()
	assert.True(t, open)
	assert.Equal(t, pos(11, 0).Offset, oldest)

	tr.Resolve(a, 0)
	tr.Resolve(a, 0)
	assert.Equal(t, pos(12, 7), tr.Done())
	assert.Equal(t, 1, tr.Pending(), "resolving twice counts once")

	tr.Resolve(a, 2)
	assert.Equal(t, pos(15, 10), tr.Done())
	assert.Equal(t, pos(15, 10), tr.End())
	_, _, open = tr.Oldest()
	assert.False(t, open)
}

func TestUnknownCountStaysUnknown(t *testing.T) {
	tr := newTracker(pos(10, CountUnknown))
	s := tr.Track(entries(11, 11), CountUnknown, time.Time{})
	tr.Resolve(s, 0)
	assert.Equal(t, pos(11, CountUnknown), tr.Done())
	tr.Shift(pos(10, 0).Offset, 3)
	assert.Equal(t, pos(11, CountUnknown), tr.Done())
}

func TestShiftCorrectsWhatLiesBehindTheLoss(t *testing.T) {
	tr := newTracker(pos(10, 10))
	before := tr.Track(entries(11, 12), 10, time.Time{})
	behind := tr.Track(entries(20, 21), 12, time.Time{})
	tr.Shift(pos(12, 0).Offset, 7)
	tr.Resolve(before, 0)
	tr.Resolve(before, 1)
	assert.Equal(t, pos(12, 12), tr.Done())
	tr.Resolve(behind, 0)
	assert.Equal(t, pos(20, 20), tr.Done(), "seven were lost between 12 and 20")
	tr.Shift(pos(12, 0).Offset, 1)
	assert.Equal(t, pos(20, 21), tr.Done(), "what is done behind the loss is corrected too")
}

// In any order of resolving, Done is the end of the longest prefix that is resolved.
func TestDoneIsTheLongestResolvedPrefix(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		tr := newTracker(pos(0, 0))
		type item struct {
			span  *span
			index int
		}
		var items []item
		for len(items) < 60 {
			n := 1 + random.IntN(7)
			span := tr.Track(entries(len(items)+1, len(items)+n), int64(len(items)), time.Time{})
			for i := range n {
				items = append(items, item{span, i})
			}
		}
		resolved := make([]bool, len(items))
		for _, i := range random.Perm(len(items)) {
			tr.Resolve(items[i].span, items[i].index)
			resolved[i] = true
			prefix := 0
			for prefix < len(items) && resolved[prefix] {
				prefix++
			}
			require.Equal(t, pos(prefix, int64(prefix)), tr.Done(), "seed %d", seed)
		}
		require.Zero(t, tr.Pending())
	}
}

func TestLearnCountsBackFromTheEnd(t *testing.T) {
	tracker := newTracker(pos(10, CountUnknown))
	first, second := tracker.Track(
		entries(11, 12),
		CountUnknown,
		time.Time{},
	), tracker.Track(
		entries(13, 15),
		CountUnknown,
		time.Time{},
	)
	tracker.Resolve(first, 0)
	assert.Equal(t, pos(11, CountUnknown), tracker.Done())
	tracker.Learn(40)
	assert.Equal(t, pos(11, 36), tracker.Done(), "one of the first span and three of the second lie behind it")
	tracker.Resolve(first, 1)
	assert.Equal(t, pos(12, 37), tracker.Done())
	tracker.Resolve(second, 0)
	assert.Equal(t, pos(13, 38), tracker.Done())
	tracker.Learn(50)
	assert.Equal(t, pos(13, 38), tracker.Done(), "it was known")
	assert.Equal(t, pos(15, 40), tracker.End())
}

func TestLearnKeepsCountsThatAreKnown(t *testing.T) {
	tracker := newTracker(pos(10, CountUnknown))
	tracker.Track(entries(11, 12), CountUnknown, time.Time{})
	tracker.Track(entries(13, 13), 20, time.Time{}) // something was lost before it
	tracker.Track(entries(14, 15), CountUnknown, time.Time{})
	tracker.Learn(40)
	assert.Equal(t, pos(10, 18), tracker.Done())
	assert.Equal(t, pos(15, 40), tracker.End())
}

func TestLearnSetsTheCountOfWhatIsDone(t *testing.T) {
	tracker := newTracker(pos(10, CountUnknown))
	tracker.Learn(11)
	assert.Equal(t, pos(10, 11), tracker.Done())
}

// An entry that is never resolved keeps no entry behind it in memory.
func TestTrackerKeepsNoEntriesBehindAGap(t *testing.T) {
	tr := newTracker(pos(0, 0))
	gap := tr.Track(entries(1, 4), 0, time.Time{})
	gap.own()
	for i := 1; i < 4; i++ {
		gap.entries[i].Fields = []string{"body", "x"}
		tr.Resolve(gap, i)
		assert.Nil(t, gap.entries[i].Fields)
	}
	const batches, size = 1000, 10
	for b := range batches {
		s := tr.Track(entries(5+b*size, 4+(b+1)*size), int64(4+b*size), time.Time{})
		for i := range size {
			tr.Resolve(s, i)
		}
	}
	assert.Len(t, tr.spans, 2)
	assert.Equal(t, 4+batches*size, tr.Ahead())
	assert.Equal(t, 1, tr.Pending())
	tr.Resolve(gap, 0)
	assert.Equal(t, pos(4+batches*size, 4+batches*size), tr.Done())
	assert.Zero(t, tr.Ahead())
}

// If entries were lost between two spans, the count at the end of each stays.
func TestSpansWithALossBetweenThemAreNotMerged(t *testing.T) {
	tr := newTracker(pos(0, 0))
	gap := tr.Track(entries(1, 1), 0, time.Time{})
	for _, s := range []*span{tr.Track(entries(2, 2), 1, time.Time{}), tr.Track(entries(9, 9), 8, time.Time{})} {
		tr.Resolve(s, 0)
	}
	assert.Len(t, tr.spans, 3)
	tr.Shift(pos(9, 0).Offset, 5)
	tr.Resolve(gap, 0)
	assert.Equal(t, pos(9, 9), tr.Done())
}

// A loss that is found behind a merged span changes the count at its end.
func TestShiftReachesTheEndOfAMergedSpan(t *testing.T) {
	tr := newTracker(pos(0, 0))
	gap := tr.Track(entries(1, 1), 0, time.Time{})
	for i := 2; i < 6; i++ {
		tr.Resolve(tr.Track(entries(i, i), int64(i-1), time.Time{}), 0)
	}
	tr.Shift(pos(3, 0).Offset, 7)
	tr.Resolve(gap, 0)
	assert.Equal(t, pos(5, 12), tr.Done())
}
