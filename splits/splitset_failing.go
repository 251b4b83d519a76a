package splits

import "time"

// failingState is what is known and stored of the entries of a split that fail. The lock of the
// splitSet guards it.
type failingState struct {
	failed   map[Offset]Attempted // entries that failed under an earlier lease and were not read yet
	unnoted  []*loneFailure       // entries whose stored attempts are to be replaced
	resolved []Offset             // entries whose stored attempts are to be removed
	buried   []Offset             // resolved by a letter; removed when the position has passed them
}

// newFailingState returns the state after a claim.
func newFailingState(c claimedSplit) (f failingState) {
	for _, a := range c.failing {
		switch {
		case c.adopting == "" && !c.at.Offset.Before(a.Offset):
			f.resolved = append(f.resolved, a.Offset)
		case f.failed == nil:
			f.failed = map[Offset]Attempted{a.Offset: a}
		default:
			f.failed[a.Offset] = a
		}
	}
	return f
}

// nextFailed reports whether the next entry of the buffer failed under an earlier lease.
func (o *ownedSplit) nextFailed() bool {
	if len(o.failed) == 0 || len(o.buffer) == 0 || !o.adoption.empty() {
		return false
	}
	_, failed := o.failed[o.buffer[0].entries[0].Offset]
	return failed
}

// untilFailed returns how many of at most limit entries of the buffer come before an entry that
// failed under an earlier lease; at least 1.
func (o *ownedSplit) untilFailed(limit int) int {
	if len(o.failed) == 0 {
		return limit
	}
	n := 0
	for _, run := range o.buffer {
		for _, e := range run.entries {
			if _, failed := o.failed[e.Offset]; failed && n > 0 || n == limit {
				return n
			}
			n++
		}
	}
	return limit
}

// restoreFailed takes entries that failed under an earlier lease off the front of the buffer, and
// reports whether there were any. They begin alone. An entry whose letter is written is done.
func (set *splitSet) restoreFailed(o *ownedSplit, now time.Time) (restored bool) {
	for o.nextFailed() {
		restored = true
		offset := o.buffer[0].entries[0].Offset
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
			o.isolation.restore(ref, a, set.verdicts.successes, now)
		}
	}
	return restored
}

// restore adds an entry that failed under an earlier lease. It is due immediately.
func (i *isolation) restore(r entryRef, a Attempted, successes int, now time.Time) {
	if i.holdBack(r, max(1, a.Attempts)) {
		return
	}
	if i.failingSince.IsZero() {
		i.failingSince = now
	}
	l := i.addLone(r)
	l.attempts, l.confirmed, l.deliveries = a.Attempts, a.Attempts, a.Attempts
	l.successes = successes
	l.since, l.due, l.cause, l.stored = now.Add(-a.Age), now, storedCause(a.Cause), true
}

// note makes the noter store the attempts at an entry. The lock is held.
func (set *splitSet) note(o *ownedSplit, l *loneFailure) {
	if !l.unnoted {
		l.unnoted = true
		o.unnoted = append(o.unnoted, l)
	}
	set.wakeNoter(o)
}

// forget makes the noter remove what is stored of an entry that was processed. The lock is held.
func (set *splitSet) forgetFailure(o *ownedSplit, l *loneFailure) {
	if l != nil && l.stored {
		o.resolved = append(o.resolved, l.ref.entry().Offset)
		set.wakeNoter(o)
	}
}

// forgetBuried makes the noter remove what is stored of letters that the position has passed. The
// lock is held.
func (set *splitSet) forgetBuried(o *ownedSplit) {
	kept := o.buried[:0]
	for _, offset := range o.buried {
		if o.stored.Offset.Before(offset) {
			kept = append(kept, offset)
		} else {
			o.resolved = append(o.resolved, offset)
			set.wakeNoter(o)
		}
	}
	o.buried = kept
}

func (set *splitSet) wakeNoter(o *ownedSplit) {
	set.notable[o] = true
	set.noteWanted.raise()
}

// takeNotes returns what is to be stored of entries that fail.
func (set *splitSet) takeNotes() (all []noteTask) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for o := range set.notable {
		delete(set.notable, o)
		if o.phase == ended {
			continue
		}
		task := noteTask{split: o, note: Note{Lease: o.lease, Resolved: o.resolved}}
		for _, l := range o.unnoted {
			l.unnoted = false
			if !l.ref.isResolved() {
				l.stored = true
				task.lone = append(task.lone, l)
				task.note.Failing = append(task.note.Failing, l.attempted(now))
			}
		}
		o.unnoted, o.resolved = nil, nil
		if len(task.note.Failing)+len(task.note.Resolved) > 0 {
			all = append(all, task)
		}
	}
	return all
}

// attempted returns what is to be stored of the entry.
func (l *loneFailure) attempted(now time.Time) Attempted {
	return Attempted{
		Offset: l.ref.entry().Offset, Attempts: l.confirmed, Age: now.Sub(l.since), Cause: l.cause.Error(),
	}
}

// noteFailed makes the noter repeat a request whose outcome is unknown.
func (set *splitSet) noteFailed(task noteTask) {
	set.mu.Lock()
	defer set.mu.Unlock()
	o := task.split
	if o.phase == ended {
		return
	}
	o.resolved = append(o.resolved, task.note.Resolved...)
	for _, l := range task.lone {
		if !l.unnoted {
			l.unnoted = true
			o.unnoted = append(o.unnoted, l)
		}
	}
	set.notable[o] = true // without a signal: the noter repeats it later
}
