package splits

import (
	"slices"
	"time"
)

// distrustHints is for how long hints are not trusted after one was wrong: pipelines that give
// wrong hints go on doing so.
const ignoreHintsFor = time.Minute

// acknowledge takes in that a batch was processed. It returns the failure that this ends, if one
// was reported.
func (set *splitSet) acknowledge(b *Batch) (recovered *Failing) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o := b.hold
	if o.phase == ended {
		return nil
	}
	if l := b.piece.lone; l != nil && !o.reportedAt.IsZero() {
		f := o.failing(l, now)
		recovered = &f
	}
	set.resolve(b)
	o.isolation.accept(b.piece, now)
	if o.isolation.failingSince.IsZero() {
		o.reportedAt = time.Time{}
	}
	set.batchReturned(o, now)
	return recovered
}

// reject takes in that a batch failed, and reports whether that counts. If the batch had one entry,
// certain is to be called once it is known that no other batch failed that was in flight meanwhile.
func (set *splitSet) reject(b *Batch, cause error, suspects []int) (certain func(), counts bool) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o := b.hold
	if o.phase == ended {
		return nil, false
	}
	if set.cfg.SkipNacked {
		set.resolve(b)
		set.batchReturned(o, now)
		return nil, true
	}
	for _, ref := range b.piece.refs {
		ref.span.own() // acknowledged entries of it are to be dropped
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

// resolve marks all entries of a batch as done with.
func (set *splitSet) resolve(b *Batch) {
	for _, ref := range b.piece.refs {
		b.hold.tracker.Resolve(ref.span, ref.index)
	}
}

// landed goes on with a split after a batch of it came back.
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

// certain counts a failure that is the entry's own.
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
	// Among is 1 if the entry fails alone. Otherwise the entry is the first of so many that failed
	// together last.
	Among int
	// Attempts is how often it failed alone; Certain is in how many of these cases no other batch
	// of the process failed that was in flight meanwhile.
	Attempts, Certain int
	// Others is how many more entries of the split failed alone.
	Others int
	// For is the time since a batch with the entry failed first.
	For time.Duration
	// Waits says that nothing newer of the split is handed out meanwhile.
	Waits bool
	// Cause is why it failed last.
	Cause error
}

const (
	// reportFailingAfter is how long entries fail before it is reported.
	reportFailingAfter = 5 * time.Second
	// reportFailingEvery is how often it is reported again.
	reportFailingEvery = time.Minute
)

// failing returns what is to be reported after a batch failed; nil if nothing is now.
func (set *splitSet) failing(b *Batch, cause error) *Failing {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o := b.hold
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
	f.Waits = o.isolation.key != nil
	return &f
}

// failing describes an entry that failed alone.
func (o *ownedSplit) failing(l *loneFailure, now time.Time) Failing {
	f := Failing{
		Split: o.lease.Split, Offset: l.ref.entry().Offset, Among: 1, Attempts: l.attempts, Certain: l.confirmed,
		Others: len(o.isolation.loneFailures) - 1, For: now.Sub(o.isolation.failingSince), Cause: l.cause,
	}
	if o.isolation.key != nil {
		f.Key = o.isolation.key(l.ref.entry())
	}
	return f
}
