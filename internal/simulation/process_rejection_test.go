package simulation

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Which entries a pipeline rejects, and what its hint says about them: the truth, something else,
// or nothing.

var (
	errRejected = errors.New("rejected")
	errUnfit    = errors.New("unfit")
	errSinkDown = errors.New("the sink is down")
	errMerged   = errors.New("another batch was rejected, and the sink has merged it with this one")
)

// mostFailures is the maximum number of batches that fail because of one bad record.
const mostFailures = 20

// fails returns the indexes of the entries that fail, and why; nil if none does. Bad records fail,
// and sometimes others. After the faults are over, only unfit records fail.
func (p *process) fails(b *splits.Batch, began time.Time, r *rand.Rand) (failed []int, cause error) {
	bad, why := p.oracle.badOnes(b, p.plan.gentle || p.faultsEnded())
	return p.rejected(bad, why, len(b.Entries), began, r)
}

// rejected is fails for a batch of n entries that began some time ago. bad are the bad records in
// it, and why they fail.
func (h *host) rejected(bad []int, why error, n int, began time.Time, r *rand.Rand) (failed []int, cause error) {
	switch {
	case time.Now().UnixNano() < h.down.Load():
		h.counts.count("(rejected while the sink is down)")
		return nil, errSinkDown
	case why != nil:
		h.counts.count("bad record")
		if !h.plan.gentle && r.IntN(4) == 0 {
			h.merged.Store(time.Now().UnixNano())
		}
		return bad, why
	case h.plan.gentle || h.faultsEnded():
		return nil, nil
	case began.UnixNano() < h.merged.Load():
		h.counts.count("rejected with another batch")
		return nil, errMerged
	case r.IntN(12) > 0:
		return nil, nil
	}
	h.counts.count("nack")
	for i := range n {
		if r.IntN(3) == 0 {
			failed = append(failed, i)
		}
	}
	if len(failed) == 0 {
		failed = append(failed, r.IntN(n))
	}
	return failed, errRejected
}

// hint returns the indexes that the rejection reports as failed.
func (h *host) hint(failed []int, n int, r *rand.Rand) []int {
	switch r.IntN(4) {
	case 0:
		h.counts.count("(hint none)")
		return nil
	case 1:
		h.counts.count("hint wrong")
		return r.Perm(n)[:1+r.IntN(n)]
	}
	h.counts.count("(hint right)")
	return failed
}

// badOnes returns the indexes of the records in the batch that fail and why, and counts a failure
// of each. Records that are not unfit fail only a few times, and not at all if healed.
func (o *oracle) badOnes(b *splits.Batch, healed bool) (bad []int, cause error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, e := range b.Entries {
		switch r := o.records[e.Fields[1]]; {
		case r.unfit:
			bad, cause = append(bad, i), errUnfit
		case r.failures > 0 && !healed:
			r.failures--
			bad = append(bad, i)
			if cause == nil {
				cause = errRejected
			}
		}
	}
	return bad, cause
}

// noteAcknowledged records that a process has learned that a batch was processed.
func (o *oracle) noteAcknowledged(owner string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.book.acknowledged(owner)
}

// sinkDown makes the sink of a process reject everything for a while.
func (h *host) sinkDown(d time.Duration) { h.down.Store(time.Now().Add(d).UnixNano()) }

// sinkUp ends that.
func (h *host) sinkUp() { h.down.Store(0) }
