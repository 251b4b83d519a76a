package splits

import "time"

// What a member of a consumer group does with entries that failed under an earlier lease: they
// begin alone.

// failedBefore returns the entries that failed under an earlier lease, and those of them that were
// resolved since.
func (c claimedSplit) failedBefore() (failed map[Offset]Attempted, resolved []Offset) {
	failed = make(map[Offset]Attempted, len(c.failing))
	for _, a := range c.failing {
		if c.adopting == "" && !c.at.Offset.Before(a.Offset) {
			resolved = append(resolved, a.Offset)
		} else {
			failed[a.Offset] = a
		}
	}
	return failed, resolved
}

// nextFailed reports whether the entry that comes next failed under an earlier lease.
func (o *ownedSplit) nextFailed() bool {
	if len(o.failed) == 0 || !o.hasNew() {
		return false
	}
	_, failed := o.failed[o.front().Offset]
	return failed
}

// front returns the entry that comes next, of the ones that were not handed out. There is one.
func (o *ownedSplit) front() Entry {
	if !o.adoption.empty() {
		return o.adoption.buffer[0]
	}
	return o.buffer[0].entries[0]
}

// untilFailed returns how many of at most limit entries come before an entry that failed under an
// earlier lease; at least 1.
func (o *ownedSplit) untilFailed(limit int) int {
	if len(o.failed) == 0 {
		return limit
	}
	if !o.adoption.empty() {
		return o.firstFailed(o.adoption.buffer[:min(limit, len(o.adoption.buffer))], 0)
	}
	n := 0
	for _, run := range o.buffer {
		part := run.entries[:min(limit-n, len(run.entries))]
		end := o.firstFailed(part, n)
		if n += end; end < len(part) || n == limit {
			return n
		}
	}
	return n
}

// firstFailed returns how many of some entries come before one that failed under an earlier lease.
// The very first entry, of which before is 0, does not count as such.
func (o *ownedSplit) firstFailed(entries []Entry, before int) int {
	for i, e := range entries {
		if _, failed := o.failed[e.Offset]; failed && before+i > 0 {
			return i
		}
	}
	return len(entries)
}

// canRestore reports whether the next entry failed under an earlier lease and can be handed out
// now: under ByKey, entries of its lane come first.
func (o *ownedSplit) canRestore() bool {
	return o.nextFailed() && !o.isolation.lanes.busy(o.front())
}

// restoreFailed takes entries that failed under an earlier lease off the front of the buffer, and
// reports whether there were any. They begin alone. An entry whose letter is written is done.
func (set *splitSet) restoreFailed(o *ownedSplit, now time.Time) (restored bool) {
	for o.canRestore() {
		restored = true
		offset := o.front().Offset
		a := o.failed[offset]
		delete(o.failed, offset)
		ref := entryRef{set.takeSpan(o, 1, now), 0}
		switch {
		case ref.isResolved(): // it was finished earlier, or is passed over
			o.buried = append(o.buried, offset)
		case a.Lettered:
			set.leaveMemory(o, ref.entry().Size())
			o.resolve(ref)
			o.buried = append(o.buried, offset)
		default:
			set.leaveMemory(o, ref.entry().Size())
			ref.span.own()
			if o.isolation.restore(ref, a, set.judge.successes, now) == nil {
				o.buried = append(o.buried, offset)
			}
		}
	}
	return restored
}

// restore adds an entry that failed under an earlier lease, or at another member of a share group.
// It is due immediately, unless it waits for an entry of its key that failed: then restore returns
// nil, and what is stored of it is not known any more.
func (i *isolation) restore(r entryRef, a Attempted, successes int, now time.Time) *loneFailure {
	if i.holdBack(r, max(1, a.Attempts)) {
		return nil
	}
	if i.failingSince.IsZero() {
		i.failingSince = now
	}
	l := i.addLone(r)
	l.attempts, l.confirmed, l.deliveries = a.Attempts, a.Attempts, a.Attempts
	l.successes = successes
	l.since, l.due, l.cause, l.stored = now.Add(-a.Age), now, storedCause(a.Cause), true
	return l
}

// forgetBuried makes the noter remove what is stored of letters that the position has passed, and
// of entries that are not in the stream any more. While a split is adopted, entries that the
// position has passed can be pending in the foreign group. The lock is held.
func (set *splitSet) forgetBuried(o *ownedSplit) {
	if o.adoption.active() {
		return
	}
	for offset := range o.failed {
		if !o.stored.Offset.Before(offset) {
			delete(o.failed, offset)
			o.buried = append(o.buried, offset)
		}
	}
	kept := o.buried[:0]
	for _, offset := range o.buried {
		if o.stored.Offset.Before(offset) {
			kept = append(kept, offset)
		} else {
			set.judge.forget(o, offset)
		}
	}
	o.buried = kept
}
