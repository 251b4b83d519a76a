package splits

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
