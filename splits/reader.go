package splits

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Reader is the set of splits that a member holds: what was fetched of each, handed out, and resolved. It starts no goroutine and
// does no I/O: the fetchers fill it, Poll empties it, the Committer reads positions off it and the Claimer adds and removes
// splits. One lock guards everything, so "is this lease over?" and "mark this offset" are one step.
type Reader struct {
	cfg Config

	mu       sync.Mutex
	holds    map[Split]*hold
	ready    []*hold           // splits with something to hand out, served in turn
	delayed  []*hold           // splits whose next replay is not due yet
	buffered int               // bytes of all buffers
	lost     map[error][]Lease // those that ended against our will, by cause
	closed   bool
	stalled  bool             // the Observer has been told
	memories map[Split]memory // of splits that were held

	readable signal            // for Poll: something may be ready
	changed  signal            // for the Claimer: a drain ended or a lease was lost
	room     map[string]signal // for the fetcher of each shard: it has something to fetch
}

func newReader(cfg Config) *Reader {
	return &Reader{
		cfg: cfg, holds: map[Split]*hold{}, lost: map[error][]Lease{}, room: map[string]signal{}, memories: map[Split]memory{},
		readable: newSignal(), changed: newSignal(),
	}
}

// add takes on a split that was just claimed.
func (r *Reader) add(c claimed) *hold {
	h := newHold(c.lease, c.at)
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

// end closes a hold for good: from here on acknowledgements under it change nothing. The lock is held.
func (r *Reader) end(h *hold, cause error) {
	if h.phase == over {
		return
	}
	h.phase = over
	r.buffered -= h.bytes
	h.buffer, h.replays, h.bytes = nil, nil, 0
	if r.holds[h.lease.Split] == h {
		delete(r.holds, h.lease.Split)
	}
	h.cancel(cause)
	r.wakeAllFetchers() // their shares of the common buffer have grown
}

// loseLocked ends a hold whose lease is gone, unless it is over already, and lets the Claimer know. The lock is held.
func (r *Reader) loseLocked(h *hold, cause error) {
	if h.phase == over {
		return
	}
	r.remember(h)
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

// poll returns the next batch, waiting for one until ctx ends (then its error), the Reader is closed (ErrClosed) or giveUp, asked whenever
// there is nothing to hand out, returns an error. Splits with entries are served in turn. One goroutine polls at a time.
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

// pollEvery bounds how long Poll sleeps without looking round: nothing depends on it but the warning about a stall.
const pollEvery = time.Second

// take hands out the next batch that is ready, or says how long nothing will be unless something changes.
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

// wakeDelayed queues the splits whose replay has become due and returns the time until the next one is.
func (r *Reader) wakeDelayed(now time.Time) time.Duration {
	wait := pollEvery
	r.delayed = slices.DeleteFunc(r.delayed, func(h *hold) bool {
		if h.phase != reading || len(h.replays) == 0 {
			return true
		}
		if left := h.replays[0].due.Sub(now); left > 0 {
			wait = min(wait, left)
			return false
		}
		r.enqueue(h)
		return true
	})
	return wait
}

// handOut cuts the next batch of a split, or returns nil if it has none to give now. The lease is checked here and now: timers fire
// late in a process that was paused.
func (r *Reader) handOut(h *hold, now time.Time) *Batch {
	if h.phase != reading || h.inflight > 0 && !r.cfg.Unordered {
		return nil
	}
	if !h.lease.Trusted(now) {
		r.loseLocked(h, ErrExpired)
		return nil
	}
	b := &Batch{Split: h.lease.Split, Deliveries: 1, Lag: h.lag, reader: r, hold: h, at: now}
	switch {
	case len(h.replays) > 0 && !h.replays[0].due.After(now):
		r.handOutReplay(h, b)
	case len(h.replays) > 0 && !r.cfg.Unordered:
		return nil // nothing newer before it
	case len(h.buffer) > 0 && r.mayTrack(h) > 0:
		r.handOutNew(h, b)
	default:
		return nil
	}
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
	return min(r.cfg.BatchSize, r.cfg.CheckpointLimit-h.tracker.Pending())
}

func (r *Reader) handOutNew(h *hold, b *Batch) {
	held, full := h.bytes, r.buffered >= r.cfg.FetchMax
	entries, read := h.cut(r.mayTrack(h))
	r.buffered -= held - h.bytes
	span := h.tracker.Track(entries, read)
	b.Entries, b.refs = entries, make([]ref, len(entries))
	for i := range entries {
		b.refs[i] = ref{span, i}
	}
	switch {
	case full && r.buffered < r.cfg.FetchMax:
		r.wakeAllFetchers()
	case r.hasRoom(h):
		r.wakeFetcher(h.lease.Split)
	}
}

func (r *Reader) handOutReplay(h *hold, b *Batch) {
	next := h.replays[0]
	h.replays = h.replays[1:]
	if len(h.replays) > 0 {
		r.delay(h) // the next may not be due yet
	}
	b.refs, b.Deliveries = next.refs, next.deliveries+1
	b.Entries = make([]Entry, len(b.refs))
	for i, ref := range b.refs {
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

// resolve takes the outcome of a batch: entries with again set are handed out once more (or passed over), the others are done. It
// returns how many of those with again set there were. Nothing happens if the lease is over: another member may
// have the split by now.
func (r *Reader) resolve(b *Batch, again []bool) (redelivered int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := b.hold
	if h.phase == over {
		return 0
	}
	h.inflight--
	h.since = r.cfg.Now()
	var failed []ref
	for i, ref := range b.refs {
		if again != nil && again[i] {
			redelivered++
			if !r.cfg.SkipNacked {
				failed = append(failed, ref)
				continue
			}
		}
		h.tracker.Resolve(ref.span, ref.index)
	}
	if len(failed) > 0 {
		r.replayLater(h, replay{refs: failed, deliveries: b.Deliveries})
	}
	if h.phase == draining {
		r.changed.raise()
		return redelivered
	}
	r.enqueue(h)
	r.endIfBack(h)
	return redelivered
}

// Waits before entries that were nacked are handed out again: they double with every delivery.
const (
	replayAfter    = 10 * time.Millisecond
	replayAtMost   = 5 * time.Second
	replayDoubling = 9 // doublings until replayAtMost is reached
)

func (r *Reader) replayLater(h *hold, again replay) {
	wait := min(replayAfter<<min(again.deliveries-1, replayDoubling), replayAtMost)
	again.due = r.cfg.Now().Add(wait)
	h.replays = append(h.replays, again)
	slices.SortStableFunc(h.replays, func(a, b replay) int { return a.due.Compare(b.due) })
	r.delay(h)
}

// delay has Poll look at the split again when its next replay is due. The lock is held.
func (r *Reader) delay(h *hold) {
	if !slices.Contains(r.delayed, h) {
		r.delayed = append(r.delayed, h)
	}
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.readable.raise()
}
