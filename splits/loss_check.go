package splits

import "slices"

// uncheckedReads are reads that returned entries and that have not been compared yet with a state
// of the stream. It keeps offsets instead of entries: large entries of many splits would need more
// memory than all buffers.
type uncheckedReads struct {
	before  Position // where the first of the reads began
	offsets []Offset // of the returned entries
	sum     uint64   // of the last entry, as in its fingerprint
	size    int      // of the last entry, in bytes
	idle    bool     // a later read returned nothing
}

// The state of a stream comes with its first and its last entry, so the state of a stream with
// large entries costs as much as reading two of them. Then one check covers several reads: it also
// finds what was lost between them.
const (
	// largeStateEntry is the size in bytes from which an entry delays the check,
	largeStateEntry = 16 << 10
	// maxUnchecked is the number of entries after which the check is made nevertheless.
	maxUnchecked = 16
	// maxLargeStates is how many states of streams with large entries one request asks for.
	maxLargeStates = 8
)

// due reports whether the next read is to ask for the state of the stream.
func (u *uncheckedReads) due() bool {
	return u != nil && (u.idle || len(u.offsets) >= maxUnchecked || !u.large())
}

func (u *uncheckedReads) large() bool { return u.size >= largeStateEntry }

// with returns the unchecked reads after one more read, which began at a position and returned
// entries; u is nil if there are none. If a check was due, the store did not return the state: then
// the earlier reads are dropped.
func (u *uncheckedReads) with(before Position, entries []Entry) *uncheckedReads {
	next := uncheckedReads{before: before}
	if u != nil && !u.due() {
		next = *u
	}
	next.offsets = slices.Grow(next.offsets, len(entries))
	for _, e := range entries {
		next.offsets = append(next.offsets, e.Offset)
	}
	last := entries[len(entries)-1]
	next.sum, next.size, next.idle = sumOf(last), last.Size(), false
	return &next
}

// last returns the offset of the last entry that was returned.
func (u *uncheckedReads) last() Offset { return u.offsets[len(u.offsets)-1] }

// streamChange is what happened to a stream between two states.
type streamChange int

const (
	// same: the stream is the one that was read before, and nothing is known to be lost.
	same streamChange = iota
	// lost: it is the same stream, and entries of it were removed before they were read.
	lost
	// replaced: it is another stream, and all its entries have been or will be read.
	replaced
	// rolledBack: it is another stream, and it may have entries at or before the position that were
	// never read.
	rolledBack
)

// finding is the result of a check.
type finding struct {
	change streamChange
	loss   Loss  // what was lost; zero unless change is lost or replaced
	read   int64 // EntriesRead of the position of the last returned entry
}

// check compares reads with the state of the stream just after them. seen is an earlier state of the
// stream that was read, zero if there is none.
//
// A store counts the entries ever added to a stream, so removed = EntriesAdded - Length entries were
// removed. EntriesRead of a position counts the entries up to it that were read or were reported as
// lost. With before = EntriesRead before the reads and n = number of returned entries, the first
// line that applies decides:
//
//	state of the stream                           result      EntriesRead after the reads
//	--------------------------------------------  ----------  ---------------------------
//	no stream                                     same        before + n
//	a count fell, or fewer entries were removed   see checkReplaced
//	  than before the position
//	its last entry is the last returned one       lost if     EntriesAdded
//	                                              EntriesAdded > before + n
//	its first entry is behind the position        lost if     before + n + missing
//	                                              missing > 0
//	otherwise                                     same        before + n
//
// missing = removed - before - (returned entries that were trimmed since). Returned entries that may
// have been deleted since by XDEL are subtracted too: then the loss is a lower bound, and the last
// line but two reports the difference later. On the last line entries may be missing as well, which
// cannot be known before the reads reach the end of the stream or it is trimmed.
//
// Example: EntriesRead is 10 at offset 10, a read returns the entries 15 to 20, and the stream now
// begins at 15, has 16 entries, and 30 were added. 30 - 16 = 14 were removed, 10 of them before the
// position: 4 were lost, and EntriesRead at offset 20 is 10 + 6 + 4 = 20.
func (u *uncheckedReads) check(s, seen State) finding {
	last := u.last()
	before := u.before.EntriesRead
	read := addCount(before, len(u.offsets))
	if !s.Exists {
		return finding{read: read} // the caller sees that the stream does not exist
	}
	counted := s.EntriesAdded >= 0 && before >= 0
	beginsBehind := s.Length == 0 || u.before.Offset.Before(s.First)
	missing := s.removed() - before - int64(s.trimmedOf(u.offsets))
	switch {
	case s.rolledBackFrom(seen, Position{Offset: last, EntriesRead: read}), counted && beginsBehind && missing < 0:
		return u.checkReplaced(s, seen)
	case s.EntriesAdded >= 0 && s.Last == last:
		if counted {
			return u.found(s.EntriesAdded-read, true, s.EntriesAdded)
		}
		return finding{read: s.EntriesAdded}
	case counted && beginsBehind:
		maybeDeleted := int64(s.maybeDeletedOf(u.offsets))
		missing = max(0, missing-maybeDeleted)
		return u.found(missing, maybeDeleted == 0, read+missing)
	}
	return finding{read: read}
}

// found returns the finding that entries were lost, or that none were.
func (u *uncheckedReads) found(entries int64, exact bool, read int64) finding {
	if entries <= 0 {
		return finding{read: read}
	}
	return finding{change: lost, loss: Loss{After: u.before.Offset, Entries: entries, Exact: exact}, read: read}
}

// checkReplaced compares reads with the state of a stream that is not the one that was read before:
//
//	state of the stream                            result
//	---------------------------------------------  ----------
//	it ends before the last returned entry         rolledBack
//	it has entries up to the position              rolledBack
//	it begins before the first returned entry      rolledBack
//	otherwise: the reads began at its first entry  replaced
func (u *uncheckedReads) checkReplaced(s, seen State) finding {
	last := u.last()
	if s.Last.Before(last) || s.hasEntriesUpTo(u.before.Offset) || s.Length > 0 && s.First.Before(u.offsets[0]) {
		return finding{change: rolledBack, read: CountUnknown}
	}
	read := s.removed() + int64(len(u.offsets)-s.trimmedOf(u.offsets))
	switch {
	case s.EntriesAdded < 0:
		read = CountUnknown
	case s.Last == last:
		read = s.EntriesAdded
	}
	readBefore := u.before.EntriesRead // of the earlier stream
	for _, o := range u.offsets {
		if readBefore >= 0 && o.Compare(seen.Last) <= 0 {
			readBefore++
		}
	}
	return finding{change: replaced, read: read, loss: Loss{
		After:     u.before.Offset,
		Entries:   s.lostUnread(seen, readBefore),
		Recreated: true,
		From:      u.before.Offset,
		FullyRead: seen.fullyReadAt(u.before),
	}}
}
