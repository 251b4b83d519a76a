package splits

import "time"

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
	alone := set.judge.fail(o, b.piece, suspects, cause, now)
	set.batchReturned(o, now)
	return set.judge.rejected(o, alone, cause, now)
}

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
