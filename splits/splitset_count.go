package splits

// startCount starts a count for a split whose lag is not known exactly, unless a count is running
// or the last one ended recently.
func (set *splitSet) startCount(snap splitSnapshot, s State) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o := snap.split
	switch {
	case o.phase != reading || o.rolledBack || o.stopped != nil: // it is not read on
		return
	case o.count != nil || now.Before(o.countAfter) || s.EntriesAdded < 0:
		return
	}
	o.count = newCountJob(snap, s)
	set.countWanted.raise()
}

// finishCount takes over a complete count, now that a state of the stream after it is known.
func (set *splitSet) finishCount(snap *splitSnapshot, s State) {
	set.mu.Lock()
	defer set.mu.Unlock()
	o := snap.split
	job := o.count
	if job == nil || !job.done || o.phase != reading {
		return
	}
	o.count, o.countAfter = nil, set.cfg.Now().Add(countAgainSoon)
	if read, ok := job.result(s); ok && o.next.EntriesRead < 0 {
		o.learnCount(read + o.entriesFetched - job.entriesFetched)
	}
	if !job.setsCount && s.EntriesAdded >= job.start.EntriesAdded {
		o.accounted = max(o.accounted, job.start.EntriesAdded-job.counted)
		o.exact = exactCount{at: job.from, removed: s.removed(), valid: s.removed() == job.start.removed()}
	}
	if done := o.tracker.Done(); done.Offset == snap.done.Offset {
		snap.done = done
	}
	snap.accounted, snap.exact = o.accounted, o.exact
}

// countSlice is one slice to be counted.
type countSlice struct {
	split *ownedSplit
	job   *countJob
	req   CountRequest
}

// on returns the split of the slice.
func (s countSlice) on() Split { return s.req.Split }

// nextSlices returns the next slice of each split whose count is running.
func (set *splitSet) nextSlices() (all []countSlice) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for s, o := range set.splits {
		if job := o.count; job != nil && !job.done {
			all = append(all, countSlice{o, job, job.request(s)})
		}
	}
	return all
}

// addSlice adds the result for a slice, and sets the size of the next one.
func (set *splitSet) addSlice(s countSlice, c Counted, err error) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o, job := s.split, s.job
	switch {
	case o.count != job:
	case err != nil || !job.add(c):
		o.count, o.countAfter = nil, now.Add(countAgainSoon)
	case job.counted > maxCounted:
		o.count, o.countAfter = nil, now.Add(countAgainLate)
	default:
		job.slice = nextSlice(job.slice, c)
	}
}
