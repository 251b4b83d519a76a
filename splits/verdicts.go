package splits

import "time"

// verdicts decides which entries that keep failing are given up, among the entries of a member. An
// outage of what processes the entries looks like entries that fail. So an entry is given up only
// if other entries are processed, or if there are none and it has failed for long.
type verdicts struct {
	cfg          DeadLetters
	successes    int       // number of batches that were processed
	given        int       // entries given up since the last one, or about to be
	suspended    bool      // an entry would have been given up, but for the entries given up before
	failingSince time.Time // when the first batch failed since the last one was processed; zero if none has
}

// succeeded notes that a batch was processed, and reports whether outputDown can have returned an
// error before.
func (v *verdicts) succeeded() (resumed bool) {
	resumed = v.suspended || !v.failingSince.IsZero()
	v.given, v.suspended, v.failingSince = 0, false, time.Time{}
	v.successes++
	return resumed
}

// failed notes that a batch failed, and reports whether outputDown returns an error.
func (v *verdicts) failed(now time.Time) bool {
	if v.failingSince.IsZero() {
		v.failingSince = now
	}
	return v.outputDown(now) != nil
}

// outputDown returns an error if what processes the entries probably fails itself: nothing was
// processed for about as long as it takes to give up an entry.
func (v *verdicts) outputDown(now time.Time) error {
	switch {
	case v.cfg.Letters == nil:
		return nil
	case v.suspended:
		return &OutputDownError{GivenUp: v.given}
	case !v.failingSince.IsZero() && now.Sub(v.failingSince) >= 2*v.cfg.MaxBackoff:
		return &OutputDownError{}
	}
	return nil
}

// mayBeGivenUp reports whether a batch was processed since the first failure of which the entry
// must have been the cause: then the entry is given up if it fails often enough.
func (v *verdicts) mayBeGivenUp(l *loneFailure) bool {
	return l.confirmed > 0 && v.successes > l.successes
}

// hasEvidence reports whether a batch was processed between the first failure of which the entry
// must have been the cause, and the last one. A batch that is processed later shows nothing: an
// outage can have ended meanwhile.
func (l *loneFailure) hasEvidence() bool { return l.confirmed > 0 && l.witnessed > l.successes }

// withdrawn notes that an entry that was to be given up has no letter for certain.
func (v *verdicts) withdrawn(l *loneFailure) {
	if l.givenIn == v.row() {
		v.given, v.suspended, l.givenIn = v.given-1, false, 0
	}
}

// row returns the number, above 0, of the present row of entries that are given up without a
// success in between.
func (v *verdicts) row() int { return v.successes + 1 }

// verdict is what is decided about an entry.
type verdict int

const (
	tryAgain verdict = iota
	probe            // try another entry first: there is no evidence that any entry can be processed
	giveUp
)

// matches reports whether an entry that fails with an error is given up immediately.
func (v *verdicts) matches(cause error) bool { return v.cfg.Match != nil && v.cfg.Match(cause) }

// of decides about an entry that has just failed and was the cause of it. others reports whether
// the member knows other entries that are not processed and don't wait for this one.
func (v *verdicts) of(l *loneFailure, others func() bool, now time.Time) verdict {
	switch {
	case v.cfg.Letters == nil, !l.matches && l.confirmed < v.cfg.MaxDeliveries:
		return tryAgain
	case !v.hasRoom(l):
		return probe
	case !l.matches && !l.hasEvidence() && (now.Sub(l.since) < v.cfg.MinAge || others()):
		return probe
	}
	v.count(l)
	return giveUp
}

// hasRoom reports whether an entry can be given up in the present row. If not, no entry is given up
// until one is processed.
func (v *verdicts) hasRoom(l *loneFailure) bool {
	full := v.given >= inARow && l.givenIn != v.row()
	v.suspended = v.suspended || full
	return !full
}

// count notes that an entry is given up.
func (v *verdicts) count(l *loneFailure) {
	if l.givenIn != v.row() {
		v.given, l.givenIn = v.given+1, v.row()
	}
}

// needsAlone reports whether a verdict about an entry is due but for other batches that failed, or
// are in flight, whenever the entry does: then it is to be in flight alone.
func (v *verdicts) needsAlone(l *loneFailure) bool {
	if v.cfg.Letters == nil {
		return false
	}
	enough := v.cfg.MaxDeliveries
	if l.cause != nil && v.matches(l.cause) {
		enough = 1
	}
	return l.attempts >= enough && l.confirmed < enough
}

// ofKiller decides about an entry that has killed LoneDeaths owners, and reports whether it is
// given up. The deaths are the evidence, but not after inARow verdicts without a success: then
// something else ends the processes.
func (v *verdicts) ofKiller(l *loneFailure) bool {
	if v.cfg.Letters == nil || !v.hasRoom(l) {
		return false
	}
	v.count(l)
	return true
}

// wait returns the wait before the delivery after n failures of which the entry must have been the
// cause. It is the longest before the last delivery.
func (v *verdicts) wait(n int) time.Duration {
	if v.cfg.Letters == nil {
		return 0
	}
	halvings := max(0, v.cfg.MaxDeliveries-1-n)
	if halvings > 20 {
		return 0
	}
	return v.cfg.MaxBackoff >> halvings
}

// reportAfter returns how long entries must fail before the failure is reported: at the latest
// before the last delivery.
func (v *verdicts) reportAfter() time.Duration {
	if v.cfg.Letters == nil {
		return reportFailingAfter
	}
	return min(reportFailingAfter, v.cfg.MaxBackoff/2)
}
