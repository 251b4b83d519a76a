package splits

// removed counts the entries that were ever removed.
func (s State) removed() int64 { return s.EntriesAdded - s.Length }

// below counts the entries that have been trimmed off the stream since they were read.
func (s State) trimmedOf(entries []Offset) int {
	if s.Length == 0 {
		return len(entries)
	}
	n := 0
	for n < len(entries) && entries[n].Before(s.First) {
		n++
	}
	return n
}

// maybeDeleted counts the entries that are not below the first one of the stream and may have been
// deleted since they were read.
func (s State) maybeDeletedOf(entries []Offset) int {
	n := 0
	for _, o := range entries[s.trimmedOf(entries):] {
		if s.First.Before(o) && o.Compare(s.MaxDeleted) <= 0 {
			n++
		}
	}
	return n
}

// wentBack reports whether the stream is not what it was when it was seen, or can't have held
// everything up to the position: reading behind that could wait for ever. Whatever a stream counts
// only grows. A seen State that does not exist is none.
func (s State) rolledBackFrom(seen State, at Position) bool {
	switch {
	case !s.Exists:
		return seen.Exists || at.EntriesRead > 0
	case s.Last.Before(at.Offset):
		return true
	case s.EntriesAdded < 0:
		return false
	case s.EntriesAdded < at.EntriesRead:
		return true
	case !seen.Exists || seen.EntriesAdded < 0:
		return false
	}
	return s.Last.Before(seen.Last) || s.EntriesAdded < seen.EntriesAdded || s.removed() < seen.removed() ||
		s.MaxDeleted.Before(seen.MaxDeleted) ||
		s.Length > 0 && seen.Length > 0 && s.First.Before(seen.First)
}

// hides reports whether a stream that went back holds, or may come to hold, entries at or below the
// offset.
func (s State) hasEntriesUpTo(at Offset) bool {
	return !s.Exists || s.Last.Before(at) || s.Length > 0 && s.First.Compare(at) <= 0
}

// vanished is how many entries were seen and not read that a stream which went back does not have
// any more: at least so many are lost.
func (s State) lostUnread(seen State, read int64) int64 {
	if !seen.Exists || seen.EntriesAdded < 0 || read < 0 {
		return 0
	}
	kept := read
	if s.Length > 0 && s.First.Compare(seen.Last) <= 0 {
		kept = max(read, s.EntriesAdded) // it may be the same stream, and lack its end alone
	}
	return max(0, seen.EntriesAdded-kept)
}

// readUp reports whether nothing was seen of the stream that lies behind the position.
func (s State) fullyReadAt(at Position) bool {
	return s.Exists && s.EntriesAdded >= 0 && s.EntriesAdded <= at.EntriesRead && s.Last.Compare(at.Offset) <= 0
}

// lostRead returns how many of the entries that were read are missing in a stream that was rolled
// back.
func (s State) lostRead(read int64) int64 {
	if !s.Exists || s.EntriesAdded < 0 {
		return 0
	}
	return max(0, read-s.EntriesAdded)
}
