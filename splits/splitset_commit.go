package splits

import (
	"slices"
	"time"
)

// commitTask is a request for one lease: to store a position, or to renew if position is nil.
type commitTask struct {
	split    *ownedSplit
	lease    Lease
	position *Position
	// accounted and finished go with position, see Commit.
	accounted int64
	finished  []Range
	suspect   Suspect
	// settlement, if set, is sent instead of a commit or a renewal.
	settlement *Settlement
}

// on returns the split of the task.
func (task commitTask) on() Split { return task.lease.Split }

// dueTasks returns the commits and renewals that are due, except for leases with a call in flight,
// and ends splits whose lease has run out.
func (set *splitSet) dueTasks() (all []commitTask) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, o := range set.splits {
		done := o.tracker.Done()
		accounted := o.updateAccounted(done)
		suspectDue := set.watchSuspect(o, now)
		due := suspectDue || now.Sub(o.committedAt) >= set.cfg.CommitEvery
		var finished []Range
		if due {
			o.tracker.thin()
			finished = o.tracker.Finished()
		}
		progress := done.worthStoringOver(o.stored) || accounted > o.storedAccounted ||
			!slices.Equal(finished, o.storedRanges) || suspectDue
		switch {
		case !o.lease.Trusted(now):
			set.lose(o, ErrExpired)
		case o.callInFlight:
		case due && progress:
			all = append(
				all,
				commitTask{
					split: o, lease: o.lease, position: &done, accounted: accounted, finished: finished,
					suspect: o.poison.send(),
				},
			)
		case o.lease.TrustedUntil.Sub(now) <= set.cfg.TTL-set.cfg.TTL/leaseMargin-set.cfg.TTL/renewals:
			all = append(all, commitTask{split: o, lease: o.lease})
		}
		if s, due := o.adoption.settlement(o.lease, now, set.cfg); due && o.phase != ended && !o.callInFlight {
			all = append(all, commitTask{split: o, lease: o.lease, settlement: &s})
		}
	}
	return all
}

// beginTasks marks the leases for which a call is made now.
func (set *splitSet) beginTasks(all []commitTask) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, task := range all {
		task.split.callInFlight = true
		if task.position != nil {
			task.split.committedAt = now
		}
		if task.settlement != nil {
			task.split.adoption.settledAt = now
		}
	}
}

// finishTasks removes the marks of beginTasks.
func (set *splitSet) finishTasks(all []commitTask) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, task := range all {
		task.split.callInFlight = false
	}
}

// renewed notes that the store extended a lease, and stored a position with it if stored is not
// nil.
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
	if len(o.buried)+len(o.failed) > 0 {
		set.forgetBuried(o)
	}
	set.suspectStored(o, stored.Suspect)
	o.storedAccounted, o.storedRanges = stored.Accounted, stored.Finished
	if stored.Accounted > o.accounted { // the stream was replaced during the commit
		o.storedAccounted = CountUnknown
	}
}

// fenced ends an owned split whose lease this member has lost.
func (set *splitSet) fenced(lease Lease, cause error) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if o := set.splits[lease.Split]; o != nil && o.lease.Epoch == lease.Epoch {
		set.lose(o, cause)
	}
}
