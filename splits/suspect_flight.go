package splits

import "time"

// suspectFlight is the batch of a suspected split that is to be handed out next, or is in flight.
// The lock of the set guards it.
type suspectFlight struct {
	next   Offset    // last entry of that batch; zero if there is none
	lone   bool      // it has one entry
	shared bool      // others may be in flight beside it
	since  time.Time // when that was decided
	out    time.Time // when it was handed out; zero if it was not
}

// prepare notes that the next batch to hand out ends at an offset and has n entries. It is shared
// if others may be in flight beside it.
func (f *suspectFlight) prepare(last Offset, n int, shared bool, now time.Time) {
	if f.next != last {
		f.since = now
	}
	f.next, f.lone, f.shared = last, n == 1, shared
}

// cameBack notes that the batch was acknowledged or rejected: its entries did not kill the process.
func (f *suspectFlight) cameBack() { f.next, f.out = Offset{}, time.Time{} }

// putBack notes that the prepared batch is not handed out now.
func (f *suspectFlight) putBack() {
	if f.out.IsZero() {
		f.next = Offset{}
	}
}

// watch makes a batch that has been in flight for long share the process with others. It puts back
// one that was not handed out for long after it was prepared, and reports that.
func (f *suspectFlight) watch(now time.Time) (givenUp bool) {
	switch {
	case f.next == Offset{}:
	case !f.out.IsZero():
		f.shared = f.shared || now.Sub(f.out) >= aloneFor
	case now.Sub(f.since) >= holdFor:
		f.putBack()
		return true
	}
	return false
}
