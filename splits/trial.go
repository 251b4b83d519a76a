package splits

import (
	"cmp"
	"time"
)

// A read that did not arrive completely is not sent again as it was: it might fail again and again.
// Its splits are on trial. They are read beside the others, in requests that ask for less: fewer
// splits, and one entry of each. One request that fails makes the next one smaller, down to one
// entry of one split; each that succeeds lets its splits ask for more, until they are where they
// were and the trial ends. So an entry that can't be read delays its own split alone.

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

// setBack puts the splits of a request for count entries of each on trial, since it failed. It
// returns whether they were on trial before, and how often in a row the smallest request of all has
// failed for them now. next describes the next entries of the first of them.
func (set *splitSet) putOnTrial(items []fetchItem, next []Peeked, count int) (onTrial bool, failures int) {
	set.mu.Lock()
	defer set.mu.Unlock()
	now := set.cfg.Now()
	for i, item := range items {
		o := item.split
		o.fetching = false
		onTrial = onTrial || o.trial != nil
		o.trial = o.trial.narrower(len(items), count)
		if i < len(next) {
			o.trial.next = next[i].Size
		}
		if failures = o.trial.failures; failures > 0 {
			o.pause(now, set.cfg.Backoff)
		}
	}
	return onTrial, failures
}

// setLargeAside puts splits on trial whose next entry is larger than an answer should be, unless
// that is so for all. It returns the others. next describes the next entries of the first of them.
func (set *splitSet) putLargeOnTrial(items []fetchItem, next []Peeked) (others []fetchItem) {
	large := func(i int) bool { return i < len(next) && next[i].Size > targetReplyBytes }
	for i := range items {
		if !large(i) {
			others = append(others, items[i])
		}
	}
	if len(others) == 0 || len(others) == len(items) {
		return items
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	for i, item := range items {
		if large(i) {
			item.split.fetching = false
			item.split.trial = &trial{splits: 1, count: 1, goal: 1, next: next[i].Size}
		}
	}
	return others
}

// endTrials ends all trials of a shard: the failures turned out to be an outage.
func (set *splitSet) endTrials(shard string) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for s, o := range set.splits {
		if o.trial != nil && set.cfg.FetchGroup(s) == shard {
			o.trial = nil
		}
	}
}

// onTrial selects splits of a shard for the next request of a trial, and returns that trial. Those
// that failed alone come last, and before them those with large entries: they may take all the time
// that a request has, and then delay no others.
func (set *splitSet) planTrial(shard string) (items []fetchItem, like trial) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	due := func(s Split, o *ownedSplit) bool {
		return o.trial != nil && set.cfg.FetchGroup(s) == shard && o.canFetch() && !o.pausedUntil.After(now) && set.hasRoom(o)
	}
	var first *ownedSplit
	for s, o := range set.splits {
		if due(s, o) && (first == nil || o.trial.before(first.trial)) {
			first = o
		}
	}
	if first == nil {
		return nil, trial{}
	}
	like = *first.trial
	var plan fetchPlan
	plan.add(first)
	for s, o := range set.splits {
		if len(plan.items) < like.splits && due(s, o) && o.trial.splits == like.splits && o.trial.count == like.count {
			plan.add(o)
		}
	}
	return plan.items, like
}

// pause keeps the split from being fetched for a while, which grows until it can be read again.
func (o *ownedSplit) pause(now time.Time, backoff func() Backoff) {
	if o.readBackoff == nil {
		o.readBackoff = backoff()
	}
	o.pausedUntil = now.Add(o.readBackoff.NextBackOff())
}
