package splits

import (
	"slices"
	"time"
)

// verdicts decides which entries that keep failing are given up, among the entries of a member. An
// outage of what processes the entries looks like entries that fail. So an entry is given up only if
// other entries are processed, or if there are none and it has failed for long. The lock of the set
// guards it.
type verdicts struct {
	cfg       DeadLetters
	successes int  // number of batches that were processed
	given     int  // entries given up since the last one, or about to be
	suspended bool // an entry would have been given up, but for the entries given up before
}

// succeeded notes that a batch was processed, and reports whether verdicts were suspended.
func (v *verdicts) succeeded() (resumed bool) {
	resumed = v.suspended
	v.given, v.suspended = 0, false
	v.successes++
	return resumed
}

// verdict is what is decided about an entry.
type verdict int

const (
	tryAgain verdict = iota
	probe            // try another entry first: there is no evidence that any entry can be processed
	giveUp
)

// of decides about an entry that has just failed and was the cause of it. others reports whether the
// member knows other entries that are not processed and don't wait for this one.
func (v *verdicts) of(l *loneFailure, others func() bool, now time.Time) verdict {
	matches := v.cfg.Match != nil && v.cfg.Match(l.cause)
	switch {
	case v.cfg.Letters == nil, !matches && l.confirmed < v.cfg.MaxDeliveries:
		return tryAgain
	case v.given >= inARow:
		v.suspended = true
		return probe
	case !matches && v.successes == l.successes && (now.Sub(l.since) < v.cfg.MinAge || others()):
		return probe
	}
	v.given++
	return giveUp
}

// wait returns the wait before the delivery after n failures of which the entry must have been the
// cause, at least wait: it is the longest before the last delivery.
func (v *verdicts) wait(n int, wait time.Duration) time.Duration {
	if v.cfg.Letters == nil {
		return wait
	}
	halvings := max(0, v.cfg.MaxDeliveries-1-n)
	if halvings > 20 {
		return wait
	}
	return max(wait, v.cfg.MaxBackoff>>halvings)
}

// condemned is an entry of which the letter is to be written.
type condemned struct {
	split  *ownedSplit
	lone   *loneFailure
	letter Letter
}

// confirmFailure counts a failure whose cause must be the entry, and decides about the entry.
func (set *splitSet) confirmFailure(o *ownedSplit, l *loneFailure) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	if o.phase == ended || !slices.Contains(o.isolation.loneFailures, l) {
		return
	}
	if l.confirmed++; l.confirmed == 1 {
		l.since, l.successes = now, set.verdicts.successes
	}
	set.note(o, l)
	if l.out { // it was handed out again before the failure was certain
		return
	}
	l.due = maxTime(l.due, now.Add(set.verdicts.wait(l.confirmed, 0)))
	switch set.verdicts.of(l, func() bool { return set.hasOthers(o, l) }, now) {
	case giveUp:
		l.out = true
		set.condemned = append(set.condemned, condemned{o, l, Letter{
			Split: o.lease.Split, Entry: l.ref.entry(), Key: l.key, Deliveries: l.deliveries,
			Age: now.Sub(l.since), Cause: l.cause,
		}})
	case probe:
		l.wantsProbe = true
		set.enqueue(o)
	}
	set.verdictWanted.raise()
}

func maxTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// hasOthers reports whether entries are known that are not processed and don't wait for an entry
// that fails. The lock is held.
func (set *splitSet) hasOthers(o *ownedSplit, l *loneFailure) bool {
	for _, other := range set.splits {
		if other != o && (other.inflight > 0 || other.hasNew() || !other.isolation.empty()) {
			return true
		}
	}
	i := &o.isolation
	return o.inflight > 0 || len(i.pieces) > 0 || len(i.loneFailures) > 1 ||
		o.hasNew() && l.scanned < set.cfg.BatchSize
}

// maxFailedProbes bounds the entries of a split that fail alone and were handed out before their
// turn.
const maxFailedProbes = 10

// wantsProbe returns an entry that fails, if another entry is to be handed out before the next
// verdict about it. While a probe fails, no other probe is handed out until enough deliveries of it
// have failed: it could be another bad entry.
func (i *isolation) wantsProbe(enough int) (wanting *loneFailure) {
	if len(i.pieces) > 0 || len(i.loneFailures) > maxFailedProbes {
		return nil
	}
	for _, l := range i.loneFailures {
		if l.probe && l.confirmed < enough {
			return nil
		}
		if l.wantsProbe && wanting == nil {
			wanting = l
		}
	}
	return wanting
}

// handOutProbe fills the batch with one entry that does not wait for an entry that fails, if one is
// wanted and known. Entries that wait for such an entry are held back.
func (set *splitSet) handOutProbe(o *ownedSplit, b *Batch, now time.Time) bool {
	i := &o.isolation
	l := i.wantsProbe(set.cfg.DeadLetters.MaxDeliveries)
	if l == nil {
		return false
	}
	for o.hasNew() && !o.nextFailed() && l.scanned < set.cfg.BatchSize {
		l.scanned++
		entries, refs := set.takeSpan(o, 1, now).unresolved()
		if len(refs) == 0 || i.holdBack(refs[0], 0) {
			continue
		}
		l.wantsProbe = false
		b.Entries, b.piece = entries, piece{refs: refs, isolated: true, probeOf: l}
		i.piecesOut++
		return true
	}
	return false
}

// takeCondemned returns the entries of which the letters are to be written.
func (set *splitSet) takeCondemned() []condemned {
	set.mu.Lock()
	defer set.mu.Unlock()
	all := set.condemned
	set.condemned = nil
	return all
}

// pardon hands out an entry again, since its letter could not be written.
func (set *splitSet) pardon(c condemned) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	set.verdicts.given = max(0, set.verdicts.given-1)
	c.lone.out, c.lone.due = false, now.Add(set.verdicts.cfg.MaxBackoff)
	if c.split.phase == reading {
		set.enqueue(c.split)
	}
}

// holds reports whether the lease of an entry is still held.
func (set *splitSet) holds(c condemned) bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	return c.split.phase != ended
}

// bury resolves an entry whose letter is written and noted, and reports whether its lease was still
// held.
func (set *splitSet) bury(c condemned) bool {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o, i := c.split, &c.split.isolation
	if o.phase == ended {
		return false
	}
	o.resolve(c.lone.ref)
	i.remove(c.lone)
	o.buried = append(o.buried, c.letter.Entry.Offset)
	if i.empty() && i.piecesOut == 0 {
		i.failingSince, o.reportedAt = time.Time{}, time.Time{}
	}
	if o.phase == reading {
		set.enqueue(o)
		set.endIfRolledBack(o)
	}
	o.oldestSince = now
	return true
}

// isSuspended reports whether no entry is given up although entries fail that would be.
func (set *splitSet) isSuspended() bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	if !set.verdicts.suspended {
		return false
	}
	for _, o := range set.splits {
		if len(o.isolation.loneFailures) > 0 {
			return true
		}
	}
	return false
}
