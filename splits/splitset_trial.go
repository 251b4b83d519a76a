package splits

// putOnTrial puts the splits of a request that failed on trial; it had asked for count entries of
// each split. It returns whether they were on trial before, and how often in a row the smallest
// possible request has failed for them now. next describes the next entries of the first of the
// splits.
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

// putLargeOnTrial puts splits on trial whose next entry is larger than an answer should be, unless
// all are. It returns the other splits. next describes the next entries of the first of the splits.
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

// endTrials ends all trials of a fetch group: the failures turned out to be an outage.
func (set *splitSet) endTrials(group string) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for s, o := range set.splits {
		if o.trial != nil && set.cfg.FetchGroup(s) == group {
			o.trial = nil
		}
	}
}

// planTrial selects splits of a fetch group for the next request of a trial, and returns that
// trial. Splits that failed alone come last, and before them the splits with large entries: such a
// request may use its whole time limit, and then delays no other.
func (set *splitSet) planTrial(group string) (items []fetchItem, like trial) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	due := func(s Split, o *ownedSplit) bool {
		return o.trial != nil && set.cfg.FetchGroup(s) == group &&
			o.canFetch() && !o.pausedUntil.After(now) && set.hasRoom(o)
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
		same := due(s, o) && o.trial.splits == like.splits && o.trial.count == like.count
		if same && len(plan.items) < like.splits {
			plan.add(o)
		}
	}
	return plan.items, like
}
