package splits

import (
	"context"
	"slices"
	"time"
)

// poll returns the next batch, waiting for one until ctx ends (then its error), the Reader is
// closed (ErrClosed) or giveUp, asked whenever there is nothing to hand out, returns an error.
// Splits with entries are served in turn. One goroutine polls at a time.
func (set *splitSet) poll(ctx context.Context, giveUp func() error) (*Batch, error) {
	began := set.cfg.Now()
	for {
		b, wait, closed := set.nextBatch()
		if b != nil {
			return b, nil
		}
		if closed {
			return nil, ErrClosed
		}
		if err := giveUp(); err != nil {
			return nil, err
		}
		if stalled := set.checkStall(set.cfg.Now(), began); stalled > 0 {
			set.cfg.Observer.Stalled(stalled)
		}
		if err := sleepOr(ctx, wait, set.readable); err != nil {
			return nil, err
		}
	}
}

// pollEvery bounds how long Poll sleeps without looking round: nothing depends on it but the
// warning about a stall.
const pollEvery = time.Second

// take hands out the next batch that is ready, or says how long nothing will be unless something
// changes.
func (set *splitSet) nextBatch() (b *Batch, wait time.Duration, closed bool) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.closed {
		return nil, 0, true
	}
	wait = set.wakeDelayed(now)
	for len(set.ready) > 0 {
		o := set.ready[0]
		set.ready[0] = nil
		set.ready = set.ready[1:]
		o.queued = false
		if b = set.handOut(o, now); b != nil {
			return b, 0, false
		}
	}
	return nil, wait, false
}

// wakeDelayed queues the splits that have something to hand out again now, and returns the time
// until the next one has.
func (set *splitSet) wakeDelayed(now time.Time) time.Duration {
	wait := pollEvery
	set.delayed = slices.DeleteFunc(set.delayed, func(o *ownedSplit) bool {
		left := o.isolation.wait(now)
		if o.phase != reading || left < 0 {
			return true
		}
		if left > 0 {
			wait = min(wait, left)
			return false
		}
		set.enqueue(o)
		return true
	})
	return wait
}

// handOut cuts the next batch of a split, or returns nil if it has none to give now. The lease is
// checked here and now: timers fire late in a process that was paused.
func (set *splitSet) handOut(o *ownedSplit, now time.Time) *Batch {
	if o.phase != reading || o.inflight > 0 && !set.cfg.Unordered {
		return nil
	}
	if !o.lease.Trusted(now) {
		set.lose(o, ErrExpired)
		return nil
	}
	b := &Batch{Split: o.lease.Split, Lag: o.lag, set: set, hold: o}
	if p, again := o.isolation.next(now); again {
		b.redeliver(p)
	} else if len(o.buffer) > 0 && set.maxNewEntries(o) > 0 && (set.cfg.Unordered || o.isolation.empty()) { // nothing newer before it
		set.handOutNew(o, b, now)
	} else {
		set.delay(o)
		return nil
	}
	b.piece.handedOutAt, b.Deliveries = now, b.piece.deliveries+1
	set.cfg.Failures.handedOut(&b.inFlight, set)
	if o.inflight++; o.inflight == 1 {
		o.oldestSince = now
	}
	if set.cfg.Unordered {
		set.enqueue(o)
	}
	return b
}

// mayTrack is how many more entries of the split may be in flight.
func (set *splitSet) maxNewEntries(o *ownedSplit) int {
	if !set.cfg.Unordered {
		return set.cfg.BatchSize
	}
	return min(set.cfg.BatchSize, set.cfg.CheckpointLimit-o.tracker.Pending(), set.cfg.MaxAhead-o.tracker.Ahead())
}

func (set *splitSet) handOutNew(o *ownedSplit, b *Batch, now time.Time) {
	held, full := o.bytes, set.buffered >= set.cfg.FetchMax
	entries, read := o.takeBuffered(set.maxNewEntries(o))
	set.buffered -= held - o.bytes
	span := o.tracker.Track(entries, read, now)
	b.Entries, b.piece.refs = entries, make([]entryRef, len(entries))
	for i := range entries {
		b.piece.refs[i] = entryRef{span, i}
	}
	switch {
	case full && set.buffered < set.cfg.FetchMax:
		set.wakeAllFetchers()
	case set.hasRoom(o):
		set.wakeFetcher(o.lease.Split)
	}
}

// handsOutAgain makes the batch one of entries that were rejected.
func (b *Batch) redeliver(p piece) {
	b.piece = p
	b.Entries = make([]Entry, len(p.refs))
	for i, ref := range p.refs {
		b.Entries[i] = ref.entry()
	}
}

// enqueue puts a split in line for Poll if it is not there. The lock is held.
func (set *splitSet) enqueue(o *ownedSplit) {
	if o.phase != reading || o.queued {
		return
	}
	o.queued = true
	set.ready = append(set.ready, o)
	set.readable.raise()
}

// delay has Poll look at the split again when it has something to hand out again, if it will have.
// The lock is held.
func (set *splitSet) delay(o *ownedSplit) {
	if o.isolation.empty() || slices.Contains(set.delayed, o) {
		return
	}
	set.delayed = append(set.delayed, o)
	set.readable.raise()
}

// hasReady reports whether there is something to hand out.
func (set *splitSet) hasReady() bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	return len(set.ready) > 0
}
