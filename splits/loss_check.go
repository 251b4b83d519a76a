package splits

import "slices"

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

// The state of a stream comes with its first and its last entry, so looking at one with large
// entries costs as much as reading two. Probes then cover several reads: what was lost between them
// is counted all the same.
const (
	// heavyEntry is the size from which a look is put off,
	largeStateEntry = 16 << 10
	// until so many entries have come, or none did.
	maxUnchecked = 16
	// mostHeavyLooks is how many of those one request has.
	maxLargeStates = 8
)

// due reports whether the next read is to look at the stream; a nil probe never is.
func (p *uncheckedReads) due() bool {
	return p != nil && (p.quiet || len(p.offsets) >= maxUnchecked || !p.large())
}

func (p *uncheckedReads) large() bool { return p.size >= largeStateEntry }

// with is the probe after one more read, which had entries behind a position; p is nil if there is
// none. One that should have been judged keeps nothing of earlier reads: the store could not tell
// when it was asked.
func (p *uncheckedReads) with(before Position, entries []Entry) *uncheckedReads {
	next := uncheckedReads{before: before}
	if p != nil && !p.due() {
		next = *p
	}
	next = next.and(entries)
	return &next
}
