package splits

import "sync"

// Failures knows which batches are in flight in one process, of all its consumers, and which of
// them failed. What comes behind may merge batches of several splits and topics, and reject all of
// them for one bad entry. So an entry is certain to have failed by itself only if it was alone in
// its batch and no other batch that was in flight meanwhile failed. All consumers of a process
// share one. It is safe for concurrent use.
type Failures struct {
	mu       sync.Mutex
	inFlight map[*inFlightBatch]any // and what it belongs to
}

// NewFailures makes a Failures for the consumers of one process.
func NewFailures() *Failures { return &Failures{inFlight: map[*inFlightBatch]any{}} }

// flight is one batch from its hand-out to its acknowledgement.
type inFlightBatch struct {
	overlappedFailure bool           // another one failed while it was in flight
	dependents        []*soleFailure // attempts that are certain unless this one fails
}

// attempt is an entry that failed alone while other batches were in flight.
type soleFailure struct {
	undecided int // that have yet to be accepted
	void      bool
	confirm   func()
}

// handedOut adds a batch that belongs to owner.
func (f *Failures) handedOut(fl *inFlightBatch, owner any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.inFlight[fl] = owner
}

// accepted takes a batch off that was accepted, or whose outcome does not matter any more.
func (f *Failures) accepted(fl *inFlightBatch) {
	f.mu.Lock()
	var certain []func()
	f.remove(fl, &certain)
	f.mu.Unlock()
	call(certain)
}

// remove takes a batch off that did not fail. The lock is held; what it adds to certain is to be
// called without.
func (f *Failures) remove(fl *inFlightBatch, certain *[]func()) {
	delete(f.inFlight, fl)
	for _, a := range fl.dependents {
		if a.undecided--; a.undecided == 0 && !a.void {
			*certain = append(*certain, a.confirm)
		}
	}
	fl.dependents = nil
}

// failed takes a batch off that failed. certain is called once it is known that no other batch
// failed that was in flight meanwhile: now, later or never; it is nil if the batch had several
// entries.
func (f *Failures) failed(fl *inFlightBatch, certain func()) {
	if f.fail(fl, certain) {
		certain()
	}
}

// fail is failed, save for the call; it reports whether certain is to be called now.
func (f *Failures) fail(fl *inFlightBatch, certain func()) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.inFlight, fl)
	for _, a := range fl.dependents {
		a.void = true
	}
	fl.dependents = nil
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

// forget takes off what belongs to an owner that is gone: the outcomes of its batches may never
// come.
func (f *Failures) forget(owner any) {
	f.mu.Lock()
	var certain []func()
	for fl, its := range f.inFlight {
		if its == owner {
			f.remove(fl, &certain)
		}
	}
	f.mu.Unlock()
	call(certain)
}

func call(all []func()) {
	for _, f := range all {
		f()
	}
}
