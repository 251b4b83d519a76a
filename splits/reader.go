package splits

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Reader is the set of splits that a member holds: what was fetched of each, handed out, and
// resolved. It starts no goroutine and does no I/O: the fetchers fill it, Poll empties it, the
// Committer reads positions off it and the Claimer adds and removes splits. One lock guards
// everything, so "is this lease over?" and "mark this offset" are one step.
type Reader struct {
	cfg Config

	mu       sync.Mutex
	holds    map[Split]*hold
	ready    []*hold           // splits with something to hand out, served in turn
	delayed  []*hold           // splits with something to hand out again that is not due yet
	buffered int               // bytes of all buffers
	lost     map[error][]Lease // those that ended against our will, by cause
	closed   bool
	stalled  bool             // the Observer has been told
	memories map[Split]memory // of splits that were held
	halving  time.Time        // until then hints are not trusted: one was wrong

	readable signal            // for Poll: something may be ready
	changed  signal            // for the Claimer: a drain ended or a lease was lost
	counting signal            // for the counter: there is something to count
	room     map[string]signal // for the fetcher of each shard: it has something to fetch
}

func newReader(cfg Config) *Reader {
	return &Reader{
		cfg:      cfg,
		holds:    map[Split]*hold{},
		lost:     map[error][]Lease{},
		room:     map[string]signal{},
		memories: map[Split]memory{},
		readable: newSignal(),
		changed:  newSignal(),
		counting: newSignal(),
	}
}

// add takes on a split that was just claimed.
func (r *Reader) add(c claimed) *hold {
	key := r.cfg.OrderKey
	if r.cfg.Unordered {
		key = nil
	}
	h := newHold(c.lease, c.at, key)
	h.seen, h.marks, h.halt = c.seen, c.marks, c.halt
	h.committedAt = r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if old := r.holds[c.lease.Split]; old != nil {
		r.end(old, ErrRevoked)
	}
	delete(r.memories, c.lease.Split)
	r.holds[c.lease.Split] = h
	r.wakeFetcher(c.lease.Split)
	return h
}

// end closes a hold for good: from here on acknowledgements under it change nothing. The lock is
// held.
func (r *Reader) end(h *hold, cause error) {
	if h.phase == over {
		return
	}
	h.phase = over
	r.buffered -= h.bytes
	h.buffer, h.bytes = nil, 0
	if r.holds[h.lease.Split] == h {
		delete(r.holds, h.lease.Split)
	}
	h.again = isolation{}
	h.cancel(cause)
	r.wakeAllFetchers() // their shares of the common buffer have grown
}

// loseLocked ends a hold whose lease is gone, unless it is over already, and lets the Claimer know.
// The lock is held.
func (r *Reader) loseLocked(h *hold, cause error) {
	if h.phase == over {
		return
	}
	r.remember(h, cause)
	r.end(h, cause)
	r.lost[cause] = append(r.lost[cause], h.lease)
	r.changed.raise()
}

// takeLost returns the leases that were lost since the last call, by cause.
func (r *Reader) takeLost() map[error][]Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost := r.lost
	r.lost = map[error][]Lease{}
	return lost
}

// poll returns the next batch, waiting for one until ctx ends (then its error), the Reader is
// closed (ErrClosed) or giveUp, asked whenever there is nothing to hand out, returns an error.
// Splits with entries are served in turn. One goroutine polls at a time.
func (r *Reader) poll(ctx context.Context, giveUp func() error) (*Batch, error) {
	began := r.cfg.Now()
	for {
		b, wait, closed := r.take()
		if b != nil {
			return b, nil
		}
		if closed {
			return nil, ErrClosed
		}
		if err := giveUp(); err != nil {
			return nil, err
		}
		if stalled := r.checkStall(r.cfg.Now(), began); stalled > 0 {
			r.cfg.Observer.Stalled(stalled)
		}
		if err := sleepOr(ctx, wait, r.readable); err != nil {
			return nil, err
		}
	}
}

// sleepOr waits for the signal, at most for d, or until ctx ends.
func sleepOr(ctx context.Context, d time.Duration, s signal) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-s:
	case <-timer.C:
	}
	return nil
}

// pollEvery bounds how long Poll sleeps without looking round: nothing depends on it but the
// warning about a stall.
const pollEvery = time.Second

// take hands out the next batch that is ready, or says how long nothing will be unless something
// changes.
func (r *Reader) take() (b *Batch, wait time.Duration, closed bool) {
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, 0, true
	}
	wait = r.wakeDelayed(now)
	for len(r.ready) > 0 {
		h := r.ready[0]
		r.ready[0] = nil
		r.ready = r.ready[1:]
		h.queued = false
		if b = r.handOut(h, now); b != nil {
			return b, 0, false
		}
	}
	return nil, wait, false
}

// wakeDelayed queues the splits that have something to hand out again now, and returns the time
// until the next one has.
func (r *Reader) wakeDelayed(now time.Time) time.Duration {
	wait := pollEvery
	r.delayed = slices.DeleteFunc(r.delayed, func(h *hold) bool {
		left := h.again.wait(now)
		if h.phase != reading || left < 0 {
			return true
		}
		if left > 0 {
			wait = min(wait, left)
			return false
		}
		r.enqueue(h)
		return true
	})
	return wait
}

// handOut cuts the next batch of a split, or returns nil if it has none to give now. The lease is
// checked here and now: timers fire late in a process that was paused.
func (r *Reader) handOut(h *hold, now time.Time) *Batch {
	if h.phase != reading || h.inflight > 0 && !r.cfg.Unordered {
		return nil
	}
	if !h.lease.Trusted(now) {
		r.loseLocked(h, ErrExpired)
		return nil
	}
	b := &Batch{Split: h.lease.Split, Lag: h.lag, reader: r, hold: h}
	if p, again := h.again.next(now); again {
		b.handsOutAgain(p)
	} else if len(h.buffer) > 0 && r.mayTrack(h) > 0 && (r.cfg.Unordered || h.again.empty()) { // nothing newer before it
		r.handOutNew(h, b, now)
	} else {
		r.delay(h)
		return nil
	}
	b.piece.at, b.Deliveries = now, b.piece.deliveries+1
	r.cfg.Failures.handedOut(&b.flight, r)
	if h.inflight++; h.inflight == 1 {
		h.since = now
	}
	if r.cfg.Unordered {
		r.enqueue(h)
	}
	return b
}

// mayTrack is how many more entries of the split may be in flight.
func (r *Reader) mayTrack(h *hold) int {
	if !r.cfg.Unordered {
		return r.cfg.BatchSize
	}
	return min(r.cfg.BatchSize, r.cfg.CheckpointLimit-h.tracker.Pending(), r.cfg.MaxAhead-h.tracker.Ahead())
}

func (r *Reader) handOutNew(h *hold, b *Batch, now time.Time) {
	held, full := h.bytes, r.buffered >= r.cfg.FetchMax
	entries, read := h.cut(r.mayTrack(h))
	r.buffered -= held - h.bytes
	span := h.tracker.Track(entries, read, now)
	b.Entries, b.piece.refs = entries, make([]ref, len(entries))
	for i := range entries {
		b.piece.refs[i] = ref{span, i}
	}
	switch {
	case full && r.buffered < r.cfg.FetchMax:
		r.wakeAllFetchers()
	case r.hasRoom(h):
		r.wakeFetcher(h.lease.Split)
	}
}

// handsOutAgain makes the batch one of entries that were rejected.
func (b *Batch) handsOutAgain(p piece) {
	b.piece = p
	b.Entries = make([]Entry, len(p.refs))
	for i, ref := range p.refs {
		b.Entries[i] = ref.entry()
	}
}

// enqueue puts a split in line for Poll if it is not there. The lock is held.
func (r *Reader) enqueue(h *hold) {
	if h.phase != reading || h.queued {
		return
	}
	h.queued = true
	r.ready = append(r.ready, h)
	r.readable.raise()
}

// delay has Poll look at the split again when it has something to hand out again, if it will have.
// The lock is held.
func (r *Reader) delay(h *hold) {
	if h.again.empty() || slices.Contains(r.delayed, h) {
		return
	}
	r.delayed = append(r.delayed, h)
	r.readable.raise()
}

// hasReady reports whether there is something to hand out.
func (r *Reader) hasReady() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ready) > 0
}

func (r *Reader) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// close ends Poll. Holds stay, for their last positions are yet to be committed.
func (r *Reader) close() {
	r.cfg.Failures.forget(r)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.readable.raise()
}
