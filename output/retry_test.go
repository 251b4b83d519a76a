package output

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// clock is a time that only the test changes.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// exhaust calls NextBackOff until it gives up. It returns the number and the total time of the
// retries.
func exhaust(p *retryBackoff, c *clock) (tries int, took time.Duration) {
	for start := c.at; ; tries++ {
		wait := p.NextBackOff()
		if wait < 0 || tries > 1000 {
			return tries, c.at.Sub(start)
		}
		c.at = c.at.Add(wait)
	}
}

func TestRetriesEndAfterMaxElapsed(t *testing.T) {
	c := &clock{at: time.Unix(1000, 0)}
	policy := retryPolicy{initial: 100 * time.Millisecond, longest: 2 * time.Second, maxElapsed: 2 * time.Minute}
	tries, took := exhaust(policy.newRetryBackoff(func() bool { return false }, c.now), c)
	assert.Greater(t, tries, 30)
	assert.InDelta(t, float64(2*time.Minute), float64(took), float64(4*time.Second))
}

func TestRetriesEndAfterMaxRetries(t *testing.T) {
	c := &clock{at: time.Unix(1000, 0)}
	policy := retryPolicy{initial: time.Millisecond, longest: time.Second, maxRetries: 3}
	tries, _ := exhaust(policy.newRetryBackoff(func() bool { return false }, c.now), c)
	assert.Equal(t, 3, tries)
}

func TestRetriesWithoutLimitsContinue(t *testing.T) {
	c := &clock{at: time.Unix(1000, 0)}
	policy := retryPolicy{initial: time.Millisecond, longest: time.Second}
	tries, _ := exhaust(policy.newRetryBackoff(func() bool { return false }, c.now), c)
	assert.Greater(t, tries, 1000)
}

// An append that waits for Redis keeps its sequence number. If it were given up, its messages would
// be written twice or lost.
func TestOutageDoesNotConsumeRetries(t *testing.T) {
	c := &clock{at: time.Unix(1000, 0)}
	disconnected := true
	policy := retryPolicy{
		initial:    100 * time.Millisecond,
		longest:    2 * time.Second,
		maxElapsed: time.Minute,
		maxRetries: 5,
	}
	p := policy.newRetryBackoff(func() bool { return disconnected }, c.now)
	for range 1000 {
		wait := p.NextBackOff()
		assert.Positive(t, wait)
		c.at = c.at.Add(wait)
	}
	disconnected = false
	tries, _ := exhaust(p, c)
	assert.Equal(t, 4, tries, "the last retry of the outage is the first that counts")
}
