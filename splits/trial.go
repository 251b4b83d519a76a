package splits

import "cmp"

const (
	// trialParts is the number of requests into which a failed request is cut.
	trialParts = 16
	// trialGrowth is the factor by which the count of a trial grows with each success.
	trialGrowth = 4
	// largeEntry is the size from which an entry is reported at the first failure. Smaller entries
	// have a second attempt, since a connection can break for any reason.
	largeEntry = 64 << 10
)

// trial is how a split is read after a request failed that named it. A request whose answer did not
// arrive completely is not repeated as it was: it might fail again and again. Instead its splits
// are on trial. They are read by side requests that ask for less: fewer splits, and one entry of
// each. A failure makes the next request smaller, down to one entry of one split. A success lets
// the splits ask for more, until they reach the original count and the trial ends. So an entry that
// can't be read delays only its own split.
type trial struct {
	splits   int // that a request may name
	count    int // entries to ask for
	goal     int // the count at which the trial ends
	failures int // consecutive failures of the smallest possible request
	alone    int // failed requests that named this split only
	// next is the size of the next entry; 0 if it is not known.
	next int64
}

// narrower returns the trial after a failed request for count entries of each of some splits; t is
// nil if there was none.
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

// after returns the trial after a successful request for count entries that returned some entries;
// nil if the trial is over.
func (t *trial) after(came, count int) *trial {
	if t == nil || came < count || count >= t.goal || count < t.count {
		return nil // the split has nothing more, or returned as much as any request asks for
	}
	return &trial{splits: t.splits, count: min(count*trialGrowth, t.goal), goal: t.goal, alone: t.alone}
}

// before reports whether this trial continues before another one.
func (t *trial) before(other *trial) bool {
	return cmp.Or(
		cmp.Compare(t.alone, other.alone),
		cmp.Compare(t.next, other.next),
		cmp.Compare(t.count, other.count),
	) < 0
}
