package splits

import "time"

// retired is a split that is given up: nothing under its lease counts any more, save this position.
type drainedSplit struct {
	lease  Lease
	done   Position
	stored bool // done is what the store has
	// accounted goes with done, see Commit.
	accounted int64
	unread    bool // nothing was read under it, and it counted as lost already
}

func (d drainedSplit) split() Split { return d.lease.Split }

// reconcile turns the set of held splits towards the wish: splits not in it begin to drain until
// drainBy at the latest, and splits that drain but are wished for again go on. It returns the
// splits in the wish that are not held.
func (set *splitSet) reconcile(wish []Split, drainBy time.Time) (missing []Split) {
	wanted := make(map[Split]bool, len(wish))
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, s := range wish {
		wanted[s] = true
		if set.splits[s] == nil {
			missing = append(missing, s)
		}
	}
	for s, o := range set.splits {
		switch {
		case !wanted[s] && o.phase == reading:
			o.phase, o.drainBy = draining, drainBy
			set.dropBuffer(o)
			set.wakeAllFetchers()
		case wanted[s] && o.phase == draining:
			set.stopDraining(o)
		}
	}
	return missing
}

// undrain goes on with a split whose buffer was dropped when it began to drain: fetching starts
// again behind what was handed out. The lock is held.
func (set *splitSet) stopDraining(o *ownedSplit) {
	o.phase = reading
	o.next = o.tracker.End()
	o.unchecked = nil
	set.delay(o)
	set.wakeFetcher(o.lease.Split)
	set.enqueue(o)
}

// retire ends the splits that have drained, or all of them, and returns their last positions. next
// is the time until the next one's patience ends.
func (set *splitSet) takeDrained(all bool) (gone []drainedSplit, next time.Duration) {
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
		done := o.tracker.Done()
		gone = append(gone, drainedSplit{lease: o.lease, done: done, stored: !done.worthStoringOver(o.stored)})
		gone[len(gone)-1].accounted = o.updateAccounted(done)
		set.end(o, ErrRevoked)
	}
	return gone, next
}
