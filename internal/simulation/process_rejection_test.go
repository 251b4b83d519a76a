package simulation

import (
	"errors"
	"math/rand/v2"

	"github.com/rafka-streams/rafka/splits"
)

// Which entries a pipeline rejects, and what its hint says about them: the truth, something else,
// or nothing.

var errRejected = errors.New("rejected")

// mostFailures is the maximum number of batches that fail because of one bad record.
const mostFailures = 20

// fails returns the indexes of the entries that fail: bad records, and sometimes others. After the
// faults are over, nothing fails.
func (p *process) fails(b *splits.Batch, r *rand.Rand) (failed []int) {
	if p.plan.gentle || p.faultsEnded() {
		return nil
	}
	if failed = p.oracle.badOnes(b); len(failed) > 0 {
		p.counts.count("bad record")
		return failed
	}
	if r.IntN(12) > 0 {
		return nil
	}
	p.counts.count("nack")
	for i := range b.Entries {
		if r.IntN(3) == 0 {
			failed = append(failed, i)
		}
	}
	if len(failed) == 0 {
		failed = append(failed, r.IntN(len(b.Entries)))
	}
	return failed
}

// hint returns the indexes that the rejection reports as failed.
func (p *process) hint(failed []int, n int, r *rand.Rand) []int {
	switch r.IntN(4) {
	case 0:
		p.counts.count("(hint none)")
		return nil
	case 1:
		p.counts.count("hint wrong")
		return r.Perm(n)[:1+r.IntN(n)]
	}
	p.counts.count("(hint right)")
	return failed
}

// badOnes returns the indexes of the bad records in the batch, and counts a failure of each.
func (o *oracle) badOnes(b *splits.Batch) (bad []int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, e := range b.Entries {
		if r := o.records[e.Fields[1]]; r.failures > 0 {
			r.failures--
			bad = append(bad, i)
		}
	}
	return bad
}
