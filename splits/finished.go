package splits

import (
	"maps"
	"slices"
)

// Range is a range of entries of a split: all from First to Last, both included.
type Range struct{ First, Last Offset }

// maxFinished bounds how many ranges of finished entries are committed.
const maxFinished = 2000

// Finished returns the entries behind Done that are resolved, as ranges in the order of their
// offsets: at most maxFinished, the nearest ones.
func (t *tracker) Finished() []Range {
	var all finishedRanges
	for _, s := range t.spans {
		if len(all.ranges) > maxFinished {
			break
		}
		switch {
		case s.open == 0:
			all.add(s.first, s.last)
		case s.entries == nil:
			all.addSparse(s)
		default:
			all.addDense(s)
		}
	}
	return all.ranges[:min(len(all.ranges), maxFinished)]
}

// finishedRanges collects ranges of resolved entries, in the order of their offsets.
type finishedRanges struct {
	ranges []Range
	closed bool // an entry that is not resolved follows the last range
}

// add adds resolved entries. They extend the last range if nothing lies between.
func (f *finishedRanges) add(first, last Offset) {
	if n := len(f.ranges); n > 0 && !f.closed {
		f.ranges[n-1].Last = last
		return
	}
	f.ranges, f.closed = append(f.ranges, Range{first, last}), false
}

func (f *finishedRanges) addDense(s *span) {
	for i := s.passed; i < s.size; i++ {
		if at := s.entries[i].Offset; s.resolved[i] {
			f.add(at, at)
		} else {
			f.closed = true
		}
	}
}

// addSparse adds the resolved entries of a sparse span, of which only the last one before each
// entry that is not resolved is known. No entry lies between that entry and the next offset.
func (f *finishedRanges) addSparse(s *span) {
	from, first := s.passed, s.first
	for _, i := range slices.Sorted(maps.Keys(s.sparse)) {
		one := s.sparse[i]
		if i > from {
			f.add(first, one.before)
		}
		f.closed = true
		from, first = i+1, one.Offset.Next()
	}
	if from < s.size {
		f.add(first, s.last)
	}
}

// skipFinished resolves the entries of a span that an earlier owner of the split has finished, and
// returns their size.
func (o *ownedSplit) skipFinished(s *span) (size int) {
	entries := s.entries // resolving the last one drops them
	for i, e := range entries {
		for len(o.finished) > 0 && o.finished[0].Last.Before(e.Offset) {
			o.finished = o.finished[1:]
		}
		if len(o.finished) == 0 {
			return size
		}
		if !e.Offset.Before(o.finished[0].First) {
			size += e.Size()
			o.tracker.Resolve(s, i)
		}
	}
	return size
}
