package splits

import "time"

// nextBatch returns the next batch that is ready. If there is none, it returns how long there will
// be none unless something changes. It checks the membership itself: timers fire late in a process
// that was paused.
func (set *shareSet) nextBatch() (b *Batch, wait time.Duration, closed bool) {
	now := set.cfg.Now()
	set.mu.Lock()
	switch closed = set.closed; {
	case closed:
	case !set.trusted.Trusted(now):
		wait = pollEvery
	default:
		b, wait = set.turns.next(now, set.handOut)
	}
	passed, full := set.takePassed(), set.full
	set.mu.Unlock()
	passed.report(set.cfg.Observer)
	if full {
		set.checkNotFull()
	}
	return b, wait, closed
}

// handOut returns the next batch of a split, nil if there is none now. Entries that were rejected
// come first. The lock is held.
func (set *shareSet) handOut(s *shareSplit, now time.Time) *Batch {
	if set.suspected(s, now) {
		return set.handOutSuspect(s, now)
	}
	b := set.newBatch(s)
	if !set.judge.begin(s, &b.inFlight, now, set.readable) {
		set.keepBack(s)
		return nil
	}
	if !set.fill(s, b, now) {
		set.cfg.Failures.withdraw(&b.inFlight)
		set.delay(s)
		return nil
	}
	s.handedOut(b, now)
	set.enqueue(s)
	return b
}

func (set *shareSet) newBatch(s *shareSplit) *Batch {
	b := &Batch{Split: s.split, Lag: -1, share: s, term: s.term, context: s.ctx}
	b.inFlight.split = s.split
	return b
}

// fill fills the batch with the entries that come next. It reports whether there are any. Suspects
// that wait come before other entries that were not handed out. The lock is held.
func (set *shareSet) fill(s *shareSplit, b *Batch, now time.Time) bool {
	if p, again := s.nextPiece(now); again {
		b.redeliver(p)
		return true
	}
	n, probeOf := set.roomToHandOut()
	queue := &s.buffer
	if p := &s.poison; !p.idle() && !p.hangs(now) {
		n = min(n, MaxTake) // the store is to know all of them
		if len(p.waiting) > 0 {
			queue, n = &p.waiting, p.largest(n)
		}
	}
	if n <= 0 || len(*queue) == 0 {
		return false
	}
	set.handOutNew(s, b, queue, n)
	b.probe(probeOf)
	return true
}

// roomToHandOut returns how many new entries may be handed out. If there is no room, it may be for
// one probe: then probeOf is the entry that wants it. The lock is held.
func (set *shareSet) roomToHandOut() (n int, probeOf *loneFailure) {
	if n = min(set.cfg.BatchSize, set.cfg.CheckpointLimit-set.out); n > 0 {
		return n, nil
	}
	if probeOf = set.nextProbe(); probeOf != nil {
		n = 1
	}
	return n, probeOf
}

func (set *shareSet) handOutNew(s *shareSplit, b *Batch, queue *[]Entry, n int) {
	b.Entries = s.takeBuffered(queue, n)
	span := newSpan(b.Entries)
	b.piece.refs = make([]entryRef, len(b.Entries))
	for i := range b.Entries {
		b.piece.refs[i] = entryRef{span, i}
	}
	set.wakeReaders()
}

// nextPiece returns the next entries that are due to be handed out again. Entries that may be
// pending at another name are dropped. The lock is held.
func (s *shareSplit) nextPiece(now time.Time) (piece, bool) {
	for {
		p, again := s.isolation.next(now)
		if !again {
			return piece{}, false
		}
		if p.refs = s.withoutOrphans(p.refs); len(p.refs) > 0 {
			return p, true
		}
		s.discard(p)
	}
}

// withoutOrphans returns the entries that are not handed out at this moment and still pending at
// this member. It drops the others. The lock is held.
func (s *shareSplit) withoutOrphans(refs []entryRef) []entryRef {
	kept := make([]entryRef, 0, len(refs))
	for _, ref := range refs {
		o := ref.entry().Offset
		switch s.entries[o] {
		case shareOut:
			kept = append(kept, ref)
		case shareOrphaned:
			s.put(o, shareUnknown)
		}
	}
	return kept
}

// discard notes that nothing of a piece is to be handed out again: its entries were acknowledged,
// or other members may have them. The lock is held.
func (s *shareSplit) discard(p piece) {
	s.isolation.returned(p)
	if p.lone != nil {
		s.isolation.remove(p.lone)
		s.set.judge.verdictWanted.raise()
		if p.lone.stored {
			s.set.judge.forget(s, p.lone.ref.entry().Offset)
		}
	}
	s.calmDown()
}

// checkStall returns how long the member has waited for an acknowledgement while it had as many
// entries in the pipeline as it may have. It returns 0 if that is too short, or was returned
// before.
func (set *shareSet) checkStall(now, began time.Time) time.Duration {
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.stalled || now.Sub(began) < stallAfter || set.out < set.cfg.CheckpointLimit {
		return 0
	}
	shortest := time.Duration(0)
	for _, s := range set.splits {
		if s.inflight == 0 {
			continue
		}
		if waited := now.Sub(s.oldestSince); shortest == 0 || waited < shortest {
			shortest = waited
		}
	}
	if shortest < stallAfter {
		return 0
	}
	set.stalled = true
	return shortest
}
