package splits

import (
	"slices"
	"time"
)

const (
	// holdFor is how long new batches of the process are held back at a time, so that a batch can
	// be in flight alone.
	holdFor = 5 * time.Second
	// flowFor is how many times as long they are not held back after that, so that they are held
	// back for a twentieth of the time at most.
	flowFor = 19
)

// gate is what keeps the batches of a process back while one of them is to be in flight alone. The
// lock of Failures guards it. It needs no timer: batches that are held back look at it again.
type gate struct {
	alone     any            // whose batch is in flight alone, or is about to be; nil if there is none
	owner     any            // the owner of its batches
	batch     *inFlightBatch // ends that when it returns; nil: endAlone does
	until     time.Time      // ends that at the latest; zero: only endAlone does
	returned  bool           // batch has returned
	since     time.Time      // since when others are held back; zero if they are not
	notBefore time.Time      // they are not held back again before then
	waiting   []signal       // to raise when something changes
}

// Hanging is a batch that was in flight while no other one was handed out, in order that an entry
// could be in flight alone.
type Hanging struct {
	Split Split
	// For is how long it has been in flight.
	For time.Duration
}

// aloneness is the answer to a request to be in flight alone.
type aloneness int

const (
	aloneLater aloneness = iota // the caller waits for its signal
	aloneNow                    // nothing else is in flight, or will be
	aloneNever                  // not in the near future: the caller does not wait
)

// closed reports whether no other batch may be handed out.
func (g *gate) closed(now time.Time) bool {
	switch {
	case g.alone != nil && (g.returned || !g.until.IsZero() && !now.Before(g.until)),
		g.alone == nil && !g.since.IsZero() && now.Sub(g.since) >= holdFor:
		held := min(now.Sub(g.since), holdFor)
		g.open()
		g.notBefore = now.Add(flowFor * held)
	}
	return !g.since.IsZero()
}

// open lets batches be handed out again.
func (g *gate) open() {
	*g = gate{notBefore: g.notBefore, waiting: g.waiting}
	g.wake()
}

func (g *gate) wait(s signal) {
	if !slices.Contains(g.waiting, s) {
		g.waiting = append(g.waiting, s)
	}
}

// wake lets everything look again that waits.
func (g *gate) wake() {
	for _, s := range g.waiting {
		s.raise()
	}
	g.waiting = nil
}

// left notes that a batch is not in flight any more.
func (g *gate) left(fl *inFlightBatch) {
	g.returned = g.returned || g.alone != nil && g.batch == fl
	g.wake()
}

// beginAlone requests that the batches of a holder are alone in the process. holder must be
// comparable. New batches are held back for a while, until none is in flight; wake is raised when
// something has changed. briefly says that being alone ends with the batch and after holdFor at the
// latest, and that batches are held back for a small part of the time only. Otherwise endAlone ends
// it. After aloneNever, hanging describes the batch that has been in flight for longest, if any is.
func (f *Failures) beginAlone(
	holder, owner any,
	briefly bool,
	now time.Time,
	wake signal,
) (a aloneness, hanging *Hanging) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g := &f.gate
	closed, early := g.closed(now), now.Before(g.notBefore)
	switch {
	case g.alone == holder:
		return aloneNow, nil
	case g.alone == nil && len(f.inFlight) == 0 && (!briefly || !early):
		g.alone, g.owner = holder, owner
		if !closed {
			g.since = now
		}
		if briefly {
			g.until = g.since.Add(holdFor)
		}
		return aloneNow, nil
	case g.alone == nil && early:
		return aloneNever, f.hanging(now)
	case g.alone == nil && !closed:
		g.since = now
	}
	g.wait(wake)
	return aloneLater, nil
}

// hanging describes the batch that has been in flight for longest. The lock is held.
func (f *Failures) hanging(now time.Time) *Hanging {
	var oldest *inFlightBatch
	for fl := range f.inFlight {
		if oldest == nil || fl.since.Before(oldest.since) {
			oldest = fl
		}
	}
	if oldest == nil {
		return nil
	}
	return &Hanging{Split: oldest.split, For: now.Sub(oldest.since)}
}

// handedOutAlone is handedOut after beginAlone has returned aloneNow.
func (f *Failures) handedOutAlone(fl *inFlightBatch, owner any, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl.since = now
	f.inFlight[fl] = owner
	if !f.gate.until.IsZero() {
		f.gate.batch = fl
	}
}

// handOut adds a batch after beginAlone has returned aloneNow or aloneNever. It reports false, and
// adds nothing, if the batch must wait as handedOut says.
func (f *Failures) handOut(fl *inFlightBatch, owner any, alone aloneness, now time.Time, wake signal) bool {
	if alone == aloneNow {
		f.handedOutAlone(fl, owner, now)
		return true
	}
	return f.handedOut(fl, owner, now, wake)
}

// endAlone ends what beginAlone granted to holder, if it did.
func (f *Failures) endAlone(holder any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gate.alone == holder {
		f.gate.open()
	}
}
