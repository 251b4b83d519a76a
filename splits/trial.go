package splits

import "cmp"

const (
	// trialParts is the number of requests into which one that failed is cut.
	trialParts = 16
	// trialGrowth is the factor by which the count of a trial grows with each success.
	trialGrowth = 4
	// largeEntry is the size from which an entry is reported the first time that it does not
	// arrive: the connection may have broken for any reason, and smaller ones have a second
	// attempt.
	largeEntry = 64 << 10
)

// trial is how a split is read of which a request failed.
type trial struct {
	splits   int // that a request may name
	count    int // entries to ask for
	goal     int // the count at which the trial ends
	failures int // in a row of the smallest request
	alone    int // requests that failed although they named this split alone
	// next is the size of the next entry; 0 if it is not known.
	next int64
}

// narrower is the trial after a request for count entries of each of some splits failed; t is nil
// if there was none.
func (t *trial) narrower(splits, count int) *trial {
	next := &trial{splits: max(1, splits/trialParts), count: 1, goal: count}
	if t == nil {
		t = &trial{}
	}
	if next.alone = t.alone; splits == 1 {
		next.alone++
	}
	if splits == 1 && count == 1 {
		next.failures = t.failures + 1
	}
	return next
}

// after is the trial after a request for count entries succeeded, of which some came; nil if it is
// over.
func (t *trial) after(came, count int) *trial {
	if t == nil || came < count || count >= t.goal || count < t.count {
		return nil // nothing more was there, or as much came as any request asks for
	}
	return &trial{splits: t.splits, count: min(count*trialGrowth, t.goal), goal: t.goal, alone: t.alone}
}

// before reports whether a trial goes on before another one.
func (t *trial) before(other *trial) bool {
	return cmp.Or(
		cmp.Compare(t.alone, other.alone),
		cmp.Compare(t.next, other.next),
		cmp.Compare(t.count, other.count),
	) < 0
}
