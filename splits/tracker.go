package splits

import (
	"slices"
	"time"
)

// Tracker keeps account of what was handed out of one split and resolved since, and knows the
// highest position without a gap below it: the only one that may be committed. Behind a gap it
// keeps what it needs for that, and not the entries. It is not safe for concurrent use; a Reader
// guards it with its lock.
type tracker struct {
	done    Position
	spans   []*span // in the order of their offsets; the first has an entry that is not resolved
	pending int
	ahead   int
}

// Span is a run of consecutive entries: they were handed out together, or all of them are resolved.
type span struct {
	entries     []Entry // nil once all of them are resolved
	owned       bool    // nothing else refers to entries
	first, last Offset
	size        int
	read        int64 // Read of the position before the first entry
	resolved    []bool
	open        int       // entries not resolved
	passed      int       // entries at the front that are counted in Tracker.done
	since       time.Time // when they were handed out first
}

// NewTracker starts at a position up to which everything is resolved.
func newTracker(done Position) *tracker { return &tracker{done: done} }

// Track adds entries that are handed out now. Entries must be tracked in the order of their
// offsets. read is the Read of the position before the first of them.
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

// own makes the span the only holder of its entries, so that each can be dropped when it is
// resolved.
func (s *span) own() {
	if !s.owned {
		s.entries, s.owned = slices.Clone(s.entries), true
	}
}

// Resolve marks entry i of the span as done with, however it ended. Doing so twice changes nothing.
func (t *tracker) Resolve(s *span, i int) {
	if s.open == 0 || s.resolved[i] {
		return
	}
	s.resolved[i] = true
	if s.owned {
		s.entries[i].Fields = nil
	}
	s.open--
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
		for s.passed < s.size && (s.open == 0 || s.resolved[s.passed]) {
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

// compact drops the entries of a span behind the first gap that is resolved as a whole, and merges
// the span with neighbours that are resolved too.
func (t *tracker) compact(s *span) {
	s.entries, s.resolved = nil, nil
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

// absorb makes a span that is resolved longer by the next one, if that is resolved too and nothing
// is known to be lost between them.
func (s *span) absorb(next *span) bool {
	if s.open > 0 || next.open > 0 || next.read != addCount(s.read, s.size) {
		return false
	}
	s.last = next.last
	s.size += next.size
	return true
}

// position is the place behind the first n entries of the span, n > 0.
func (s *span) position(n int) Position {
	at := Position{Offset: s.last, EntriesRead: addCount(s.read, n)}
	if n < s.size {
		at.Offset = s.entries[n-1].Offset
	}
	return at
}

// Done is the highest position up to which everything is resolved.
func (t *tracker) Done() Position { return t.done }

// End is the position behind everything that was tracked.
func (t *tracker) End() Position {
	if len(t.spans) == 0 {
		return t.done
	}
	last := t.spans[len(t.spans)-1]
	return last.position(last.size)
}

// Pending is the number of entries that were handed out and not resolved.
func (t *tracker) Pending() int { return t.pending }

// Ahead is the number of entries from Done to End, resolved or not.
func (t *tracker) Ahead() int { return t.ahead }

// Oldest returns the first entry that is not resolved, and when it was handed out first.
func (t *tracker) Oldest() (o Offset, since time.Time, open bool) {
	if len(t.spans) == 0 {
		return Offset{}, time.Time{}, false
	}
	s := t.spans[0]
	return s.entries[s.passed].Offset, s.since, true
}

// Shift adds lost entries to the count of everything tracked behind offset: they turned out to lie
// between there and the first entry that followed.
func (t *tracker) Shift(offset Offset, lost int64) {
	for _, s := range t.spans {
		if s.read >= 0 && (offset.Before(s.first) || s.open == 0 && offset.Before(s.last)) {
			s.read += lost // of a span that is resolved, the end alone counts
		}
	}
	if t.done.EntriesRead >= 0 && offset.Before(t.done.Offset) {
		t.done.EntriesRead += lost
	}
}

// Learn sets the counts that were not known, of all that is tracked and of Done, from the count at
// End.
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
