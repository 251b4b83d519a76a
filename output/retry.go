package output

import (
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/rafka-streams/rafka/internal/appender"
)

// giveUp is the result of NextBackOff that ends the retries.
const giveUp time.Duration = -1

// retryPolicy limits the retries of a failed append.
type retryPolicy struct {
	initial, longest time.Duration
	// maxElapsed is the maximum duration of the retries of one append; 0 means no limit.
	maxElapsed time.Duration
	// maxRetries is the maximum number of retries of one append; 0 means no limit.
	maxRetries int
}

// retryBackoff times the retries of one append. While the engine waits for a connection, its limits
// do not apply and begin again. So an append that an outage interrupted continues under the same
// sequence number, however long the outage lasts, and is not written twice.
type retryBackoff struct {
	policy       retryPolicy
	waits        *backoff.ExponentialBackOff
	disconnected func() bool
	now          func() time.Time
	started      time.Time
	tries        int
}

// newBackoff returns the function that makes the appender's back-offs. disconnected reports whether
// the engine waits for a connection.
func (p retryPolicy) newBackoff(disconnected func() bool) func() appender.Backoff {
	return func() appender.Backoff { return p.newRetryBackoff(disconnected, time.Now) }
}

func (p retryPolicy) newRetryBackoff(disconnected func() bool, now func() time.Time) *retryBackoff {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(p.initial), backoff.WithMaxInterval(p.longest),
		backoff.WithMaxElapsedTime(0))
	return &retryBackoff{policy: p, waits: waits, disconnected: disconnected, now: now}
}

// NextBackOff returns the time until the next attempt, or giveUp.
func (b *retryBackoff) NextBackOff() time.Duration {
	wait, now := b.waits.NextBackOff(), b.now()
	if b.started.IsZero() || b.disconnected() {
		b.started, b.tries = now, 0
	}
	b.tries++
	if b.policy.maxRetries > 0 && b.tries > b.policy.maxRetries {
		return giveUp
	}
	if b.policy.maxElapsed > 0 && now.Add(wait).Sub(b.started) > b.policy.maxElapsed {
		return giveUp
	}
	return wait
}
