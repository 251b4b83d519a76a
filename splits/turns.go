package splits

import (
	"slices"
	"time"
)

// turns is the queue of the splits of a member that have something to hand out: they are served in
// turn. The lock of the set guards it.
type turns[S served] struct {
	ready   []S
	kept    []S        // that another batch of the process keeps back
	delayed []S        // with something to hand out again that is not due yet
	passed  passedOver // not reported yet
	// readable is raised when there may be something to hand out.
	readable signal
}

// served is a split of a member of a consumer group or of a share group.
type served interface {
	comparable
	// serving reports whether anything of the split may be handed out.
	serving() bool
	handOuts() *handOutState
}

// handOutState is where handing out entries of a split stands. The lock of the set guards it.
type handOutState struct {
	isolation   isolation // entries that were rejected, or wait in lanes
	inflight    int       // batches in flight
	oldestSince time.Time // when the oldest batch in flight was handed out, or one came back
	queued      bool      // is in turns.ready or turns.kept
	reportedAt  time.Time // when a lasting failure was reported last; zero if none is
}

func (h *handOutState) handOuts() *handOutState { return h }

// enqueue queues a split for Poll unless it is queued already.
func (t *turns[S]) enqueue(s S) {
	h := s.handOuts()
	if h.queued || !s.serving() {
		return
	}
	h.queued = true
	t.ready = append(t.ready, s)
	t.readable.raise()
}

// keepBack queues a split for the next call of next.
func (t *turns[S]) keepBack(s S) {
	if h := s.handOuts(); !h.queued {
		h.queued = true
		t.kept = append(t.kept, s)
	}
}

// delay queues a split whose rejected entries are not due yet, if it has any.
func (t *turns[S]) delay(s S) {
	if s.handOuts().isolation.empty() || slices.Contains(t.delayed, s) {
		return
	}
	t.delayed = append(t.delayed, s)
	t.readable.raise()
}

// wakeDelayed queues the splits whose entries are due to be handed out again, and returns the time
// until the next ones are.
func (t *turns[S]) wakeDelayed(now time.Time) time.Duration {
	wait := pollEvery
	t.delayed = slices.DeleteFunc(t.delayed, func(s S) bool {
		left := s.handOuts().isolation.wait(now)
		if !s.serving() || left < 0 {
			return true
		}
		if left > 0 {
			wait = min(wait, left)
			return false
		}
		t.enqueue(s)
		return true
	})
	return wait
}

// anyReady reports whether there is something to hand out, or will be when another batch of the
// process has returned: only next notices that.
func (t *turns[S]) anyReady(now time.Time) bool {
	t.wakeDelayed(now)
	return len(t.ready)+len(t.kept) > 0
}

// next returns the next batch. If there is none, it returns how long there will be none unless
// something changes.
func (t *turns[S]) next(now time.Time, handOut func(S, time.Time) *Batch) (b *Batch, wait time.Duration) {
	wait = t.wakeDelayed(now)
	t.ready, t.kept = append(t.ready, t.kept...), nil
	for len(t.ready) > 0 {
		var none S
		s := t.ready[0]
		t.ready[0], t.ready = none, t.ready[1:]
		s.handOuts().queued = false
		if b = handOut(s, now); b != nil {
			return b, 0
		}
	}
	return nil, wait
}

// handedOut notes that a batch is handed out now.
func (h *handOutState) handedOut(b *Batch, now time.Time) {
	b.piece.handedOutAt, b.Deliveries = now, b.piece.deliveries+1
	if b.piece.lone != nil {
		b.Attempts = b.piece.lone.confirmed
	}
	if h.inflight++; h.inflight == 1 {
		h.oldestSince = now
	}
}

// cameBack notes that a batch was acknowledged or rejected.
func (h *handOutState) cameBack(now time.Time) {
	h.inflight--
	h.oldestSince = now
}
