package splits

import "time"

// handOutSuspect is handOut for a split in which poison is suspected: a batch is handed out when it
// is alone in the process and the store knows of it. If it can't be alone soon, it is handed out
// beside others, and its death does not count. The lock is held.
func (set *splitSet) handOutSuspect(o *ownedSplit, now time.Time) *Batch {
	if o.inflight > 0 {
		return nil
	}
	if o.aside == nil {
		if set.advanceSuspicion(o, now); !o.poison.suspects() {
			return set.handOut(o, now)
		}
		if o.poison.over(now) || !set.fillAside(o, now) {
			set.storeSuspect(o) // continues in suspectStored
			return nil
		}
	}
	b := o.aside
	alone, _ := set.cfg.Failures.beginAlone(o, set, false, now, set.readable)
	if alone == aloneLater {
		o.poison.putBack()
		set.keepBack(o)
		return nil
	}
	o.poison.prepare(b.Entries[len(b.Entries)-1].Offset, len(b.Entries), alone == aloneNever, now)
	if !o.poison.ready() {
		set.storeSuspect(o) // continues in suspectStored
		return nil
	}
	if !set.cfg.Failures.handOut(&b.inFlight, set, alone, now, set.readable) {
		set.keepBack(o)
		return nil
	}
	o.aside = nil
	o.poison.handedOut(b.piece.deliveries == 0, now, set.cfg.TTL)
	o.handedOut(b, now)
	return b
}

// fillAside prepares the next batch of a split. It reports whether there is one.
func (set *splitSet) fillAside(o *ownedSplit, now time.Time) bool {
	for {
		b := set.newBatch(o)
		if !set.fill(o, b, now) {
			return false
		}
		if !set.setKillerAside(o, b, now) {
			o.aside = b
			return true
		}
	}
}

// setKillerAside keeps the entry of a batch from being handed out, if it has killed LoneDeaths
// owners. It fails without that: the next entries go on as they do behind an entry that fails.
func (set *splitSet) setKillerAside(o *ownedSplit, b *Batch, now time.Time) bool {
	if len(b.Entries) > 1 {
		return false
	}
	deaths := o.poison.takeDeaths(b.Entries[0].Offset)
	if deaths < LoneDeaths {
		return false
	}
	b.piece.refs[0].span.own()
	o.isolation.setAside(b.piece, deaths, now)
	set.judge.verdictWanted.raise()
	return true
}

// setAside makes an entry that failed alone of a piece of one entry that has killed LoneDeaths
// owners, and is not handed out.
func (i *isolation) setAside(p piece, deaths int, now time.Time) {
	if i.failingSince.IsZero() {
		i.failingSince = now
	}
	i.returned(p)
	defer i.lanes.release(p.lanes)
	l := p.lone
	if l == nil {
		l = i.addLone(p.refs[0])
	}
	l.out = false
	if l.since.IsZero() {
		l.since = now
	}
	l.killed, l.cause, l.deliveries = deaths, &PoisonError{Deaths: deaths}, p.deliveries+deaths
	l.due = now.Add(killerWait(deaths))
}

// storeSuspect lets the committer store the suspect of a split, if the store does not have it. The
// lock is held.
func (set *splitSet) storeSuspect(o *ownedSplit) {
	if !o.poison.ready() {
		set.commitWanted.raise()
	}
}

// suspectStored continues with a split after its suspect was stored. The lock is held.
func (set *splitSet) suspectStored(o *ownedSplit, stored Suspect) {
	if stored.Turn == 0 {
		return
	}
	o.poison.sent(stored)
	if o.poison.free() {
		set.cfg.Failures.endAlone(o)
	}
	if o.inflight == 0 {
		set.enqueue(o)
	}
}

// suspectReturned notes that a batch came back: the entries in it did not kill the process. The
// lock is held.
func (set *splitSet) suspectReturned(o *ownedSplit) {
	if !o.poison.suspects() {
		return
	}
	o.poison.cameBack()
	if o.poison.stage == lockstep && o.poison.stored.Flight != InFlightAlone {
		set.cfg.Failures.endAlone(o) // it is the turn of other splits
	}
	set.storeSuspect(o)
}

// watchSuspect updates what is suspected of a split, and reports whether the store is to be told.
// The lock is held.
func (set *splitSet) watchSuspect(o *ownedSplit, now time.Time) (due bool) {
	p := &o.poison
	if !p.suspects() {
		return false
	}
	if o.phase != reading {
		p.putBack()
	}
	if givenUp := p.watch(now); givenUp || p.free() {
		set.cfg.Failures.endAlone(o)
	}
	if o.aside == nil && o.inflight == 0 && set.advanceSuspicion(o, now) {
		set.enqueue(o)
	}
	return p.due()
}

// advanceSuspicion notes the position and the time while nothing is in flight, and reports whether
// that changed what is suspected. The lock is held.
func (set *splitSet) advanceSuspicion(o *ownedSplit, now time.Time) (changed bool) {
	done := o.tracker.Done().Offset
	if o.adoption.active() { // what is pending there is before the position
		done = Offset{}
	}
	if changed = o.poison.advance(done, now, set.cfg.TTL); changed {
		o.isolation.largest = o.poison.limit(set.cfg.BatchSize)
	}
	return changed
}

// suspectsDue reports whether the store is to be told of a suspect.
func (set *splitSet) suspectsDue() bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, o := range set.splits {
		if o.poison.due() {
			return true
		}
	}
	return false
}

// sayAlive makes the noter tell the store that this member is alive, if the store may take it for
// dead since its lease ends while a suspect is in flight. The lock is held.
func (set *splitSet) sayAlive(o *ownedSplit) {
	if o.poison.exposed {
		o.poison.exposed = false
		set.judge.noteAlive(noteTask[*ownedSplit]{split: o.lease.Split, under: o.lease.Epoch})
	}
}
