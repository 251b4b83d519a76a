package splits

import "time"

// errand is what is to be done for one lease: a position to store, or, without one, a renewal.
type commitTask struct {
	split    *ownedSplit
	lease    Lease
	position *Position
	// accounted goes with at, see Commit.
	accounted int64
}

// due collects what is to be stored and renewed, save for leases with a call under way, and drops
// leases that have run out.
func (set *splitSet) dueTasks() (all []commitTask) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, o := range set.splits {
		done := o.tracker.Done()
		accounted := o.updateAccounted(done)
		switch {
		case !o.lease.Trusted(now):
			set.lose(o, ErrExpired)
		case o.callInFlight:
		case (done.worthStoringOver(o.stored) || accounted > o.storedAccounted) && now.Sub(o.committedAt) >= set.cfg.CommitEvery:
			all = append(all, commitTask{o, o.lease, &done, accounted})
		case o.lease.TrustedUntil.Sub(now) <= set.cfg.TTL-set.cfg.TTL/leaseMargin-set.cfg.TTL/renewals:
			all = append(all, commitTask{o, o.lease, nil, 0})
		}
	}
	return all
}

// begin marks leases for which a call is now made.
func (set *splitSet) beginTasks(all []commitTask) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, task := range all {
		task.split.callInFlight = true
		if task.position != nil {
			task.split.committedAt = now
		}
	}
}

// finish takes the marks of begin back.
func (set *splitSet) finishTasks(all []commitTask) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, task := range all {
		task.split.callInFlight = false
	}
}

// renewed notes that the store extended a lease, and stored a position with it.
func (set *splitSet) renewed(lease Lease, stored *Commit, until time.Time) {
	set.mu.Lock()
	defer set.mu.Unlock()
	o := set.splits[lease.Split]
	if o == nil || o.lease.Epoch != lease.Epoch {
		return
	}
	if until.After(o.lease.TrustedUntil) {
		o.lease.TrustedUntil = until
	}
	if stored == nil {
		return
	}
	if stored.Position.worthStoringOver(o.stored) {
		o.stored = stored.Position
	}
	o.storedAccounted = stored.Accounted
}

// fenced ends the hold of a lease that is not ours any more.
func (set *splitSet) fenced(lease Lease, cause error) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if o := set.splits[lease.Split]; o != nil && o.lease.Epoch == lease.Epoch {
		set.lose(o, cause)
	}
}
