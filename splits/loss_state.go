package splits

// removed returns the number of entries that were ever removed.
func (s State) removed() int64 { return s.EntriesAdded - s.Length }

// trimmedOf returns how many of the entries, which were read, have been trimmed since.
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

// maybeDeletedOf returns how many of the entries, which were read, are behind the first one of the
// stream and may have been deleted since by XDEL.
func (s State) maybeDeletedOf(entries []Offset) int {
	n := 0
	for _, o := range entries[s.trimmedOf(entries):] {
		if s.First.Before(o) && o.Compare(s.MaxDeleted) <= 0 {
			n++
		}
	}
	return n
}

// rolledBackFrom reports whether the stream cannot be the one that had the state seen, or cannot
// have had everything up to the position: a read behind the position could wait forever. The counts
// and offsets of a stream never decrease. A seen state that does not exist is ignored.
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

// hasEntriesUpTo reports whether a stream that was replaced has, or can get, entries up to the
// offset.
func (s State) hasEntriesUpTo(at Offset) bool {
	return !s.Exists || s.Last.Before(at) || s.Length > 0 && s.First.Compare(at) <= 0
}

// lostUnread returns how many entries were seen and not read, and are missing in a stream that was
// replaced. It is a lower bound of the loss.
func (s State) lostUnread(seen State, read int64) int64 {
	if !seen.Exists || seen.EntriesAdded < 0 || read < 0 {
		return 0
	}
	kept := read
	if s.Length > 0 && s.First.Compare(seen.Last) <= 0 {
		kept = max(read, s.EntriesAdded) // it may be the same stream without its end
	}
	return max(0, seen.EntriesAdded-kept)
}

// fullyReadAt reports whether no entry of the stream was seen behind the position.
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
