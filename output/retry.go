package output

import (
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/rafka-streams/rafka/internal/appender"
)

// giveUp is what NextBackOff returns to end the retries.
const giveUp time.Duration = -1

// retryPolicy is how long and how often a failed append is tried again.
type retryPolicy struct {
	initial, highest time.Duration
	// elapsed is the most time that the retries of one append may take; 0 is no limit.
	elapsed time.Duration
	// retries is their most number; 0 is no limit.
	retries int
}

// patience times the retries of one append. While the engine waits for a connection nobody waits
// for the append, and its budget starts anew: what an outage interrupted goes on under the same
// sequence number however long it took, so that nothing is written twice.
type patience struct {
	policy  retryPolicy
	waits   *backoff.ExponentialBackOff
	away    func() bool
	now     func() time.Time
	started time.Time
	tries   int
}

// newBackoff returns the maker of the appender's back-offs; away reports whether the engine waits
// for a connection.
func (p retryPolicy) newBackoff(away func() bool) func() appender.Backoff {
	return func() appender.Backoff { return p.newPatience(away, time.Now) }
}

func (p retryPolicy) newPatience(away func() bool, now func() time.Time) *patience {
	waits := backoff.NewExponentialBackOff(backoff.WithInitialInterval(p.initial), backoff.WithMaxInterval(p.highest),
		backoff.WithMaxElapsedTime(0))
	return &patience{policy: p, waits: waits, away: away, now: now}
}

// NextBackOff returns the time until the next attempt, or a negative number if there is to be none.
func (p *patience) NextBackOff() time.Duration {
	wait, now := p.waits.NextBackOff(), p.now()
	if p.started.IsZero() || p.away() {
		p.started, p.tries = now, 0
	}
	p.tries++
	if p.policy.retries > 0 && p.tries > p.policy.retries {
		return giveUp
	}
	if p.policy.elapsed > 0 && now.Add(wait).Sub(p.started) > p.policy.elapsed {
		return giveUp
	}
	return wait
}
