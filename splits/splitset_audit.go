package splits

import (
	"slices"
	"time"
)

// splitSnapshot is a copy of the state of one owned split, for the auditor.
type splitSnapshot struct {
	split       *ownedSplit
	lease       Lease
	answers     int      // ownedSplit.answers
	knownUpTo   Position // up to here the stream is known to be the one that was read
	checkedUpTo Offset   // behind it are entries that were read and not checked yet
	lastState   State
	decided     bool // the stream is known to be replaced, or the split is stopped
	done        Position
	next        Position  // where the next fetch begins
	ahead       int64     // number of entries fetched between done and next
	oldest      Offset    // first entry fetched and not acknowledged; zero if there is none
	since       time.Time // when the first entry not acknowledged was handed out first; zero if there is none
	bound       bool      // nothing newer is handed out before that entry is acknowledged
	lastRead    time.Time
	// What is known from counting, see countState.
	entriesFetched, accounted int64
	exact                     exactCount
}

func (set *splitSet) snapshots() []splitSnapshot {
	set.mu.Lock()
	defer set.mu.Unlock()
	snapshots := make([]splitSnapshot, 0, len(set.splits))
	for _, o := range set.splits {
		snap := splitSnapshot{
			split:          o,
			lease:          o.lease,
			answers:        o.answers,
			knownUpTo:      o.next,
			checkedUpTo:    o.next.Offset,
			lastState:      o.lastState,
			decided:        o.rolledBack || o.stopped != nil,
			done:           o.tracker.Done(),
			next:           o.next,
			ahead:          o.fetchedAhead(),
			lastRead:       o.lastRead,
			entriesFetched: o.entriesFetched,
			accounted:      o.accounted,
			exact:          o.exact,
		}
		if o.unchecked != nil {
			// The count of the unchecked reads is not known yet.
			snap.knownUpTo.EntriesRead = o.unchecked.before.EntriesRead
			snap.checkedUpTo = o.unchecked.before.Offset
			snap.lastState.Exists = true // otherwise nothing could have been read
		}
		snap.oldest, _ = o.oldest()
		_, snap.since, _ = o.oldestHandedOut()
		snap.bound = set.cfg.Ordering != ByPartition && o.tracker.Ahead() >= set.cfg.MaxAhead
		snapshots = append(snapshots, snap)
	}
	slices.SortFunc(snapshots, func(a, b splitSnapshot) int {
		return a.lease.Split.Partition - b.lease.Split.Partition
	})
	return snapshots
}

// endRolledBack ends the splits whose streams were rolled back, in one step, so that they are
// claimed and reported together. A snapshot may be out of date: if a read has returned something
// since, the state may be older than the stream that was read, and a check has dealt with the
// change. If there was no check, the split is not read any more, and the next snapshot shows the
// same.
func (set *splitSet) endRolledBack(snapshots []splitSnapshot) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, snap := range snapshots {
		o := snap.split
		if o.phase == reading && o.answers == snap.answers { // in another phase the next owner detects it
			set.markRolledBack(o)
		}
	}
}

func (set *splitSet) observe(o *ownedSplit, s State) {
	set.mu.Lock()
	defer set.mu.Unlock()
	o.observe(s)
}

func (set *splitSet) setLag(o *ownedSplit, lag int64) {
	set.mu.Lock()
	defer set.mu.Unlock()
	o.lag = lag
}

// stallAfter is how long acknowledgements may take before Observer.Stalled is called.
const stallAfter = 10 * time.Second

// checkStall returns how long every split that has entries has waited for an acknowledgement. It
// returns 0 if that is too short, or was returned before. Poll calls it when it has nothing to hand
// out; began is when Poll began.
func (set *splitSet) checkStall(now, began time.Time) time.Duration {
	if now.Sub(began) < stallAfter {
		return 0
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.stalled {
		return 0
	}
	var shortest time.Duration
	for _, o := range set.splits {
		if len(o.buffer) == 0 && o.isolation.lanes.empty() && o.adoption.empty() {
			continue
		}
		if o.inflight == 0 || now.Sub(o.oldestSince) < stallAfter {
			return 0
		}
		if waited := now.Sub(o.oldestSince); shortest == 0 || waited < shortest {
			shortest = waited
		}
	}
	set.stalled = shortest > 0
	return shortest
}
