package simulation

import (
	"errors"
	"math/rand/v2"

	"github.com/rafka-streams/rafka/splits"
)

// What pipelines reject, and what they say of it: the truth, something else, or nothing.

var errRejected = errors.New("rejected")

// mostFailures is how many batches with a bad record fail at most.
const mostFailures = 20

// fails returns which entries of the batch fail: those that are bad, and at times others. In the
// end nothing does.
func (p *process) fails(b *splits.Batch, r *rand.Rand) (failed []int) {
	if p.plan.gentle || p.healed() {
		return nil
	}
	if failed = p.oracle.badOnes(b); len(failed) > 0 {
		p.tally.hit("bad record")
		return failed
	}
	if r.IntN(12) > 0 {
		return nil
	}
	p.tally.hit("nack")
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

func (p *process) healed() bool {
	select {
	case <-p.stuck:
		return true
	default:
		return false
	}
}

// hint returns what the rejection says of which entries failed.
func (p *process) hint(failed []int, n int, r *rand.Rand) []int {
	switch r.IntN(4) {
	case 0:
		p.tally.hit("(hint none)")
		return nil
	case 1:
		p.tally.hit("hint wrong")
		return r.Perm(n)[:1+r.IntN(n)]
	}
	p.tally.hit("(hint right)")
	return failed
}

// badOnes returns which entries of the batch are bad, and counts a failure of each.
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
