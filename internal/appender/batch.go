package appender

import (
	"fmt"
	"time"
)

// batch is the append that a partition is sending, from its first attempt to its outcome. In flight
// it belongs to its writer, otherwise to the Appender's lock.
type batch struct {
	Request
	segments []segment
	count    int // records
	size     int // bytes
	// attempts is how often the batch was sent.
	attempts int
	// retries is how many failed attempts were followed by a back-off and another attempt.
	retries   int
	certainty certainty
	// resent is true if the last answer gave the batch a new number.
	resent bool
	// lastErr is the error of the last attempt.
	lastErr error
	// backoff is made at the first failure.
	backoff Backoff
}

// segment is some consecutive records of a Pending.
type segment struct {
	pending *Pending
	from, n int
}

// add takes the next n records of a Pending.
func (b *batch) add(p *Pending, n, size int) {
	b.segments = append(b.segments, segment{pending: p, from: p.taken, n: n})
	b.count += n
	b.size += size
	p.taken += n
}

// assemble lists the records. It does so only once: every retry sends the same list.
func (b *batch) assemble() {
	if b.Records != nil {
		return
	}
	if len(b.segments) == 1 {
		s := b.segments[0]
		b.Records = s.pending.records[s.from : s.from+s.n : s.from+s.n]
		return
	}
	b.Records = make([]Record, 0, b.count)
	for _, s := range b.segments {
		b.Records = append(b.Records, s.pending.records[s.from:s.from+s.n]...)
	}
}

// decide finds out what follows from the result of an attempt, and updates the batch. The batch
// must be in flight.
func (b *batch) decide(r Result, c *Config) decision {
	b.attempts++
	t := transitionFor(r.Status, b.certainty)
	b.certainty = t.after
	d := decision{next: t.next, status: r.Status, newEpoch: bool(t.epoch), above: r.Epoch}
	// A store that never agrees must not be called in a tight loop.
	if t.next == resend && b.resent {
		d.next = backOff
	}
	b.resent = t.next == resend
	if d.next == backOff {
		d.retryable = true
		if d.delay = b.nextDelay(c); d.delay < 0 {
			d.next, t.err = finish, gaveUpError
			d.newEpoch = d.newEpoch || b.certainty == uncertain
		}
	}
	d.err = b.errorOf(t.err, r)
	d.endsRetries = d.next == finish && b.attempts > 1
	switch {
	case d.confirmed():
		d.written = b.count
	case r.Status == Partial:
		d.written = max(0, min(r.Count, b.count))
	}
	return d
}

// nextDelay returns the time until the next attempt, and counts it as a retry. It returns a
// negative number if no retry is left.
func (b *batch) nextDelay(c *Config) time.Duration {
	if c.Backoff == nil || c.MaxRetries > 0 && b.retries >= c.MaxRetries {
		return -1
	}
	if b.backoff == nil {
		b.backoff = c.Backoff()
	}
	delay := b.backoff.NextBackOff()
	if delay >= 0 {
		b.retries++
	}
	return delay
}

// errorOf makes the error of the batch after an answer.
func (b *batch) errorOf(kind errorKind, r Result) error {
	if kind == noError {
		return nil
	}
	cause := r.Err
	if cause == nil {
		cause = fmt.Errorf("the store answered %s", r.Status)
	}
	switch kind {
	case gaveUpError:
		return b.gaveUp(cause)
	case partitionedError:
		return ErrPartitioned
	default:
		return cause
	}
}

func (b *batch) gaveUp(cause error) error {
	return &GaveUpError{
		Target: b.Target, Attempts: b.attempts, MayBeWritten: b.certainty == uncertain, Err: cause,
	}
}

// stall marks the callers' Pendings as waiting for a retry.
func (b *batch) stall() {
	for _, s := range b.segments {
		s.pending.stall()
	}
}

// resolve gives the first written records success and the others err as their outcome. It empties
// the batch.
func (b *batch) resolve(written int, err error) {
	for _, s := range b.segments {
		good := min(s.n, written)
		written -= good
		s.pending.resolve(s.from, good, nil)
		s.pending.resolve(s.from+good, s.n-good, err)
	}
	segments := b.segments[:0]
	if clear(b.segments); cap(segments) > maxKept {
		segments = nil
	}
	*b = batch{segments: segments}
}
