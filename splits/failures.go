package splits

import (
	"sync"
	"time"
)

// Failures tracks which batches of all consumers of one process are in flight, and which of them
// failed. An output can merge batches of several splits and topics, and reject all of them for one
// bad entry. So an entry is certain to be the cause of its failure only if it was alone in its
// batch and no other batch failed that was in flight at the same time. All consumers of a process
// share one Failures. It is safe for concurrent use.
type Failures struct {
	mu       sync.Mutex
	inFlight map[*inFlightBatch]any // the value is the owner
	gate     gate                   // for batches that must be in flight alone
}

// NewFailures returns a Failures for the consumers of one process.
func NewFailures() *Failures { return &Failures{inFlight: map[*inFlightBatch]any{}} }

// inFlightBatch is one batch from its hand-out to its acknowledgement.
type inFlightBatch struct {
	split             Split
	since             time.Time
	overlappedFailure bool           // another batch failed while this one was in flight
	dependents        []*soleFailure // failures that are certain unless this batch fails
}

// soleFailure is a failure of a batch of one entry while other batches were in flight.
type soleFailure struct {
	undecided int // batches that have yet to be accepted
	void      bool
	confirm   func()
}

// handedOut adds a batch that belongs to owner. It reports false, and adds nothing, if the batch
// must wait because another one is in flight alone or is to be soon; then it raises wake when that
// has changed.
func (f *Failures) handedOut(fl *inFlightBatch, owner any, now time.Time, wake signal) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gate.closed(now) {
		f.gate.wait(wake)
		return false
	}
	fl.since = now
	f.inFlight[fl] = owner
	return true
}

// withdraw removes a batch that was not handed out after all. Failures during which it was added
// are not taken for certain.
func (f *Failures) withdraw(fl *inFlightBatch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.inFlight, fl)
	fl.void()
	f.gate.left(fl)
}

// accepted removes a batch that was accepted, or whose outcome does not matter any more.
func (f *Failures) accepted(fl *inFlightBatch) {
	f.mu.Lock()
	var certain []func()
	f.remove(fl, &certain)
	f.mu.Unlock()
	call(certain)
}

// remove removes a batch that did not fail. The lock is held. The functions that it adds to certain
// are to be called without the lock.
func (f *Failures) remove(fl *inFlightBatch, certain *[]func()) {
	delete(f.inFlight, fl)
	f.gate.left(fl)
	for _, a := range fl.dependents {
		if a.undecided--; a.undecided == 0 && !a.void {
			*certain = append(*certain, a.confirm)
		}
	}
	fl.dependents = nil
}

// failed removes a batch that failed. certain is called when it is known that no other batch failed
// that was in flight at the same time: now, later or never. certain is nil if the batch had several
// entries.
func (f *Failures) failed(fl *inFlightBatch, certain func()) {
	if f.fail(fl, certain) {
		certain()
	}
}

// fail is failed without the call of certain. It reports whether certain is to be called now.
func (f *Failures) fail(fl *inFlightBatch, certain func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.inFlight, fl)
	f.gate.left(fl)
	fl.void()
	for other := range f.inFlight {
		other.overlappedFailure = true
	}
	if certain == nil || fl.overlappedFailure {
		return false
	}
	a := &soleFailure{undecided: len(f.inFlight), confirm: certain}
	for other := range f.inFlight {
		other.dependents = append(other.dependents, a)
	}
	return a.undecided == 0
}

// forget removes the batches of an owner that has ended. Their outcomes may never come, and they
// may fail: nothing is certain that depends on them.
func (f *Failures) forget(owner any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for fl, its := range f.inFlight {
		if its == owner {
			delete(f.inFlight, fl)
			f.gate.left(fl)
			fl.void()
		}
	}
	if f.gate.alone != nil && f.gate.owner == owner {
		f.gate.open()
	}
}

// void makes the failures void that are certain unless the batch fails. The lock is held.
func (fl *inFlightBatch) void() {
	for _, a := range fl.dependents {
		a.void = true
	}
	fl.dependents = nil
}

func call(all []func()) {
	for _, f := range all {
		f()
	}
}
