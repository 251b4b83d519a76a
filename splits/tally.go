package splits

import "time"

// tally is the count of the entries behind a position that is under way. The store counts in
// slices, while the split is read and written as ever: what is counted can only be removed
// meanwhile.
//
// A count starts at the position where the next fetch goes on. The entries of the stream behind it,
// subtracted from the entries ever added, give the count of that position; so do the entries before
// it, added to those that were removed. From there on the position counts what is fetched. Both are
// exact unless entries were removed on the side that was counted, which the state of the stream
// shows afterwards:
//   - trimming shows by the first entry,
//   - XDEL shows by the highest offset that it removed. Behind such an offset a count can't tell
//     what the position has counted, so it gives the lag of the committed position only, and the
//     position itself stays without a count.
type tally struct {
	from   Offset // the position whose lag is wanted
	front  bool   // the entries before the position are counted, not those behind it
	learns bool   // the position gets its count
	// start is the state of the stream when the count began, fetched the number of entries that had
	// been fetched under the lease.
	start   State
	fetched int64 // it falls when a buffer is dropped, as the place where the next fetch goes on does

	cursor  Offset // counted up to here; it is an entry if counted is not 0
	upTo    Offset // the last offset to count
	counted int64
	slice   int // entries of the next slice
	done    bool
}

const (
	// mostCounted is how many entries are counted of a split at most. Whoever is that far behind
	// can do with an upper bound.
	mostCounted = 1_000_000
	// countAgainSoon and countAgainLate are the waits after a count that came to nothing: because
	// the stream changed, or because there is too much to count.
	countAgainSoon = 10 * time.Second
	countAgainLate = 10 * time.Minute
)

// newTally begins a count for a split in a stream of this state.
func newTally(l look, s State) *tally {
	t := &tally{from: l.done.Offset, start: s, fetched: l.fetched, upTo: s.Last, slice: firstSlice}
	if l.next.EntriesRead < 0 && s.MaxDeleted.Compare(l.next.Offset) <= 0 {
		t.from, t.learns = l.next.Offset, true
	}
	t.cursor = t.from
	if t.learns && s.MaxDeleted.Before(s.First) && nearer(t.from, s) {
		t.front, t.cursor, t.upTo = true, s.First.Prev(), t.from
	}
	t.done = t.upTo.Compare(t.cursor) <= 0
	return t
}

// nearer guesses whether a position is nearer to the first entry than to the last, by the time that
// offsets are made of.
func nearer(at Offset, s State) bool {
	return at.Millis-s.First.Millis < s.Last.Millis-min(at.Millis, s.Last.Millis)
}

// request asks for the next slice. It begins with the entry that was counted last: if that is gone,
// so may be others.
func (t *tally) request(s Split) CountRequest {
	after := t.cursor
	if t.counted > 0 {
		after = t.cursor.Prev()
	}
	return CountRequest{Split: s, After: after, UpTo: t.upTo, Most: t.slice}
}

// add takes in a slice; false if the count has to begin again.
func (t *tally) add(c Counted) bool {
	switch {
	case t.counted > 0 && c.First != t.cursor, t.front && t.counted == 0 && c.First != t.start.First:
		return false
	case t.counted > 0:
		c.Entries--
	}
	t.counted += int64(c.Entries)
	if c.Entries > 0 {
		t.cursor = c.Last
	}
	t.done = !c.More
	return true
}

// read is the count of the position, if the stream is in this state now; false if too much has
// changed.
func (t *tally) read(s State) (int64, bool) {
	switch {
	case !s.Exists || s.EntriesAdded < t.start.EntriesAdded || !t.learns:
		return 0, false
	case t.front:
		return t.start.removed() + t.counted, s.MaxDeleted.Before(t.start.First)
	}
	return t.start.EntriesAdded - t.counted, s.Length > 0 && s.First.Compare(t.from) <= 0 && s.MaxDeleted.Compare(t.from) <= 0
}

// wantCount begins a count for a split whose lag is not known exactly, unless there is one or the
// last one was not long ago.
func (set *splitSet) startCount(l look, s State) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	h := l.hold
	if h.phase != reading || h.back || h.halt != nil || h.tally != nil || now.Before(h.countAfter) || s.EntriesAdded < 0 {
		return
	}
	h.tally = newTally(l, s)
	set.countWanted.raise()
}

// settleCount takes in a count that is complete, now that the state of the stream behind it is
// known.
func (set *splitSet) finishCount(l *look, s State) {
	set.mu.Lock()
	defer set.mu.Unlock()
	h := l.hold
	t := h.tally
	if t == nil || !t.done || h.phase != reading {
		return
	}
	h.tally, h.countAfter = nil, set.cfg.Now().Add(countAgainSoon)
	if read, ok := t.read(s); ok && h.next.EntriesRead < 0 {
		h.learn(read + h.fetched - t.fetched)
	}
	if !t.learns && s.EntriesAdded >= t.start.EntriesAdded {
		h.accounted = max(h.accounted, t.start.EntriesAdded-t.counted)
		h.checked = checked{at: t.from, removed: s.removed(), valid: s.removed() == t.start.removed()}
	}
	if done := h.tracker.Done(); done.Offset == l.done.Offset {
		l.done = done
	}
	l.accounted, l.checked = h.accounted, h.checked
}

// forgetCounts drops what was counted of a stream that was recreated. The lock is held.
func (h *hold) forgetCounts() {
	h.tally, h.accounted, h.told, h.checked = nil, CountUnknown, CountUnknown, checked{}
}

// slice is one slice that is to be counted.
type slice struct {
	hold  *hold
	tally *tally
	req   CountRequest
}

// slices lists what is to be counted next, of each split with a count under way.
func (set *splitSet) nextSlices() (all []slice) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for s, h := range set.splits {
		if t := h.tally; t != nil && !t.done {
			all = append(all, slice{h, t, t.request(s)})
		}
	}
	return all
}

// counted takes in a slice and says how large the next one is to be.
func (set *splitSet) addSlice(s slice, c Counted, err error) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	h, t := s.hold, s.tally
	switch {
	case h.tally != t:
	case err != nil || !t.add(c):
		h.tally, h.countAfter = nil, now.Add(countAgainSoon)
	case t.counted > mostCounted:
		h.tally, h.countAfter = nil, now.Add(countAgainLate)
	default:
		t.slice = nextSlice(t.slice, c)
	}
}
