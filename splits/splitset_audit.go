package splits

import (
	"slices"
	"time"
)

// look is one split as the auditor finds it.
type splitSnapshot struct {
	split       *ownedSplit
	lease       Lease
	answers     int      // of the hold
	knownUpTo   Position // up to which the stream is known to be the one that was read
	checkedUpTo Offset   // behind it are entries that were read and whose stream has not been looked at since
	lastState   State
	decided     bool // it is known already that the stream is not what it was
	done        Position
	next        Position  // where the next fetch goes on
	ahead       int64     // entries fetched between done and next
	oldest      Offset    // first entry fetched and not acknowledged; zero if none is
	since       time.Time // when the first entry that is not acknowledged was handed out first; zero if none is
	bound       bool      // nothing newer is handed out before that entry is acknowledged
	lastRead    time.Time
	// What is known from counting, see hold.
	entriesFetched, accounted int64
	exact                     exactCount
}

func (set *splitSet) snapshots() []splitSnapshot {
	set.mu.Lock()
	defer set.mu.Unlock()
	looks := make([]splitSnapshot, 0, len(set.splits))
	for _, o := range set.splits {
		l := splitSnapshot{
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
			l.knownUpTo.EntriesRead = o.unchecked.before.EntriesRead // the count of what lies behind has yet to be judged
			l.checkedUpTo = o.unchecked.before.Offset
			l.lastState.Exists = true // or nothing could have been read
		}
		l.oldest, _ = o.oldest()
		_, l.since, _ = o.tracker.Oldest()
		l.bound = set.cfg.Unordered && o.tracker.Ahead() >= set.cfg.MaxAhead
		looks = append(looks, l)
	}
	slices.SortFunc(looks, func(a, b splitSnapshot) int { return a.lease.Split.Partition - b.lease.Split.Partition })
	return looks
}

// wentBack ends the holds of streams that are not what they were, all in one step, so that they are
// claimed and reported together. A look may be overdue: if a read has brought something since, the
// answer may be about a stream that is gone, and the reads have judged the one that came after it.
// Where they have not, reading stands still, and the next look finds the same.
func (set *splitSet) endRolledBack(looks []splitSnapshot) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, l := range looks {
		if l.split.phase == reading && l.split.answers == l.answers { // in another phase the next owner will see it
			set.markRolledBack(l.split)
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

// stallAfter is how long an acknowledgement may take before the user is told what usually causes
// it.
const stallAfter = 10 * time.Second

// checkStall reports how long every split that has entries has waited for an acknowledgement, if
// that is worth telling and has not been told; else 0. Poll calls it when it finds nothing to hand
// out.
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
		if len(o.buffer) == 0 {
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
