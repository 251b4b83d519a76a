package splits

import (
	"slices"
	"time"
)

// span is a sequence of consecutive entries: they left the buffer together, or all of them are
// resolved. It is dense at first. When few of its entries are not resolved, thin makes it sparse.
type span struct {
	entries     []Entry // nil if it is sparse, or all entries are resolved
	resolved    []bool  // as long as entries
	sparse      map[int]sparseEntry
	unloaded    map[int]unloadedEntry // entries without fields, see unload
	owned       bool                  // nothing else refers to entries
	first, last Offset
	size        int
	read        int64     // EntriesRead of the position before the first entry
	open        int       // number of entries not resolved
	passed      int       // entries at the front that are counted in tracker.done
	since       time.Time // when they left the buffer
	adopted     bool      // they are tracked by an adoption
}

// sparseEntry is an entry of a sparse span that is not resolved.
type sparseEntry struct {
	Entry
	before Offset // the offset of the entry before it in the span, if there is one
}

// sparseBelow is the share of unresolved entries below which a span is made sparse: a sixteenth.
const sparseBelow = 16

// thin makes the span sparse if few of its entries are not resolved.
func (s *span) thin() {
	if !s.owned || s.entries == nil || s.open*sparseBelow > s.size {
		return
	}
	s.sparse = make(map[int]sparseEntry, s.open)
	for i, resolved := range s.resolved {
		if resolved {
			continue
		}
		one := sparseEntry{Entry: s.entries[i]}
		if i > 0 {
			one.before = s.entries[i-1].Offset
		}
		s.sparse[i] = one
	}
	s.entries, s.resolved = nil, nil
}

// entry returns entry i, which is not resolved.
func (s *span) entry(i int) Entry {
	if s.entries == nil {
		return s.sparse[i].Entry
	}
	return s.entries[i]
}

// isResolved reports whether entry i is resolved.
func (s *span) isResolved(i int) bool {
	if s.entries == nil {
		_, open := s.sparse[i]
		return !open
	}
	return s.resolved[i]
}

// resolve marks entry i, which is not resolved yet.
func (s *span) resolve(i int) {
	s.open--
	delete(s.unloaded, i)
	if s.entries == nil {
		delete(s.sparse, i)
		return
	}
	s.resolved[i] = true
	if s.owned {
		s.entries[i].Fields = nil
	}
}

// unresolved returns the entries that are not resolved.
func (s *span) unresolved() ([]Entry, []entryRef) {
	if s.open == 0 {
		return nil, nil
	}
	refs := make([]entryRef, 0, s.open)
	for i, resolved := range s.resolved {
		if !resolved {
			refs = append(refs, entryRef{s, i})
		}
	}
	if s.open == s.size {
		return s.entries, refs // the usual case copies nothing
	}
	return entriesOf(refs), refs
}

// own copies the entries if something else refers to them, so that each can be dropped when it is
// resolved.
func (s *span) own() {
	if !s.owned && s.entries != nil {
		s.entries, s.owned = slices.Clone(s.entries), true
	}
}

// position returns the position behind the first n entries of the span, n > 0.
func (s *span) position(n int) Position {
	at := Position{Offset: s.last, EntriesRead: addCount(s.read, n)}
	switch {
	case n == s.size:
	case s.entries == nil:
		at.Offset = s.sparse[n].before // entry n is not resolved
	default:
		at.Offset = s.entries[n-1].Offset
	}
	return at
}

// absorb extends a resolved span by the next one, if that is resolved too and no loss between them
// is known. It reports whether it did.
func (s *span) absorb(next *span) bool {
	if s.open > 0 || next.open > 0 || next.read != addCount(s.read, s.size) {
		return false
	}
	s.last = next.last
	s.size += next.size
	return true
}
