package splits

import (
	"slices"
	"time"
)

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
	passed := set.takePassed()
	set.mu.Unlock()
	passed.report(set.cfg.Observer)
	return b, wait, closed
}

// handOut returns the next batch of a split, nil if there is none now. Entries that were rejected
// come first. The lock is held.
func (set *shareSet) handOut(s *shareSplit, now time.Time) *Batch {
	b := &Batch{Split: s.split, Lag: -1, share: s, term: s.term, context: s.ctx}
	if p, again := s.nextPiece(now); again {
		b.redeliver(p)
	} else if n := min(set.cfg.BatchSize, set.cfg.CheckpointLimit-set.out); n > 0 && len(s.buffer) > 0 {
		set.handOutNew(s, b, n)
	} else {
		set.delay(s)
		return nil
	}
	s.handedOut(b, now)
	set.cfg.Failures.handedOut(&b.inFlight, set)
	set.enqueue(s)
	return b
}

func (set *shareSet) handOutNew(s *shareSplit, b *Batch, n int) {
	b.Entries = s.takeBuffered(n)
	size := len(b.Entries)
	span := &span{entries: b.Entries, size: size, resolved: make([]bool, size), open: size}
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

// discard notes that nothing of a piece is to be handed out again. The lock is held.
func (s *shareSplit) discard(p piece) {
	s.isolation.returned(p)
	if p.lone != nil {
		s.isolation.loneFailures = slices.DeleteFunc(
			s.isolation.loneFailures, func(l *loneFailure) bool { return l == p.lone })
	}
	if s.isolation.empty() && s.isolation.piecesOut == 0 {
		s.isolation.failingSince, s.reportedAt = time.Time{}, time.Time{}
	}
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
