package splits

import (
	"context"
	"time"
)

// What the members of consumer groups and of share groups do while they wait for something to hand
// out, for the store, or for hints.

const (
	// unavailableAfter is how long the store may be unavailable before Poll returns an error.
	unavailableAfter = time.Second
	// awaitEvery is how often Await checks whether there is something to hand out.
	awaitEvery = 100 * time.Millisecond
)

// batchSource is the set of splits of a member.
type batchSource interface {
	// nextBatch returns the next batch that is ready. If there is none, it returns how long there
	// will be none unless something changes.
	nextBatch() (b *Batch, wait time.Duration, closed bool)
	// checkStall returns how long everything has waited for an acknowledgement. It returns 0 if
	// that is too short, or was returned before. began is when the poll began.
	checkStall(now, began time.Time) time.Duration
	// hasReady reports whether there is something to hand out, or will be soon.
	hasReady() bool
	isClosed() bool
}

// poll returns the next batch. It waits until there is one; until ctx ends (then it returns its
// error); until the source is closed (ErrClosed); or, while there is nothing to hand out, until the
// store has been unavailable for unavailableAfter (*UnavailableError). The source raises readable
// when there may be a batch. Only one goroutine may poll at a time.
func (h *health) poll(ctx context.Context, source batchSource, readable signal) (*Batch, error) {
	began := h.now()
	for {
		b, wait, closed := source.nextBatch()
		if b != nil {
			return b, nil
		}
		if closed {
			return nil, ErrClosed
		}
		if h.now().Sub(began) >= unavailableAfter {
			if _, err := h.longestProblem(unavailableAfter); err != nil {
				return nil, &UnavailableError{Cause: err}
			}
		}
		if stalled := source.checkStall(h.now(), began); stalled > 0 {
			h.observer.Stalled(stalled)
		}
		if err := sleepOr(ctx, wait, readable); err != nil {
			return nil, err
		}
	}
}

// await waits until the group has been joined and the store is available, or there is something to
// hand out, or ctx ends. Then it returns why the store is unavailable, or ctx's error if it is
// available. beaten is raised by every beat that succeeded.
func (h *health) await(ctx context.Context, source batchSource, joined func() bool, beaten signal) error {
	for {
		changed, err := h.longestProblem(0)
		if source.isClosed() {
			return ErrClosed
		}
		if source.hasReady() || (err == nil && joined()) {
			return nil
		}
		select {
		case <-ctx.Done():
			if err != nil {
				return err
			}
			return ctx.Err()
		case <-changed:
		case <-beaten:
		case <-time.After(awaitEvery):
		}
	}
}

// subscribe keeps a subscription to the hints of a group until ctx ends. again ends a back-off
// early.
func subscribe(ctx context.Context, now func() time.Time, backoff Backoff, again signal, wake func() error) {
	for ctx.Err() == nil {
		began := now()
		_ = wake()
		if now().Sub(began) > time.Minute {
			backoff.Reset()
		}
		// Hints only save time, so the error does not matter.
		_ = sleepOr(ctx, backoff.NextBackOff(), again)
	}
}
