package splits

import (
	"slices"
	"time"
)

// tracker tracks which entries of one split were handed out and resolved, and computes the highest
// position up to which all are resolved: the only one that can be committed. Behind a gap it keeps
// counts and offsets, but no entries. It is not safe for concurrent use; the lock of the splitSet
// guards it.
type tracker struct {
	done    Position
	spans   []*span // in the order of their offsets; the first has an entry that is not resolved
	pending int
	ahead   int
}

// newTracker returns a tracker that begins at a position up to which everything is resolved.
func newTracker(done Position) *tracker { return &tracker{done: done} }

// Track adds entries that are handed out now, in the order of their offsets. read is EntriesRead of
// the position before the first of them.
func (t *tracker) Track(entries []Entry, read int64, now time.Time) *span {
	n := len(entries)
	s := &span{
		entries: entries, first: entries[0].Offset, last: entries[n-1].Offset, size: n,
		read: read, resolved: make([]bool, n), open: n, since: now,
	}
	t.spans = append(t.spans, s)
	t.pending += n
	t.ahead += n
	return s
}

// Resolve marks entry i of the span as resolved. It has no effect if it is resolved already.
func (t *tracker) Resolve(s *span, i int) {
	if s.isResolved(i) {
		return
	}
	s.resolve(i)
	t.pending--
	t.advance()
	if s.open == 0 && s.passed < s.size {
		t.compact(s)
	}
}

// advance moves done over the resolved entries at the front.
func (t *tracker) advance() {
	for len(t.spans) > 0 {
		s := t.spans[0]
		before := s.passed
		for s.passed < s.size && s.isResolved(s.passed) {
			s.passed++
		}
		t.ahead -= s.passed - before
		if s.passed > 0 {
			t.done = s.position(s.passed)
		}
		if s.passed < s.size {
			return
		}
		t.spans[0] = nil
		t.spans = t.spans[1:]
	}
}

// compact drops the entries of a resolved span behind the first gap, and merges the span with
// resolved neighbours.
func (t *tracker) compact(s *span) {
	s.entries, s.resolved, s.sparse, s.unloaded = nil, nil, nil, nil
	at, _ := slices.BinarySearchFunc(
		t.spans,
		s.first,
		func(other *span, o Offset) int { return other.first.Compare(o) },
	)
	if at+1 < len(t.spans) && s.absorb(t.spans[at+1]) {
		t.spans = slices.Delete(t.spans, at+1, at+2)
	}
	if t.spans[at-1].absorb(s) {
		t.spans = slices.Delete(t.spans, at, at+1)
	}
}

// thin lets go of the memory of entries that are resolved behind a gap.
func (t *tracker) thin() {
	for _, s := range t.spans {
		s.thin()
	}
}

// Done returns the highest position up to which everything is resolved.
func (t *tracker) Done() Position { return t.done }

// End returns the position behind everything that was tracked.
func (t *tracker) End() Position {
	if len(t.spans) == 0 {
		return t.done
	}
	last := t.spans[len(t.spans)-1]
	return last.position(last.size)
}

// Pending returns the number of entries that were handed out and are not resolved.
func (t *tracker) Pending() int { return t.pending }

// Ahead returns the number of entries from Done to End, resolved or not.
func (t *tracker) Ahead() int { return t.ahead }

// Oldest returns the first entry that is not resolved, and when it was handed out first.
func (t *tracker) Oldest() (o Offset, since time.Time, open bool) {
	if len(t.spans) == 0 {
		return Offset{}, time.Time{}, false
	}
	s := t.spans[0]
	return s.entry(s.passed).Offset, s.since, true
}

// Shift adds lost entries to all counts behind offset: they were lost between offset and the first
// entry that followed.
func (t *tracker) Shift(offset Offset, lost int64) {
	for _, s := range t.spans {
		if s.read >= 0 && (offset.Before(s.first) || s.open == 0 && offset.Before(s.last)) {
			s.read += lost // only the end of a resolved span is used
		}
	}
	if t.done.EntriesRead >= 0 && offset.Before(t.done.Offset) {
		t.done.EntriesRead += lost
	}
}

// Learn sets all counts that were not known, including the count of Done, from the count at End.
func (t *tracker) Learn(end int64) {
	for _, s := range slices.Backward(t.spans) {
		if s.read < 0 {
			s.read = end - int64(s.size)
		}
		end = s.read + int64(s.passed) // only the first span has passed any
	}
	if t.done.EntriesRead < 0 {
		t.done.EntriesRead = end
	}
}
