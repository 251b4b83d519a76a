package splits

import (
	"context"
	"time"
)

// signal wakes one goroutine. It holds one token and drops the rest: the state that it points at is
// the truth.
type signal chan struct{}

func newSignal() signal { return make(signal, 1) }

func (s signal) raise() {
	select {
	case s <- struct{}{}:
	default:
	}
}

// sleepOr waits for the signal, at most for d, or until ctx ends. It returns ctx's error.
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
