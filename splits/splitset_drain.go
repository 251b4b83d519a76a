package splits

import (
	"slices"
	"time"
)

// drainedSplit is a split that was given up, with its last position.
type drainedSplit struct {
	lease  Lease
	done   Position
	stored bool // the store has the position
	// accounted and finished go with done, see Commit.
	accounted int64
	finished  []Range
	suspect   Suspect
	unread    bool // nothing was read under the lease, and it was reported as lost already
	// settlement is what is to be acknowledged in the foreign group, and adopting its name; empty if
	// the split is not being adopted.
	settlement Settlement
	adopting   string
}

func (d drainedSplit) split() Split { return d.lease.Split }

// reconcile makes the set follow the assignment: splits that are not in it begin to drain, until
// drainBy at the latest, and draining splits that are in it again are read on. It returns the
// splits of the assignment that are not owned.
func (set *splitSet) reconcile(assigned []Split, drainBy time.Time) (missing []Split) {
	isAssigned := make(map[Split]bool, len(assigned))
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, s := range assigned {
		isAssigned[s] = true
		if set.splits[s] == nil {
			missing = append(missing, s)
		}
	}
	for s, o := range set.splits {
		switch {
		case !isAssigned[s] && o.phase == reading:
			o.phase, o.drainBy = draining, drainBy
			set.dropBuffer(o)
			set.wakeAllFetchers()
		case isAssigned[s] && o.phase == draining:
			set.stopDraining(o)
		}
	}
	return missing
}

// stopDraining reads on a split whose buffer was dropped when it began to drain: fetching starts
// behind what was handed out. The lock is held.
func (set *splitSet) stopDraining(o *ownedSplit) {
	o.phase = reading
	o.next = o.tracker.End()
	o.unchecked = nil
	set.delay(o)
	set.wakeFetcher(o.lease.Split)
	set.enqueue(o)
}

// takeDrained ends the splits that have drained, or all splits, and returns their last positions.
// next is the time until the next split must have drained.
func (set *splitSet) takeDrained(all bool) (drained []drainedSplit, next time.Duration) {
	now := set.cfg.Now()
	next = idleClaimer
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, o := range set.splits {
		if !all && o.phase != draining {
			continue
		}
		if !all && o.inflight > 0 && o.drainBy.After(now) {
			next = min(next, o.drainBy.Sub(now))
			continue
		}
		done, finished := o.tracker.Done(), o.tracker.Finished()
		o.poison.cameBack() // what is in flight has not killed the process
		drained = append(drained, drainedSplit{
			lease:     o.lease,
			done:      done,
			accounted: o.updateAccounted(done),
			finished:  finished,
			suspect:   o.poison.send(),
			stored: !done.worthStoringOver(o.stored) && slices.Equal(finished, o.storedRanges) &&
				o.poison.stored == o.poison.want(),
		})
		if o.adoption.active() {
			last := &drained[len(drained)-1]
			last.settlement, last.adopting = o.adoption.settleAll(o.lease), o.adoption.from
		}
		set.end(o, ErrRevoked)
	}
	return drained, next
}
