package splits

import "slices"

// Loss is what a split turned out to have lost before it was read: entries that were trimmed or
// deleted, or a stream that is not the one that was read before.
type Loss struct {
	Split Split
	// After is the position behind which the entries are missing.
	After Offset
	// Entries is how many were never read; at least so many if not Exact. A stream that was
	// recreated may have lost more than anybody has seen of it, so 0 is possible there.
	Entries int64
	Exact   bool
	// Recreated says that the stream was deleted and made anew, or went back in time; Gone that it
	// is not there at all.
	Recreated, Gone bool
	// Spent says that the stream alone went away after everything that was seen of it had been
	// read, as one that expires does. Nothing is known to be lost.
	FullyRead bool
	// Undone is how many entries that had been read went with it, as far as the counts tell.
	ReadLost int64
	// From is the position behind which reading goes on, if Recreated or Gone.
	From Offset
	// Stopped says that the split is not read on, for Config.FailOnLoss is set.
	Stopped bool
}

// probe remembers reads that returned data until the state of the stream has been seen. It does not
// keep the data: of a topic of large entries that would be more than all buffers.
type uncheckedReads struct {
	before  Position
	offsets []Offset // of the entries that came
	sum     uint64   // of the last one, and its bytes
	size    int
	quiet   bool // there was a read since then, without data
}

// and is the probe after some more entries.
func (p uncheckedReads) and(entries []Entry) uncheckedReads {
	p.offsets = slices.Grow(p.offsets, len(entries))
	for _, e := range entries {
		p.offsets = append(p.offsets, e.Offset)
	}
	last := entries[len(entries)-1]
	p.sum, p.size, p.quiet = sumOf(last), last.Size(), false
	return p
}

// last is the offset of the last entry that came.
func (p uncheckedReads) last() Offset { return p.offsets[len(p.offsets)-1] }

// finding is what the state of a stream tells about a read.
type finding struct {
	loss *Loss // nil if nothing is missing
	// read is the Read that the position behind the last returned entry has.
	read int64
	// back says that the stream is not what it was and may hold entries at or below the position
	// that were never read: the split has to be begun anew. loss is nil then.
	back bool
}

// judge compares a read with the state of the stream just after it. seen is an earlier state of the
// same stream, if any.
//
// Redis counts the entries ever added to a stream, so added - length were removed. A position
// counts those that were read or have been told to be lost. At the tail the two must meet, whatever
// happened in between. Before it, what was removed can be told from what is yet to come only once
// everything up to the position is gone: then all that was removed, less what is accounted for,
// less those of this read that have been removed since, was never read. Where some of this read may
// have been deleted since, the difference is left for later, so that the sum stays right.
func (p uncheckedReads) judge(s, seen State) finding {
	last := p.last()
	f := finding{read: addCount(p.before.EntriesRead, len(p.offsets))}
	if !s.Exists {
		return f // whoever asked sees that it is gone
	}
	gone := s.Length == 0 || p.before.Offset.Before(s.First) // everything up to the position
	unread := s.removed() - p.before.EntriesRead - int64(s.trimmedOf(p.offsets))
	counted := s.EntriesAdded >= 0 && p.before.EntriesRead >= 0
	switch {
	case s.rolledBackFrom(seen, Position{Offset: last, EntriesRead: f.read}) || counted && gone && unread < 0:
		return p.judgeAnew(s, seen)
	case s.EntriesAdded >= 0 && s.Last == last:
		f.read = s.EntriesAdded
		if counted {
			f.lose(p, s.EntriesAdded-addCount(p.before.EntriesRead, len(p.offsets)), true)
		}
	case counted && gone:
		doubtful := int64(s.maybeDeletedOf(p.offsets))
		unread = max(0, unread-doubtful)
		f.read += unread
		f.lose(p, unread, doubtful == 0)
	}
	return f
}

func (f *finding) lose(p uncheckedReads, entries int64, exact bool) {
	if entries > 0 {
		f.loss = &Loss{After: p.before.Offset, Entries: entries, Exact: exact}
	}
}

// judgeAnew judges a read of a stream that is not the one that was read before. If nothing is there
// up to the position, nor up to the first entry that came, the read began where the stream does,
// and only the counts are wrong.
func (p uncheckedReads) judgeAnew(s, seen State) finding {
	last := p.last()
	if s.Last.Before(last) || s.hasEntriesUpTo(p.before.Offset) || s.Length > 0 && s.First.Before(p.offsets[0]) {
		return finding{read: CountUnknown, back: true}
	}
	read := s.removed() + int64(len(p.offsets)-s.trimmedOf(p.offsets))
	switch {
	case s.EntriesAdded < 0:
		read = CountUnknown
	case s.Last == last:
		read = s.EntriesAdded
	}
	old := p.before.EntriesRead
	for _, o := range p.offsets {
		if old >= 0 && o.Compare(seen.Last) <= 0 {
			old++
		}
	}
	return finding{read: read, loss: &Loss{
		After:     p.before.Offset,
		Entries:   s.lostUnread(seen, old),
		Recreated: true,
		From:      p.before.Offset,
		FullyRead: seen.fullyReadAt(p.before),
	}}
}

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
