package splits

import (
	"runtime"
	"slices"
	"time"
)

// lanes keeps the order of keys under ByKey. Each key belongs to one lane, and at most one batch
// with entries of a lane is in the pipeline, or waits to be handed out again. Entries that were
// taken from the buffer wait in their lane. Entries without a key have no order, and no lane.
//
// A batch takes the entries of one lane, and of further lanes as long as all of them are probably
// acknowledged within fastBatch: a fast pipeline gets large batches, a slow one gets many.
//
// lanes has no lock; the lock of the splitSet guards it.
type lanes struct {
	key      func(Entry) string
	largest  int // most entries of a batch
	loadSize int // bytes that are loaded at a time
	lanes    []lane
	ready    []int // lanes that can be handed out: they have entries and no holds
	unkeyed  []entryRef
	loading  []int      // lanes that wait for their next entries to be loaded
	wanted   []entryRef // entries to load

	waiting   int // entries in lanes and in unkeyed
	available int // entries in ready lanes and in unkeyed

	perEntry time.Duration // how long an entry takes from hand-out to acknowledgement, as a mean
	scans    int           // number of calls of firstFree
}

type lane struct {
	queue []entryRef
	// holds is the number of batches in flight and pieces in the isolation that have entries of the
	// lane, and one more while its next entries are loaded.
	holds    int
	inFlight bool // a batch with entries of the lane is in flight
	scanned  int  // the last call of firstFree that saw the lane in a piece
}

const (
	// lanesPerThread is the default number of lanes for each thread of the process. More lanes than
	// threads keep the threads busy although hashes distribute keys unevenly.
	lanesPerThread = 16
	// fastBatch is how long a batch of several lanes may take.
	fastBatch = 10 * time.Millisecond
	// firstPerEntry is the estimate of perEntry before the first acknowledgement.
	firstPerEntry = time.Millisecond
)

func defaultLanes() int { return lanesPerThread * runtime.GOMAXPROCS(0) }

func newLanes(cfg Config) *lanes {
	return &lanes{
		key: cfg.OrderKey, largest: cfg.BatchSize, loadSize: cfg.SplitBuffer / loadShare,
		lanes: make([]lane, cfg.Lanes), perEntry: firstPerEntry,
	}
}

// laneOf returns the lane of a key: FNV-1a, folded. The hash must be independent of the
// partitioner's hash: all keys of a partition agree in that hash modulo the number of partitions,
// and would share few lanes.
func (l *lanes) laneOf(key string) int {
	hash := uint64(14695981039346656037)
	for i := range len(key) {
		hash = (hash ^ uint64(key[i])) * 1099511628211
	}
	return int((hash ^ hash>>32) % uint64(len(l.lanes)))
}

// add puts the unresolved entries of a span into their lanes.
func (l *lanes) add(s *span) {
	_, refs := s.unresolved()
	l.waiting += len(refs)
	for _, ref := range refs {
		key := l.key(ref.entry())
		if key == "" {
			l.unkeyed = append(l.unkeyed, ref)
			l.available++
			continue
		}
		id := l.laneOf(key)
		own := &l.lanes[id]
		own.queue = append(own.queue, ref)
		switch {
		case own.holds > 0:
		case len(own.queue) == 1:
			l.ready = append(l.ready, id)
			l.available++
		default:
			l.available++
		}
	}
}

// take returns up to limit entries for one batch, in the order of their offsets, and their lanes,
// which are in flight then. hold is called for each entry; entries for which it returns true are
// left out.
func (l *lanes) take(limit int, hold func(entryRef) bool) (refs []entryRef, ids []int) {
	several := max(1, int(fastBatch/max(l.perEntry, 1)))
	for len(l.ready) > 0 && len(refs) < limit && (len(ids) == 0 || len(refs) < several) {
		id := l.ready[0]
		l.ready = l.ready[1:]
		own := &l.lanes[id]
		l.available -= len(own.queue)
		before := len(refs)
		refs = l.takeFrom(own, refs, limit, hold)
		switch {
		case len(refs) > before:
			own.holds, own.inFlight = 1, true
			ids = append(ids, id)
		case len(own.queue) > 0 && own.queue[0].isUnloaded():
			own.holds = 1
			l.loading = append(l.loading, id)
			l.load(own.queue)
		default:
			l.checkReady(id)
		}
	}
	if n := min(limit, max(several, len(refs))) - len(refs); n > 0 && len(l.unkeyed) > 0 {
		n = min(n, len(l.unkeyed))
		refs, l.unkeyed = append(refs, l.unkeyed[:n]...), l.unkeyed[n:]
		l.waiting -= n
		l.available -= n
	}
	slices.SortFunc(refs, entryRef.compare)
	return refs, ids
}

// takeFrom adds entries of a lane to refs, up to limit or the first one that is not loaded.
func (l *lanes) takeFrom(own *lane, refs []entryRef, limit int, hold func(entryRef) bool) []entryRef {
	for len(own.queue) > 0 && len(refs) < limit && !own.queue[0].isUnloaded() {
		ref := own.queue[0]
		own.queue = own.queue[1:]
		l.waiting--
		if !ref.isResolved() && !hold(ref) { // it is resolved if it could not be loaded
			refs = append(refs, ref)
		}
	}
	return refs
}

// checkReady makes a lane ready if it has entries and no holds.
func (l *lanes) checkReady(id int) {
	if own := &l.lanes[id]; own.holds == 0 && len(own.queue) > 0 {
		l.ready = append(l.ready, id)
		l.available += len(own.queue)
	}
}

// The following methods do nothing on nil lanes: under ByPartition and Unordered there are none.

// holdFor returns the lanes of a piece, and keeps them from handing out new entries.
func (l *lanes) holdFor(refs []entryRef) (ids []int) {
	if l == nil {
		return nil
	}
	l.scans++
	for _, ref := range refs {
		key := l.keyOf(ref)
		if key == "" {
			continue
		}
		id := l.laneOf(key)
		own := &l.lanes[id]
		if own.scanned == l.scans {
			continue
		}
		own.scanned = l.scans
		if own.holds == 0 && len(own.queue) > 0 { // it is ready, but not any more
			l.ready = slices.DeleteFunc(l.ready, func(other int) bool { return other == id })
			l.available -= len(own.queue)
		}
		own.holds++
		ids = append(ids, id)
	}
	return ids
}

// release undoes one hold of each lane.
func (l *lanes) release(ids []int) {
	for _, id := range ids {
		l.lanes[id].holds--
		l.checkReady(id)
	}
}

// setInFlight notes whether a batch with entries of the lanes is in flight.
func (l *lanes) setInFlight(ids []int, inFlight bool) {
	for _, id := range ids {
		l.lanes[id].inFlight = inFlight
	}
}

// firstFree returns the index of the first piece of which no lane is in flight, or belongs to a
// piece before it; -1 if there is none.
func (l *lanes) firstFree(pieces []piece) int {
	if l == nil {
		return min(0, len(pieces)-1)
	}
	l.scans++
	for i, p := range pieces {
		free := !p.loading
		for _, id := range p.lanes {
			own := &l.lanes[id]
			free = free && !own.inFlight && own.scanned != l.scans
			own.scanned = l.scans
		}
		if free {
			return i
		}
	}
	return -1
}

// busy reports whether entries of the lane of an entry wait, or are in flight.
func (l *lanes) busy(e Entry) bool {
	if l == nil {
		return false
	}
	key := l.key(e)
	if key == "" {
		return false
	}
	own := &l.lanes[l.laneOf(key)]
	return own.holds > 0 || len(own.queue) > 0
}

// empty reports whether no entry waits.
func (l *lanes) empty() bool { return l == nil || l.waiting == 0 }

// measure learns from a batch of n entries that was acknowledged after some time.
func (l *lanes) measure(took time.Duration, n int) {
	if l != nil {
		l.perEntry = (3*l.perEntry + took/time.Duration(n)) / 4
	}
}
