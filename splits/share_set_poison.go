package splits

import "time"

// What a member of a share group does with a split in which entries are suspected to kill the
// process. The lock of the set is held unless a comment says otherwise.

// suspect notes that an entry that was loaded is suspected. It was tried if it is set aside.
func (s *shareSplit) suspect(e Suspected, tried bool) {
	s.poison.suspect(e, tried)
	s.set.suspicious[s] = true
}

// suspected reports whether the next batch of a split is handed out by handOutSuspect.
func (set *shareSet) suspected(s *shareSplit, now time.Time) bool {
	p := &s.poison
	switch {
	case p.idle():
		return false
	case p.batch != nil:
		return p.watched || !p.hangs(now)
	}
	return p.watched || p.suspecting(now) || s.killerDue(now)
}

// killerDue reports whether an entry comes next that was set aside.
func (s *shareSplit) killerDue(now time.Time) bool {
	l := s.isolation.nextLone(now)
	return l != nil && l.killed > 0
}

// handOutSuspect is handOut for a split in which an entry is suspected: a batch is handed out when
// it is alone in the process and the store knows of it. If it can't be alone soon, it is handed out
// beside others, and its death does not count.
func (set *shareSet) handOutSuspect(s *shareSplit, now time.Time) *Batch {
	p := &s.poison
	if !p.out.IsZero() {
		return nil // the split continues when the batch returns, or hangs
	}
	if !set.fillSuspect(s, now) {
		if s.flightReady(now) {
			set.delay(s)
		}
		set.storeFlight(s, now) // continues in flightStored
		return nil
	}
	alone, _ := set.cfg.Failures.beginAlone(s, set, false, now, set.readable)
	if alone == aloneLater {
		p.putBack()
		set.keepBack(s)
		return nil
	}
	n := len(p.batch.Entries)
	p.prepare(p.batch.Entries[n-1].Offset, n, alone == aloneNever, now)
	p.crowded = s.inflight > 0
	if !s.flightReady(now) {
		set.storeFlight(s, now) // continues in flightStored
		return nil
	}
	if !set.cfg.Failures.handOut(&p.batch.inFlight, set, alone, now, set.readable) {
		set.keepBack(s)
		return nil
	}
	p.handedOut(now, set.cfg.TTL)
	s.handedOut(p.batch, now)
	return p.batch
}

// fillSuspect prepares the next batch of a split, unless one is prepared. It reports whether there
// is one.
func (set *shareSet) fillSuspect(s *shareSplit, now time.Time) bool {
	p := &s.poison
	if p.batch != nil {
		refs := s.withoutOrphans(p.batch.piece.refs)
		if len(refs) == 0 {
			s.discard(p.batch.piece)
			p.end()
			set.cfg.Failures.endAlone(s)
		} else if len(refs) < len(p.batch.piece.refs) {
			p.batch.piece.refs = refs
			p.batch.Entries = entriesOf(refs)
		}
	}
	if p.batch == nil && (p.suspecting(now) || s.killerDue(now)) {
		if b := set.newBatch(s); set.fill(s, b, now) {
			p.batch = b
		}
	}
	return p.batch != nil
}

// suspectReturned notes that a batch came back: its entries did not kill the process.
func (set *shareSet) suspectReturned(b *Batch, now time.Time) {
	s := b.share
	if s.poison.idle() {
		return
	}
	if s.poison.batch == b {
		s.poison.end()
		if s.poison.stored.flight != InFlightAlone && !s.poison.asked {
			set.cfg.Failures.endAlone(s) // it is the turn of other splits
		}
	}
	set.storeFlight(s, now)
}

// flightReady reports whether the store has what is in flight, or is about to be.
func (s *shareSplit) flightReady(now time.Time) bool {
	p := &s.poison
	return !p.asked && p.stored.equal(p.want(s.inflight == 0, now))
}

// flightFree reports whether other batches of the process may be in flight, and the store knows that
// they may.
func (s *shareSplit) flightFree(now time.Time) bool {
	p := &s.poison
	return s.flightReady(now) && (p.next == Offset{} || p.shared)
}

// storeFlight makes the noter store what is in flight of a split, if the store has something else.
func (set *shareSet) storeFlight(s *shareSplit, now time.Time) {
	if !s.flightReady(now) {
		set.judge.wakeNoter(s)
	}
}

// flightToStore returns what is to be stored of what is in flight; nil if nothing is.
func (s *shareSplit) flightToStore(now time.Time) *ShareSuspects {
	set, p := s.set, &s.poison
	if p.idle() || set.name == "" || s.flightReady(now) {
		return nil
	}
	want := p.want(s.inflight == 0, now)
	set.turn++
	p.asked, p.watched = true, p.watched || want.flight != AnyInFlight
	return &ShareSuspects{
		Split: s.split, Generation: s.generation, Member: set.name, Turn: set.turn,
		Flight: want.flight, Offsets: want.offsets,
	}
}

// flightStored continues with a split after it was stored what is in flight of it. It takes the
// lock.
func (set *shareSet) flightStored(stored ShareSuspects) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	s := set.splits[stored.Split]
	if s == nil || s.generation != stored.Generation || set.name != stored.Member {
		return
	}
	p := &s.poison
	p.stored, p.asked = shareFlight{stored.Flight, stored.Offsets}, false
	p.watched = stored.Flight != AnyInFlight
	if s.flightFree(now) {
		set.cfg.Failures.endAlone(s)
	}
	set.storeFlight(s, now)
	set.enqueue(s)
}

// endFlight ends the flight of a split without a result. A batch that was not handed out is put
// back.
func (set *shareSet) endFlight(s *shareSplit) {
	p := &s.poison
	if b := p.batch; b != nil && p.out.IsZero() {
		s.isolation.putBackWhole(b.piece)
	}
	p.end()
	set.cfg.Failures.endAlone(s)
}

// watchSuspects lets other batches go on if one that is suspected has been in flight for long, or
// can't be handed out since the store does not answer. It reports whether it is to be called again
// soon. It takes the lock.
func (set *shareSet) watchSuspects() (again bool) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for s := range set.suspicious {
		p := &s.poison
		if p.idle() || s.over() {
			delete(set.suspicious, s)
			continue
		}
		if givenUp := p.watch(now); givenUp || s.flightFree(now) {
			set.cfg.Failures.endAlone(s)
		}
		set.storeFlight(s, now)
		if p.batch != nil || p.suspecting(now) {
			set.enqueue(s)
		}
	}
	return len(set.suspicious) > 0
}

// survivors returns what is to be stored before this member leaves: it has not died. It takes the
// lock.
func (set *shareSet) survivors() (all []ShareSurvivor) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for split, s := range set.splits {
		if set.name != "" && (len(s.entries) > 0 || s.poison.watched) {
			set.turn++
			all = append(all, ShareSurvivor{split, set.name, set.turn})
		}
	}
	return all
}

// sayAlive makes the noter tell the store that this member has not died under a name, if the store
// may take it for dead while something was in flight.
func (set *shareSet) sayAlive(s *shareSplit, name string) {
	if s.poison.watched {
		set.turn++
		set.judge.noteAlive(noteTask[*shareSplit]{
			split: s.split, under: s.generation, member: name, turn: set.turn,
		})
	}
}
