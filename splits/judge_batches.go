package splits

import (
	"slices"
	"time"
)

// What a judge does when a batch of its member is handed out, and when it is rejected. The lock of
// the set is held.

// ignoreHintsFor is how long hints are ignored after one was wrong: a pipeline that gives wrong
// hints usually gives more of them.
const ignoreHintsFor = time.Minute

// begin notes that a batch of a split is about to be handed out, before it is filled. It reports
// false if the batch must wait for another one; wake is raised when that has changed. If the next
// entry is to be given up but for other batches, it is handed out alone, or beside others if that
// is not possible.
func (j *judge[S]) begin(s S, fl *inFlightBatch, now time.Time, wake signal) bool {
	alone := aloneNever
	if l := s.handOuts().isolation.nextLone(now); l != nil && j.needsAlone(l) {
		if alone, l.hanging = j.batches.beginAlone(s, j.set, true, now, wake); alone == aloneLater {
			return false
		}
	}
	return j.batches.handOut(fl, j.set, alone, now, wake)
}

// fail takes back a piece of a split that was rejected, and returns its entry if it had only one.
// suspects are the indexes of the entries that a hint names.
func (j *judge[S]) fail(s S, p piece, suspects []int, cause error, now time.Time) (alone *loneFailure) {
	if now.Before(j.ignoreHintsUntil) {
		suspects = nil
	}
	if j.failed(now) {
		j.verdictWanted.raise()
	}
	alone, misled := s.handOuts().isolation.fail(p, sorted(suspects), cause, now)
	if misled {
		j.ignoreHintsUntil = now.Add(ignoreHintsFor)
	}
	return alone
}

func sorted(indexes []int) []int { return slices.Compact(slices.Sorted(slices.Values(indexes))) }

// rejection is what follows from a batch that failed.
type rejection struct {
	counts   bool // the failure counts: it does not if the batch is void
	isolated bool // the only entry of the batch failed alone for the first time
	// certain is to be called when it is known that no other batch failed that was in flight at the
	// same time. It is nil if the batch had several entries.
	certain func()
}

// rejected decides about an entry that failed alone, if that was not possible when its last failure
// was counted, and returns what follows from its batch. alone is nil if no entry failed alone.
func (j *judge[S]) rejected(s S, alone *loneFailure, cause error, now time.Time) rejection {
	if alone == nil {
		return rejection{counts: true}
	}
	alone.witnessed = j.successes
	if alone.unjudged && j.holds(s, alone) {
		j.decide(s, alone, now)
	}
	return rejection{
		counts: true, isolated: alone.attempts == 1, certain: func() { j.confirm(s, alone, cause) },
	}
}
