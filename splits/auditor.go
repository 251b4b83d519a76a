package splits

import (
	"context"
	"errors"
	"slices"
	"time"
)

// ErrRolledBack is the cause with which a hold ends whose stream is not the one in which its
// position was reached: it is claimed anew, and begun where what was read ends.
var ErrRolledBack = errors.New("the stream was recreated or rolled back")

// auditor looks over the streams every now and then: for the lag of each split, and for streams
// that went back behind what was read, where a read would wait for ever.
type auditor struct {
	cfg    Config
	set    *splitSet
	health *health
}

// run works until stop ends; its calls end with calls.
func (a *auditor) run(stop, calls context.Context) {
	wait := a.cfg.SampleEvery
	for sleepOr(stop, wait, nil) == nil {
		if wait = a.cfg.SampleEvery; !a.step(calls) {
			wait = min(wait, a.cfg.Heartbeat) // the input counts as unconnected until it succeeds
		}
	}
}

func (a *auditor) step(ctx context.Context) bool {
	// Positions first: a healthy stream is never behind a position that was taken before it was
	// asked.
	looks := a.set.snapshots()
	splits := make([]Split, len(looks))
	for i, l := range looks {
		splits[i] = l.lease.Split
	}
	if len(splits) == 0 {
		a.health.ok("sampling")
		a.cfg.Observer.Sampled(nil)
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Heartbeat)
	defer cancel()
	states, err := a.cfg.Streams.State(ctx, splits)
	if err != nil {
		a.health.fail("sampling", err)
		return false
	}
	a.health.ok("sampling")
	samples := make([]Sample, 0, len(looks))
	var back []splitSnapshot
	for i, l := range looks {
		switch {
		case states[i].Err != nil:
		case !l.decided && states[i].rolledBackFrom(l.lastState, l.knownUpTo):
			if states[i].hasEntriesUpTo(l.checkedUpTo) || states[i].Last.Before(l.knownUpTo.Offset) {
				back = append(back, l)
			} // else the next read shows it: all that is there lies behind the position, or was read
		default:
			a.set.observe(l.split, states[i])
			a.set.finishCount(&l, states[i])
			samples = append(samples, a.sample(l, states[i]))
		}
	}
	a.set.endRolledBack(back)
	a.cfg.Observer.Sampled(samples)
	return true
}

func (a *auditor) sample(l splitSnapshot, s State) Sample {
	lag := l.lagOf(s)
	a.set.setLag(l.split, lag.Entries)
	if !lag.Exact {
		a.set.startCount(l, s)
	}
	sample := Sample{Split: l.lease.Split, Lag: lag.Entries, LagExact: lag.Exact, LastRead: l.lastRead}
	now := a.cfg.Now()
	if lag.Entries != 0 {
		oldest := l.oldest
		if oldest == (Offset{}) {
			oldest = s.First
		}
		sample.LagAge = max(0, now.Sub(time.UnixMilli(int64(min(oldest.Millis, 1<<62)))))
	}
	if !l.since.IsZero() {
		sample.Unacked = now.Sub(l.since)
	}
	if l.bound {
		sample.Bound = l.oldest
	}
	return sample
}

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
