package splits

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run of entries with the offsets from-0 to to-0.
func entries(from, to int) []Entry {
	var all []Entry
	for i := from; i <= to; i++ {
		all = append(all, Entry{Offset: Offset{Millis: uint64(i)}})
	}
	return all
}

func pos(offset int, read int64) Position { return Position{Offset{Millis: uint64(offset)}, read} }

func TestDoneMovesOverResolvedEntriesWithoutAGapOnly(t *testing.T) {
	tr := NewTracker(pos(10, 5))
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

func TestAnUnknownCountStaysUnknown(t *testing.T) {
	tr := NewTracker(pos(10, ReadUnknown))
	s := tr.Track(entries(11, 11), ReadUnknown, time.Time{})
	tr.Resolve(s, 0)
	assert.Equal(t, pos(11, ReadUnknown), tr.Done())
	tr.Shift(pos(10, 0).Offset, 3)
	assert.Equal(t, pos(11, ReadUnknown), tr.Done())
}

func TestShiftCorrectsWhatLiesBehindTheLoss(t *testing.T) {
	tr := NewTracker(pos(10, 10))
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
		tr := NewTracker(pos(0, 0))
		type item struct {
			span  *Span
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

func TestLearnSetsTheCountWhereItIsKnown(t *testing.T) {
	tracker := NewTracker(pos(10, ReadUnknown))
	tracker.Learn(pos(11, 11))
	assert.Equal(t, pos(10, ReadUnknown), tracker.Done())
	first, second := tracker.Track(entries(11, 12), ReadUnknown, time.Time{}), tracker.Track(entries(13, 15), ReadUnknown, time.Time{})
	tracker.Learn(pos(15, 40))
	tracker.Resolve(first, 0)
	tracker.Resolve(first, 1)
	assert.Equal(t, pos(12, ReadUnknown), tracker.Done())
	tracker.Resolve(second, 0)
	assert.Equal(t, pos(13, 38), tracker.Done())
	tracker.Resolve(second, 1)
	tracker.Resolve(second, 2)
	assert.Equal(t, pos(15, 40), tracker.Done())
	tracker.Learn(pos(15, 50))
	assert.Equal(t, pos(15, 40), tracker.Done(), "it was known")
}
