package splits

import "time"

const (
	// freeBudget is the size from which a budget does not bound requests: other bounds are lower.
	freeBudget = 64 << 20
	// answerTimeShare: an answer should take a quarter of the time that it may take, since its size
	// is an estimate.
	answerTimeShare = 4
	// sampleBytes is the size from which the time of an answer shows the speed of the connection.
	sampleBytes = 64 << 10
	// smallAnswer is the size up to which the time of an answer is the latency of the connection.
	smallAnswer = 4 << 10

	// minCeiling is the lowest size that is remembered as too large: failures of smaller answers
	// are more likely an outage.
	minCeiling = 128 << 10
	// A size that was too large is not tried again for ceilingFor. The time doubles with each
	// failure, up to maxCeilingFor.
	ceilingFor    = time.Minute
	maxCeilingFor = 16 * time.Minute
)

// budget is the number of bytes that an answer may have in order to arrive in time, according to
// earlier answers and failures. It falls immediately and grows with each answer that was fast
// enough. It begins at targetReplyBytes.
type budget struct {
	bytes   int // 0: no bound
	known   bool
	latency time.Duration
	ceiling int // answers of this size failed
	until   time.Time
	lasts   time.Duration // how long the last ceiling holds; 0 if no answer has failed
}

// bound returns n, or the budget if that is less.
func (b *budget) bound(n int) int {
	switch {
	case !b.known:
		return min(n, targetReplyBytes)
	case b.bytes > 0:
		return min(n, b.bytes)
	}
	return n
}

// succeeded learns from an answer that took so long; within is how long an answer may take.
func (b *budget) succeeded(bytes int, took, within time.Duration, now time.Time) {
	if bytes <= smallAnswer {
		if b.latency += (took - b.latency) / 8; took < b.latency {
			b.latency = took
		}
	}
	aim := within / answerTimeShare
	net := max(took-b.latency, time.Microsecond)
	switch {
	case within <= 0 || bytes == 0:
	case net > aim:
		b.set(int(float64(bytes) * float64(aim) / float64(net)))
	case b.lasts > 0: // after a failure, the budget grows in steps
		b.grow(bytes, net < aim/2, now)
	case bytes >= sampleBytes:
		b.set(int(min(freeBudget, float64(bytes)*float64(aim)/float64(net))))
	}
}

// grow doubles the budget if the answer used at least half of it, up to a size that failed
// recently.
func (b *budget) grow(bytes int, fast bool, now time.Time) {
	if !fast || bytes < b.bytes/2 {
		return
	}
	next := 2 * b.bytes
	if now.Before(b.until) {
		next = max(b.bytes, min(next, b.ceiling/4*3))
	}
	b.set(next)
}

func (b *budget) set(bytes int) {
	b.known, b.bytes = true, max(1, bytes)
	if bytes >= freeBudget {
		b.bytes, b.lasts = 0, 0
	}
}

// failed learns that an answer of about so many bytes did not arrive.
func (b *budget) failed(bytes int, now time.Time) {
	bytes = b.bound(bytes)
	b.set(bytes / 2)
	if !now.Before(b.until) {
		b.lasts = min(2*b.lasts, maxCeilingFor)
	}
	b.lasts = max(b.lasts, ceilingFor)
	if bytes >= minCeiling {
		b.ceiling, b.until = bytes, now.Add(b.lasts)
	}
}

// forgetFailures drops what was learned from failures: they turned out to be an outage.
func (b *budget) forgetFailures() {
	if b.lasts > 0 {
		*b = budget{latency: b.latency}
	}
}
