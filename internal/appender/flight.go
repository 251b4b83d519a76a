package appender

import (
	"fmt"
	"time"
)

// flight is the one append of a partition that is under way, from its first attempt to its outcome.
// While the store is being asked it belongs to the writer that asks, at all other times to the
// Appender's lock.
type flight struct {
	Append
	parts []part
	count int // records
	size  int // bytes
	// attempts counts how often the append was sent.
	attempts int
	// retries counts the failed attempts that were followed by another one.
	retries int
	// open says that the outcome of an attempt is not known, and no later one has settled it.
	open bool
	// renumbered says that the last answer gave the append new numbers.
	renumbered bool
	// cause is why the last attempt was not the last one.
	cause error
	// backoff is made at the first failure.
	backoff Backoff
}

// part is a run of a Pending's records.
type part struct {
	pending *Pending
	from, n int
}

// verdict is what an answer of the store means for the append.
type verdict struct {
	next step
	// delay is how long to wait before a retry.
	delay time.Duration
	// written is how many records, from the first, are in the stream if the append has ended.
	written int
	// cause is the error of the others, or of the attempt.
	cause error
	// stalls says that this attempt failed in a way that a retry may mend.
	stalls bool
	// confirm says that the store holds this sequence number now; raise that a new epoch must
	// begin, higher than above.
	confirm, raise bool
	above          uint64
	// reroute says that what is queued for the same target has gone astray as well.
	reroute bool
}

// step is what to do with an append next.
type step int

const (
	settle  step = iota // it has its outcome
	resend              // send it again at once
	backOff             // send it again after the delay
)

// add takes the next n records of a Pending.
func (f *flight) add(p *Pending, n, size int) {
	f.parts = append(f.parts, part{pending: p, from: p.taken, n: n})
	f.count += n
	f.size += size
	p.taken += n
}

// assemble lists the records, once: every retry sends the same list.
func (f *flight) assemble() {
	if f.Records != nil {
		return
	}
	if len(f.parts) == 1 {
		p := f.parts[0]
		f.Records = p.pending.records[p.from : p.from+p.n : p.from+p.n]
		return
	}
	f.Records = make([]Record, 0, f.count)
	for _, p := range f.parts {
		f.Records = append(f.Records, p.pending.records[p.from:p.from+p.n]...)
	}
}

// judge decides what follows from the answer to an attempt.
func (f *flight) judge(r Result, c *Config) verdict {
	f.attempts++
	cause := r.Err
	if cause == nil {
		cause = fmt.Errorf("the append was answered %s", r.Status)
	}
	renumbered := f.renumbered
	f.renumbered = false
	switch r.Status {
	case Written, Duplicate:
		return verdict{written: f.count, confirm: true}
	case Refused:
		return f.repeat(cause, c)
	case Unknown:
		f.open = true
		return f.repeat(cause, c)
	case Gap:
		// The store has not even the append before this one, hence none of this one's attempts.
		f.open = false
		return f.renumber(renumbered, r.Epoch, cause, c)
	case Stale:
		if f.open {
			// An attempt may have been written before the higher epoch came: under a new number it
			// would be there twice.
			return verdict{cause: f.gaveUp(cause), raise: true, above: r.Epoch}
		}
		return f.renumber(renumbered, r.Epoch, cause, c)
	case Partitioned:
		return verdict{cause: ErrPartitioned, raise: f.open, reroute: true}
	case Partial:
		v := f.failed(cause)
		v.raise, v.written = true, max(0, min(r.Count, f.count))
		return v
	default:
		return f.failed(cause)
	}
}

// failed ends the append for a reason that a retry doesn't mend.
func (f *flight) failed(cause error) verdict {
	if f.open {
		cause = f.gaveUp(cause)
	}
	return verdict{cause: cause, raise: f.open}
}

// repeat sends the very same append once more after a back-off, or gives up.
func (f *flight) repeat(cause error, c *Config) verdict {
	delay := f.nextDelay(c)
	if delay < 0 {
		return verdict{cause: f.gaveUp(cause), raise: f.open, stalls: true}
	}
	f.retries++
	return verdict{next: backOff, delay: delay, cause: cause, stalls: true}
}

// renumber sends the same records under a new epoch: the first time at once, but with a back-off if
// the answer to the attempt before was of this kind too, so that a store which never agrees is not
// asked in a tight loop.
func (f *flight) renumber(before bool, above uint64, cause error, c *Config) verdict {
	v := verdict{next: resend, cause: cause}
	if before {
		v = f.repeat(cause, c)
	}
	f.renumbered = true
	v.raise, v.above = true, above
	return v
}

// nextDelay returns the time until the next attempt, negative if there shall be none.
func (f *flight) nextDelay(c *Config) time.Duration {
	if c.Backoff == nil || c.MaxRetries > 0 && f.retries >= c.MaxRetries {
		return -1
	}
	if f.backoff == nil {
		f.backoff = c.Backoff()
	}
	return f.backoff.NextBackOff()
}

func (f *flight) gaveUp(cause error) error {
	return &GaveUpError{Target: f.Target, Attempts: f.attempts, MayBeWritten: f.open, Err: cause}
}

// stall tells the callers whose records are under way.
func (f *flight) stall(cause error) {
	for _, p := range f.parts {
		p.pending.stall(cause)
	}
}

// resolve gives the records their outcome, the first written ones and the others, and lets go of
// them.
func (f *flight) resolve(written int, err error) {
	for _, p := range f.parts {
		good := min(p.n, written)
		written -= good
		p.pending.resolve(p.from, good, nil)
		p.pending.resolve(p.from+good, p.n-good, err)
	}
	parts := f.parts[:0]
	if clear(f.parts); cap(parts) > maxKept {
		parts = nil
	}
	*f = flight{parts: parts}
}
