package splits

// Tracker keeps account of what was handed out of one split and resolved since, and knows the highest position without a gap below it: the
// only one that may be committed. It is not safe for concurrent use; a Reader guards it with its lock.
type Tracker struct {
	done    Position
	spans   []*Span
	pending int
}

// Span is a run of consecutive entries that were handed out together.
type Span struct {
	entries  []Entry
	read     int64 // Read of the position before the first entry
	resolved []bool
	open     int // entries not resolved
	passed   int // entries at the front that are counted in Tracker.done
}

// NewTracker starts at a position up to which everything is resolved.
func NewTracker(done Position) *Tracker { return &Tracker{done: done} }

// Track adds entries that were handed out. Entries must be tracked in the order of their offsets. read is the Read of the position
// before the first of them.
func (t *Tracker) Track(entries []Entry, read int64) *Span {
	s := &Span{entries: entries, read: read, resolved: make([]bool, len(entries)), open: len(entries)}
	t.spans = append(t.spans, s)
	t.pending += len(entries)
	return s
}

// Resolve marks entry i of the span as done with, however it ended. Doing so twice changes nothing.
func (t *Tracker) Resolve(s *Span, i int) {
	if s.resolved[i] {
		return
	}
	s.resolved[i] = true
	s.open--
	t.pending--
	t.advance()
}

// advance moves done over the resolved entries at the front.
func (t *Tracker) advance() {
	for len(t.spans) > 0 {
		s := t.spans[0]
		for s.passed < len(s.entries) && s.resolved[s.passed] {
			s.passed++
		}
		if s.passed > 0 {
			t.done = s.position(s.passed)
		}
		if s.passed < len(s.entries) {
			return
		}
		t.spans[0] = nil
		t.spans = t.spans[1:]
	}
}

// position is the place behind the first n entries of the span, n > 0.
func (s *Span) position(n int) Position {
	return Position{Offset: s.entries[n-1].Offset, Read: after(s.read, n)}
}

// Done is the highest position up to which everything is resolved.
func (t *Tracker) Done() Position { return t.done }

// End is the position behind everything that was tracked.
func (t *Tracker) End() Position {
	if len(t.spans) == 0 {
		return t.done
	}
	last := t.spans[len(t.spans)-1]
	return last.position(len(last.entries))
}

// Pending is the number of entries that were handed out and not resolved.
func (t *Tracker) Pending() int { return t.pending }

// Oldest returns the first entry that is not resolved.
func (t *Tracker) Oldest() (Offset, bool) {
	if len(t.spans) == 0 {
		return Offset{}, false
	}
	return t.spans[0].entries[t.spans[0].passed].Offset, true
}

// Shift adds lost entries to the count of everything tracked behind offset: they turned out to lie between there and the
// first entry that followed.
func (t *Tracker) Shift(offset Offset, lost int64) {
	for _, s := range t.spans {
		if s.read >= 0 && offset.Before(s.entries[0].Offset) {
			s.read += lost
		}
	}
	if t.done.Read >= 0 && offset.Before(t.done.Offset) {
		t.done.Read += lost
	}
}

// Learn sets the count at a position where something that was tracked ends, or which is Done, if it was not known.
func (t *Tracker) Learn(at Position) {
	if t.done.Offset == at.Offset && t.done.Read < 0 {
		t.done.Read = at.Read
	}
	for _, s := range t.spans {
		if n := len(s.entries); s.read < 0 && s.entries[n-1].Offset == at.Offset {
			s.read = at.Read - int64(n)
		}
	}
}
