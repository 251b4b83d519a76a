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
	if l := b.piece.lone; l != nil && !o.reportedAt.IsZero() {
		f := o.failing(l, now)
		recovered = &f
	}
	set.resolve(b)
	o.isolation.accept(b.piece, now)
	o.lanes.measure(now.Sub(b.piece.handedOutAt), len(b.Entries))
	if o.isolation.failingSince.IsZero() {
		o.reportedAt = time.Time{}
	}
	set.batchReturned(o, now)
	return recovered
}

// reject takes back a batch that failed, and reports whether the failure counts: it does not if the
// lease is lost. If the batch had one entry, certain is to be called when it is known that no other
// batch failed that was in flight at the same time.
func (set *splitSet) reject(b *Batch, cause error, suspects []int) (certain func(), counts bool) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o := b.owned
	if o.phase == ended {
		return nil, false
	}
	if set.cfg.SkipNacked {
		set.resolve(b)
		o.isolation.skip(b.piece)
		set.batchReturned(o, now)
		return nil, true
	}
	for _, ref := range b.piece.refs {
		ref.span.own() // so that its acknowledged entries can be dropped
	}
	if now.Before(set.ignoreHintsUntil) {
		suspects = nil
	}
	alone, misled := o.isolation.fail(b.piece, sorted(suspects), cause, now)
	if misled {
		set.ignoreHintsUntil = now.Add(ignoreHintsFor)
	}
	set.batchReturned(o, now)
	if alone == nil {
		return nil, true
	}
	return func() { set.confirmFailure(alone) }, true
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
	o.inflight--
	o.oldestSince = now
	if o.phase == draining {
		set.changed.raise()
		return
	}
	set.enqueue(o)
	set.endIfRolledBack(o)
}

// confirmFailure counts a failure whose cause must be the entry.
func (set *splitSet) confirmFailure(l *loneFailure) {
	set.mu.Lock()
	defer set.mu.Unlock()
	l.confirmed++
}

// Failing is an entry that keeps failing.
type Failing struct {
	Split  Split
	Offset Offset
	// Key is its order key, if it has one.
	Key string
	// Among is 1 if the entry fails alone. Otherwise it is the number of entries that failed
	// together last, and the entry is the first of them.
	Among int
	// Attempts is how often it failed alone. Certain is how often it failed alone while no other
	// batch of the process failed that was in flight at the same time.
	Attempts, Certain int
	// Others is how many more entries of the split failed alone.
	Others int
	// For is the time since the first failure of a batch with the entry.
	For time.Duration
	// Waits is true if nothing newer of the split is handed out meanwhile.
	Waits bool
	// Cause is the last error.
	Cause error
}

const (
	// reportFailingAfter is how long entries must fail before the failure is reported.
	reportFailingAfter = 5 * time.Second
	// reportFailingEvery is how often it is reported again.
	reportFailingEvery = time.Minute
)

// failing returns what to report after a batch failed; nil if nothing is due.
func (set *splitSet) failing(b *Batch, cause error) *Failing {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o := b.owned
	switch {
	case o.isolation.empty() || now.Sub(o.isolation.failingSince) < reportFailingAfter:
		return nil
	case !o.reportedAt.IsZero() && now.Sub(o.reportedAt) < reportFailingEvery:
		return nil
	}
	o.reportedAt = now
	var f Failing
	if l := o.isolation.first(); l != nil {
		f = o.failing(l, now)
	} else {
		first := b.Entries[0]
		f = Failing{
			Split:  b.Split,
			Offset: first.Offset,
			Among:  len(b.Entries),
			For:    now.Sub(o.isolation.failingSince),
			Cause:  cause,
		}
	}
	f.Waits = set.cfg.Ordering == ByPartition
	return &f
}

// failing describes an entry that failed alone.
func (o *ownedSplit) failing(l *loneFailure, now time.Time) Failing {
	f := Failing{
		Split:    o.lease.Split,
		Offset:   l.ref.entry().Offset,
		Key:      l.key,
		Among:    1,
		Attempts: l.attempts,
		Certain:  l.confirmed,
		Others:   len(o.isolation.loneFailures) - 1,
		For:      now.Sub(o.isolation.failingSince),
		Cause:    l.cause,
	}
	return f
}
