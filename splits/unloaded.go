package splits

import (
	"slices"
	"strings"
)

// Entries that wait for an earlier one of their lane or key can be many. When they fill the memory
// of their split, the fields of those that are needed last are dropped, so that the entries of
// other keys can be read. The loader reads them again when it is their turn.

// unloadedEntry is what is kept of an entry whose fields were dropped.
type unloadedEntry struct {
	key    string
	size   int  // what loading it takes
	wanted bool // it is to be loaded now
}

// unload drops the fields of an entry that waits, and returns its size.
func (s *span) unload(i int, key string) int {
	e := s.entry(i)
	size := e.Size()
	if s.unloaded == nil {
		s.unloaded = map[int]unloadedEntry{}
	}
	s.unloaded[i] = unloadedEntry{key: strings.Clone(key), size: size} // the key is a part of a whole reply
	s.setFields(i, nil)
	return size
}

func (s *span) setFields(i int, fields []string) {
	if s.entries != nil {
		s.entries[i].Fields = fields
	} else if one, open := s.sparse[i]; open {
		one.Fields = fields
		s.sparse[i] = one
	}
}

// isUnloaded reports whether the fields of the entry have to be loaded.
func (r entryRef) isUnloaded() bool {
	_, is := r.span.unloaded[r.index]
	return is
}

// keyOf returns the key of an entry, also of an unloaded one.
func (l *lanes) keyOf(r entryRef) string {
	if one, is := r.span.unloaded[r.index]; is {
		return one.key
	}
	return l.key(r.entry())
}

// loadShare is the share of the buffer of a split that is loaded at a time, at most: an eighth.
const loadShare = 8

// load requests the first unloaded entries, as many as a batch can have, unless they are requested
// already.
func (l *lanes) load(refs []entryRef) {
	for _, r := range refs[:min(len(refs), l.largest)] {
		if one, is := r.span.unloaded[r.index]; is && !one.wanted {
			one.wanted = true
			r.span.unloaded[r.index] = one
			l.wanted = append(l.wanted, r)
		}
	}
}

// nextLoad returns the requested entries that are loaded next, in the order of their offsets: at
// least one.
func (l *lanes) nextLoad() []entryRef {
	slices.SortFunc(l.wanted, entryRef.compare)
	size := 0
	for n, r := range l.wanted {
		if size += r.span.unloaded[r.index].size; n > 0 && size > l.loadSize {
			return slices.Clone(l.wanted[:n])
		}
	}
	return slices.Clone(l.wanted)
}

// unloadWaiting drops the fields of entries that wait, and returns their size. Of each queue the
// first entries stay: those that fit into an equal share of size.
func (i *isolation) unloadWaiting(size int) (freed int) {
	var queues [][]entryRef
	for n := range i.lanes.lanes {
		if lane := &i.lanes.lanes[n]; lane.holds > 0 && len(lane.queue) > 0 {
			queues = append(queues, lane.queue)
		}
	}
	for _, failure := range i.loneFailures {
		for _, p := range failure.followers {
			if p.deliveries == 0 { // entries that were handed out before take no room of the buffer
				queues = append(queues, p.refs)
			}
		}
	}
	for _, queue := range queues {
		kept := 0
		for _, r := range queue {
			if r.isUnloaded() || r.isResolved() { // it is resolved if it could not be loaded
				continue
			}
			if kept += r.entry().Size(); kept > size/len(queues) {
				freed += r.span.unload(r.index, i.lanes.key(r.entry()))
			}
		}
	}
	return freed
}

// reconsider lets lanes and pieces that wait for entries to be loaded check whether they are.
func (i *isolation) reconsider() {
	for n := range i.pieces {
		i.pieces[n].loading = false
	}
	i.lanes.release(i.lanes.loading)
	i.lanes.loading = nil
}
