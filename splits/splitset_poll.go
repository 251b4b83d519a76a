package splits

import "time"

// pollEvery is how often Poll checks for a stall while it has nothing to hand out.
const pollEvery = time.Second

// nextBatch returns the next batch that is ready. If there is none, it returns how long there will
// be none unless something changes.
func (set *splitSet) nextBatch() (b *Batch, wait time.Duration, closed bool) {
	now := set.cfg.Now()
	set.mu.Lock()
	if closed = set.closed; !closed {
		b, wait = set.turns.next(now, set.handOut)
	}
	passed := set.takePassed()
	set.mu.Unlock()
	passed.report(set.cfg.Observer)
	return b, wait, closed
}

// handOut returns the next batch of a split, nil if there is none now. Rejected entries come first;
// under ByPartition nothing newer is handed out before them. handOut checks the lease itself:
// timers fire late in a process that was paused.
func (set *splitSet) handOut(o *ownedSplit, now time.Time) *Batch {
	strict := set.cfg.Ordering == ByPartition
	if o.phase != reading || o.inflight > 0 && strict {
		return nil
	}
	if !o.lease.Trusted(now) {
		set.lose(o, ErrExpired)
		return nil
	}
	if o.poison.suspects() {
		return set.handOutSuspect(o, now)
	}
	b := set.newBatch(o)
	if !set.judge.begin(o, &b.inFlight, now, set.readable) {
		set.keepBack(o)
		return nil
	}
	if !set.fill(o, b, now) {
		set.cfg.Failures.withdraw(&b.inFlight)
		return nil
	}
	o.handedOut(b, now)
	if !strict {
		set.enqueue(o)
	}
	return b
}

func (set *splitSet) newBatch(o *ownedSplit) *Batch {
	b := &Batch{Split: o.lease.Split, Lag: o.lag, set: set, owned: o}
	b.inFlight.split = b.Split
	return b
}

// fill fills the batch with the entries that come next. It reports whether there are any.
func (set *splitSet) fill(o *ownedSplit, b *Batch, now time.Time) bool {
	if !set.fillNext(o, b, now) {
		set.delay(o)
		set.wakeLoader(o)
		set.endIfRolledBack(o)
		return false
	}
	if b.piece.deliveries == 0 {
		set.leaveMemory(o, sizeOf(b.Entries))
	}
	return true
}

// fillNext is fill without what follows.
func (set *splitSet) fillNext(o *ownedSplit, b *Batch, now time.Time) bool {
	for {
		if p, again := o.isolation.next(now); again {
			b.redeliver(p)
			return true
		}
		if set.cfg.Ordering == ByPartition && !o.isolation.empty() {
			return set.handOutProbe(o, b, now)
		}
		if set.restoreFailed(o, now) {
			continue
		}
		if set.handOutNew(o, b, now) || !o.canRestore() {
			return len(b.Entries) > 0
		}
	}
}

// handOutNew fills the batch with entries that were not handed out before. It reports whether there
// are any.
func (set *splitSet) handOutNew(o *ownedSplit, b *Batch, now time.Time) bool {
	if o.isolation.lanes != nil {
		set.takeFromLanes(o, b, now)
	} else {
		set.takeFromBuffer(o, b, now)
	}
	return len(b.Entries) > 0
}

// leaveMemory frees the room of entries that are not kept for their first hand-out any more.
func (set *splitSet) leaveMemory(o *ownedSplit, size int) {
	full := set.buffered >= set.cfg.FetchMax
	o.bytes -= size
	set.buffered -= size
	switch {
	case full && set.buffered < set.cfg.FetchMax:
		set.wakeAllFetchers()
	case set.hasRoom(o):
		set.wakeFetcher(o.lease.Split)
	}
}

// takeFromBuffer takes the next entries of the split.
func (set *splitSet) takeFromBuffer(o *ownedSplit, b *Batch, now time.Time) {
	limit := o.poison.limit(set.cfg.BatchSize)
	var probeOf *loneFailure
	if set.cfg.Ordering == Unordered {
		var room int
		room, probeOf = set.roomToHandOut(o, o.unresolved())
		limit = min(limit, room, set.cfg.MaxAhead-o.tracker.Ahead())
	}
	for limit > 0 && o.hasNew() && len(b.Entries) == 0 && !o.nextFailed() {
		b.Entries, b.piece.refs = set.takeSpan(o, limit, now).unresolved()
	}
	b.probe(probeOf)
}

// roomToHandOut returns how many more entries of a split may be in the pipeline. If the pipeline is
// full of entries that fail, no other entry shows whether any can be processed: then room is for
// one probe, and probeOf is the entry that wants it.
func (set *splitSet) roomToHandOut(o *ownedSplit, inPipeline int) (room int, probeOf *loneFailure) {
	if room = set.cfg.CheckpointLimit - inPipeline; room > 0 {
		return room, nil
	}
	if probeOf = o.isolation.wantsProbe(set.cfg.DeadLetters.MaxDeliveries); probeOf != nil {
		room = 1
	}
	return room, probeOf
}

// probe notes that the batch is handed out as a probe of an entry that fails, if that is not nil
// and the batch has any entries.
func (b *Batch) probe(of *loneFailure) {
	if of != nil && len(b.piece.refs) > 0 {
		of.wantsProbe, b.piece.probeOf = false, of
	}
}

// takeSpan takes up to limit entries off the buffer and tracks them. Entries that are pending in a
// foreign group come first.
func (set *splitSet) takeSpan(o *ownedSplit, limit int, now time.Time) *span {
	var span *span
	if !o.adoption.empty() {
		span = o.adoption.take(o.untilFailed(limit), now)
	} else {
		entries, read := o.takeBuffered(o.untilFailed(limit))
		span = o.tracker.Track(entries, read, now)
		if len(o.finished) > 0 {
			set.leaveMemory(o, o.skipFinished(span))
		}
	}
	set.passOver(o, span)
	return span
}

// takeFromLanes moves entries from the buffer into their lanes, and takes the entries of lanes that
// are free.
func (set *splitSet) takeFromLanes(o *ownedSplit, b *Batch, now time.Time) {
	inPipeline := o.unresolved() - o.isolation.lanes.waiting - o.isolation.followers
	room, probeOf := set.roomToHandOut(o, inPipeline)
	limit := min(o.poison.limit(set.cfg.BatchSize), room)
	for len(b.piece.refs) == 0 && limit > 0 {
		ahead := set.cfg.MaxAhead - o.tracker.Ahead()
		for o.hasNew() && o.isolation.lanes.available < limit && ahead > 0 && !o.nextFailed() {
			span := set.takeSpan(o, min(set.cfg.BatchSize, ahead), now)
			span.owned = true // each batch has its own copy
			o.isolation.lanes.add(span)
			ahead -= span.size
		}
		if o.isolation.lanes.available == 0 {
			set.unloadWaiting(o)
			return
		}
		b.piece.refs, b.piece.lanes = o.isolation.lanes.take(
			limit,
			func(r entryRef) bool { return o.isolation.holdBack(r, 0) },
		)
	}
	b.Entries = entriesOf(b.piece.refs)
	b.probe(probeOf)
}

// redeliver fills the batch with entries that were rejected.
func (b *Batch) redeliver(p piece) {
	b.piece = p
	b.Entries = entriesOf(p.refs)
}

func entriesOf(refs []entryRef) []Entry {
	entries := make([]Entry, len(refs))
	for i, ref := range refs {
		entries[i] = ref.entry()
	}
	return entries
}

// hasReady reports whether there is something to hand out, or will be soon.
func (set *splitSet) hasReady() bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	return set.hasTurn(set.cfg.Now())
}
