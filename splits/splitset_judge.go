package splits

import (
	"context"
	"iter"
	"maps"
	"time"
)

// What the judge of a member of a consumer group needs of the set, see judgedSet and judged.

func (o *ownedSplit) fence() (Split, uint64) { return o.lease.Split, o.lease.Epoch }

func (o *ownedSplit) over() bool { return o.phase == ended }

func (o *ownedSplit) has(*loneFailure) bool { return o.phase != ended }

func (o *ownedSplit) flightToStore(time.Time) *ShareSuspects { return nil }

func (set *splitSet) each() iter.Seq[*ownedSplit] { return maps.Values(set.splits) }

func (set *splitSet) handOutAgain(o *ownedSplit) { set.enqueue(o) }

func (set *splitSet) tryAnother(o *ownedSplit) { set.enqueue(o) }

func (set *splitSet) refused(s Split, under uint64, cause error) {
	set.fenced(Lease{Split: s, Epoch: under}, causeOf(cause))
}

// storeNotes makes one call of the store, for the noter.
func (set *splitSet) storeNotes(ctx context.Context, tasks []noteTask[*ownedSplit]) []error {
	notes := make([]Note, len(tasks))
	for i, t := range tasks {
		notes[i] = Note{Lease: set.leaseOf(t), Failing: t.failing, Resolved: t.resolved}
	}
	return set.cfg.Leases.Note(ctx, notes)
}

// storeAlive makes one call of the store, for the noter.
func (set *splitSet) storeAlive(ctx context.Context, tasks []noteTask[*ownedSplit]) []error {
	leases := make([]Lease, len(tasks))
	for i, t := range tasks {
		leases[i] = set.leaseOf(t)
	}
	return set.cfg.Leases.Survive(ctx, leases)
}

// leaseOf returns the lease that a request of the noter concerns.
func (set *splitSet) leaseOf(t noteTask[*ownedSplit]) Lease {
	return Lease{Split: t.split, Member: set.cfg.Owner, Epoch: t.under}
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
	return o.inflight > 0 || len(i.pieces) > 0 || len(i.loneFailures) > 1 || !i.lanes.empty() ||
		o.hasNew() && l.scanned < maxScanned
}

// maxScanned is how many entries of a split are looked at to find one that does not wait for an
// entry that fails.
const maxScanned = 1000

// handOutProbe fills the batch with one entry that does not wait for an entry that fails, if one is
// wanted and known. Entries that wait for such an entry are held back. It is only used under
// ByPartition: otherwise other entries are handed out anyway.
func (set *splitSet) handOutProbe(o *ownedSplit, b *Batch, now time.Time) bool {
	i := &o.isolation
	l := i.wantsProbe(set.cfg.DeadLetters.MaxDeliveries)
	if l == nil {
		return false
	}
	for o.hasNew() && l.scanned < maxScanned {
		l.scanned++
		if set.restoreFailed(o, now) { // they are tried alone, too
			continue
		}
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

// maxFailedProbes bounds the entries that fail and were handed out before their turn.
const maxFailedProbes = 10

// wantsProbe returns an entry that fails, if another entry is to be handed out before the next
// verdict about it. While a probe fails, no other probe is handed out until enough deliveries of it
// have failed: it could be another bad entry.
func (i *isolation) wantsProbe(enough int) *loneFailure {
	if wanting, failed := i.probes(enough); failed >= 0 && failed <= maxFailedProbes {
		return wanting
	}
	return nil
}

// probes returns an entry that wants a probe, and how many probes failed. failed is negative if no
// probe is to be handed out now.
func (i *isolation) probes(enough int) (wanting *loneFailure, failed int) {
	if len(i.pieces) > 0 {
		return nil, -1
	}
	for _, l := range i.loneFailures {
		if l.probe && l.confirmed < enough {
			return nil, -1
		}
		failed += count(l.probe)
		if l.wantsProbe && wanting == nil {
			wanting = l
		}
	}
	return wanting, failed
}

// bury resolves an entry whose letter is written and noted, unless the lease is lost.
func (set *splitSet) bury(c condemned[*ownedSplit]) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o, i := c.split, &c.split.isolation
	if !set.judge.holds(o, c.lone) {
		return
	}
	o.resolve(c.lone.ref)
	i.remove(c.lone)
	o.buried = append(o.buried, c.letter.Entry.Offset)
	o.calmDown()
	set.judge.failingSince = time.Time{}
	o.oldestSince = now
	if o.phase == reading {
		set.enqueue(o)
		set.endIfRolledBack(o)
	}
}
