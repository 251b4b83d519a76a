package splits

import (
	"slices"
	"time"
)

// ignoreHintsFor is how long hints are ignored after one was wrong: a pipeline that gives wrong
// hints usually gives more of them.
const ignoreHintsFor = time.Minute

// acknowledge resolves the entries of a batch that was processed. If the failure of its entry was
// reported and ends with it, acknowledge returns that failure. It changes nothing if the lease is
// lost: another member may own the split.
func (set *splitSet) acknowledge(b *Batch) (recovered *Failing) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o := b.owned
	if o.phase == ended {
		return nil
	}
	recovered = o.recovering(b, now)
	if lone := b.piece.lone; lone != nil && lone.stored {
		set.judge.forget(o, lone.ref.entry().Offset)
	}
	set.resolve(b)
	set.judge.processed(b.piece.lone)
	o.processed(b, now)
	o.isolation.lanes.measure(now.Sub(b.piece.handedOutAt), len(b.Entries))
	set.batchReturned(o, now)
	return recovered
}

// rejection is what follows from a batch that failed.
type rejection struct {
	counts   bool // the failure counts: it does not if the batch is void
	isolated bool // the only entry of the batch failed alone for the first time
	// certain is to be called when it is known that no other batch failed that was in flight at the
	// same time. It is nil if the batch had several entries.
	certain func()
}

// rejection returns what follows from a batch whose only entry was this one.
func (l *loneFailure) rejection(certain func()) rejection {
	return rejection{counts: true, isolated: l.attempts == 1, certain: certain}
}

// reject takes back a batch that failed. The failure does not count if the lease is lost.
func (set *splitSet) reject(b *Batch, cause error, suspects []int) rejection {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o := b.owned
	if o.phase == ended {
		return rejection{}
	}
	if set.cfg.SkipNacked {
		set.resolve(b)
		o.isolation.skip(b.piece)
		set.batchReturned(o, now)
		return rejection{counts: true}
	}
	for _, ref := range b.piece.refs {
		ref.span.own() // so that its acknowledged entries can be dropped
	}
	if now.Before(set.ignoreHintsUntil) {
		suspects = nil
	}
	set.judge.batchFailed(now)
	alone, misled := o.isolation.fail(b.piece, sorted(suspects), cause, now)
	if misled {
		set.ignoreHintsUntil = now.Add(ignoreHintsFor)
	}
	set.batchReturned(o, now)
	if alone == nil {
		return rejection{counts: true}
	}
	set.judge.failedAlone(o, alone, now)
	return alone.rejection(func() { set.judge.confirm(o, alone, cause) })
}

func sorted(indexes []int) []int { return slices.Compact(slices.Sorted(slices.Values(indexes))) }

// resolve marks all entries of a batch as resolved.
func (set *splitSet) resolve(b *Batch) {
	for _, ref := range b.piece.refs {
		b.owned.resolve(ref)
	}
}

// batchReturned continues with a split after one of its batches was acknowledged or rejected. The
// lock is held.
func (set *splitSet) batchReturned(o *ownedSplit, now time.Time) {
	o.cameBack(now)
	set.suspectReturned(o)
	if o.phase == draining {
		set.changed.raise()
		return
	}
	set.enqueue(o)
	set.endIfRolledBack(o)
}

// failing returns what to report after a batch failed; nil if nothing is due.
func (set *splitSet) failing(b *Batch, cause error) *Failing {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	f := b.owned.lastingFailure(b, cause, set.judge.reportAfter(), now)
	if f != nil {
		f.Waits = set.cfg.Ordering == ByPartition
	}
	return f
}
