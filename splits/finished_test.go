package splits

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func contains(ranges []Range, o Offset) bool {
	return slices.ContainsFunc(ranges, func(r Range) bool { return !o.Before(r.First) && !r.Last.Before(o) })
}

func TestFinishedRangesAreTheEntriesBehindTheGaps(t *testing.T) {
	tr := newTracker(pos(10, 5))
	a := tr.Track(entries(11, 15), 5, time.Time{})
	b := tr.Track(entries(16, 18), 10, time.Time{})
	assert.Empty(t, tr.Finished())
	tr.Resolve(a, 2)
	tr.Resolve(a, 4)
	tr.Resolve(b, 0)
	assert.Equal(
		t,
		[]Range{{pos(13, 0).Offset, pos(13, 0).Offset}, {pos(15, 0).Offset, pos(16, 0).Offset}},
		tr.Finished(),
	)
	tr.Resolve(a, 0)
	tr.Resolve(a, 1)
	assert.Equal(t, pos(13, 8), tr.Done())
	assert.Equal(t, []Range{{pos(15, 0).Offset, pos(16, 0).Offset}}, tr.Finished())
}

// Whatever is resolved in whatever order, and however the memory is arranged, the ranges hold
// exactly the resolved entries behind Done.
func TestFinishedRangesHoldExactlyWhatIsResolved(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		tr := newTracker(Position{})
		var refs []entryRef
		for n := 1; n < 120; {
			size := 1 + r.IntN(40)
			s := tr.Track(entries(n, n+size-1), int64(n-1), time.Time{})
			s.owned = true
			for i := range size {
				refs = append(refs, entryRef{s, i})
			}
			n += size
		}
		resolved := map[int]bool{}
		for _, n := range r.Perm(len(refs)) {
			tr.Resolve(refs[n].span, refs[n].index)
			resolved[n] = true
			if r.IntN(5) == 0 {
				tr.thin()
			}
			done, finished := tr.Done().Offset, tr.Finished()
			var gap bool
			for i := range refs {
				at := Offset{Millis: uint64(i + 1)}
				gap = gap || !resolved[i]
				require.Equal(t, !gap, !done.Before(at), "seed %d, entry %d", seed, i)
				require.Equal(t, gap && resolved[i], contains(finished, at), "seed %d, entry %d", seed, i)
			}
			for i := range finished {
				require.True(t, i == 0 || finished[i-1].Last.Before(finished[i].First), "seed %d", seed)
			}
		}
		require.Empty(t, tr.spans)
	}
}

func TestOnlyTheNearestFinishedRangesAreReturned(t *testing.T) {
	tr := newTracker(Position{})
	s := tr.Track(entries(1, 3*maxFinished), 0, time.Time{})
	for i := 1; i < s.size; i += 2 {
		tr.Resolve(s, i)
	}
	finished := tr.Finished()
	require.Len(t, finished, maxFinished)
	assert.Equal(t, Offset{Millis: 2}, finished[0].First)
	assert.Equal(t, Offset{Millis: 2 * maxFinished}, finished[maxFinished-1].Last)
}

func TestSkipFinishedResolvesWhatAnEarlierOwnerFinished(t *testing.T) {
	at := func(first, last uint64) Range { return Range{Offset{Millis: first}, Offset{Millis: last}} }
	o := newOwnedSplit(Lease{}, Position{}, isolation{})
	o.finished = []Range{at(1, 2), at(4, 5), at(9, 20)}
	first := o.tracker.Track(entries(3, 6), 0, time.Time{})
	assert.Positive(t, o.skipFinished(first))
	assert.Equal(t, []bool{false, true, true, false}, first.resolved)
	second := o.tracker.Track(entries(10, 12), 4, time.Time{})
	o.skipFinished(second)
	assert.Zero(t, second.open)
	third := o.tracker.Track(entries(21, 22), 7, time.Time{})
	assert.Zero(t, o.skipFinished(third))
	assert.Empty(t, o.finished)
	assert.Equal(t, 4, o.tracker.Pending())
}
