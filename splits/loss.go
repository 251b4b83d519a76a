package splits

// Loss is what a split turned out to have lost before it was read: entries trimmed or deleted, or a stream that was recreated or
// rolled back.
type Loss struct {
	Split Split
	// After is the position behind which the entries are missing.
	After Offset
	// Entries is how many are missing; at least so many if not Exact.
	Entries int64
	Exact   bool
	// Recreated says that the stream is not the one that was read before, or went back in time.
	Recreated bool
}

// probe remembers reads that returned data until the state of the stream has been seen.
type probe struct {
	before  Position
	entries []Entry
	quiet   bool // there was a read since then, without data
}

// judge compares a read with the state of the stream just after it. It returns the loss, if any, and the Read that the
// position behind the last returned entry has (ReadUnknown if the server can't tell).
//
// Redis counts the entries ever added to a stream, so added - length were removed. A position knows how many were added up to it. What was
// removed, less what had been read before, less those of this read that have been trimmed since, was never read.
func (p probe) judge(s State) (loss *Loss, read int64) {
	last := p.entries[len(p.entries)-1].Offset
	read = after(p.before.Read, len(p.entries))
	if s.Added < 0 || !s.Exists {
		return nil, read
	}
	if s.Last.Before(last) || (p.before.Read >= 0 && s.Added < p.before.Read) {
		return &Loss{After: p.before.Offset, Entries: 1, Recreated: true}, s.readUpTo(p.entries)
	}
	if p.before.Read < 0 {
		if s.Last == last {
			read = s.Added // the tail is reached: from here on the count is known
		}
		return nil, read
	}
	if s.Length > 0 && s.First.Compare(p.before.Offset) <= 0 {
		return nil, read
	}
	lost := s.Added - s.Length - p.before.Read - int64(s.below(p.entries))
	if lost <= 0 {
		return nil, read
	}
	loss = &Loss{After: p.before.Offset, Entries: lost, Exact: true}
	if p.before.Offset.Before(s.MaxDeleted) {
		loss.Entries, loss.Exact = 1, false // some of the removed may lie further on
	}
	return loss, read + lost
}

// below counts the entries that have been trimmed off the stream since they were read.
func (s State) below(entries []Entry) int {
	if s.Length == 0 {
		return len(entries)
	}
	n := 0
	for n < len(entries) && entries[n].Offset.Before(s.First) {
		n++
	}
	return n
}

// readUpTo is the Read behind the last of the entries, counted in the stream as it is now.
func (s State) readUpTo(entries []Entry) int64 {
	return s.Added - s.Length + int64(len(entries)-s.below(entries))
}

// rolledBack reports whether the stream can't have held everything up to the position: reading behind it could wait for ever.
func (s State) rolledBack(p Position) bool {
	if p.Offset == (Offset{}) {
		return false
	}
	if !s.Exists {
		return false // nothing to read, and what comes will have higher offsets unless they are set by hand
	}
	return s.Last.Before(p.Offset)
}

// lag is the number of entries behind the position, -1 if it can't be told.
func (s State) lag(p Position) int64 {
	switch {
	case !s.Exists || s.Length == 0 || s.Last.Compare(p.Offset) <= 0:
		return 0
	case s.Added >= 0 && p.Read >= 0:
		return max(0, s.Added-p.Read)
	case p.Offset.Before(s.First):
		return s.Length
	}
	return -1
}
