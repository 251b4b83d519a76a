package splits

import "time"

// A read that did not arrive completely is not sent again as it was: it might fail again and again. Its splits are on trial. They are read
// beside the others, in requests that ask for less: fewer splits, and one entry of each. One request that fails makes the next one smaller,
// down to one entry of one split; each that succeeds lets its splits ask for more, until they are where they were and the trial ends. So an
// entry that can't be read delays its own split alone.

const (
	// trialParts is the number of requests into which one that failed is cut.
	trialParts = 16
	// trialGrowth is the factor by which the count of a trial grows with each success.
	trialGrowth = 4
	// largeEntry is the size from which an entry is reported the first time that it does not arrive: the connection may have broken for
	// any reason, and smaller ones have a second attempt.
	largeEntry = 64 << 10
)

// trial is how a split is read of which a request failed.
type trial struct {
	splits   int // that a request may name
	count    int // entries to ask for
	goal     int // the count at which the trial ends
	failures int // in a row of the smallest request
}

// narrower is the trial after a request for count entries of each of some splits failed; t is nil if there was none.
func (t *trial) narrower(splits, count int) *trial {
	next := &trial{splits: max(1, splits/trialParts), count: 1, goal: count}
	if splits == 1 && count == 1 {
		next.failures = 1
		if t != nil {
			next.failures += t.failures
		}
	}
	return next
}

// after is the trial after a request for count entries succeeded, of which some came; nil if it is over.
func (t *trial) after(came, count int) *trial {
	if t == nil || came < count || count >= t.goal || count < t.count {
		return nil // nothing more was there, or as much came as any request asks for
	}
	return &trial{splits: t.splits, count: min(count*trialGrowth, t.goal), goal: t.goal}
}

// setBack puts the splits of a request for count entries of each on trial, since it failed. It returns whether they were on trial before,
// and how often in a row the smallest request of all has failed for them now.
func (r *Reader) setBack(items []intake, count int) (onTrial bool, failures int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.cfg.Now()
	for _, it := range items {
		h := it.hold
		h.fetching = false
		onTrial = onTrial || h.trial != nil
		h.trial = h.trial.narrower(len(items), count)
		if failures = h.trial.failures; failures > 0 {
			h.pause(now, r.cfg.Backoff)
		}
	}
	return onTrial, failures
}

// endTrials ends all trials of a shard: the failures turned out to be an outage.
func (r *Reader) endTrials(shard string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s, h := range r.holds {
		if h.trial != nil && r.cfg.Shard(s) == shard {
			h.trial = nil
		}
	}
}

// onTrial selects splits of a shard for the next request of a trial, and returns that trial. Those that failed alone come last: their next
// attempt may take as long as the last.
func (r *Reader) onTrial(shard string) (items []intake, like trial) {
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	due := func(s Split, h *hold) bool {
		return h.trial != nil && r.cfg.Shard(s) == shard && h.mayFetch() && !h.paused.After(now) && r.hasRoom(h)
	}
	var first *hold
	for s, h := range r.holds {
		if due(s, h) && (first == nil || h.trial.failures < first.trial.failures) {
			first = h
		}
	}
	if first == nil {
		return nil, trial{}
	}
	like = *first.trial
	var sel selection
	sel.add(first)
	for s, h := range r.holds {
		if len(sel.items) < like.splits && due(s, h) && h.trial.splits == like.splits && h.trial.count == like.count {
			sel.add(h)
		}
	}
	return sel.items, like
}

// pause keeps the split from being fetched for a while, which grows until it can be read again.
func (h *hold) pause(now time.Time, backoff func() Backoff) {
	if h.retry == nil {
		h.retry = backoff()
	}
	h.paused = now.Add(h.retry.NextBackOff())
}
