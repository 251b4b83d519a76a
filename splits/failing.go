package splits

import "time"

// Failing is an entry that keeps failing.
type Failing struct {
	Split  Split
	Offset Offset
	// Key is its order key, if it has one.
	Key string
	// Among is 1 if the entry fails alone. Otherwise it is the number of entries that failed
	// together last, and the entry is the first of them.
	Among int
	// Attempts is how often it failed alone. Certain is how often it failed alone while no other
	// batch of the process failed that was in flight at the same time.
	Attempts, Certain int
	// Others is how many more entries of the split failed alone.
	Others int
	// For is the time since the first failure of a batch with the entry.
	For time.Duration
	// Waits is true if nothing newer of the split is handed out meanwhile.
	Waits bool
	// Cause is the last error. It is a *PoisonError if the entry seems to kill the process.
	Cause error
	// Hanging is set if the entry would be given up but for other batches in flight: whether it is
	// the cause of its failures is not certain, and this batch has been in flight for longest.
	Hanging *Hanging
}

const (
	// reportFailingAfter is how long entries must fail before the failure is reported, unless they
	// are given up soon.
	reportFailingAfter = 5 * time.Second
	// reportFailingEvery is how often it is reported again.
	reportFailingEvery = time.Minute
)

// lastingFailure returns what to report after a batch failed; nil if nothing is due. Entries must
// have failed for the duration after.
func (h *handOutState) lastingFailure(b *Batch, cause error, after time.Duration, now time.Time) *Failing {
	if h.isolation.empty() || now.Sub(h.isolation.failingSince) < after || !h.reportDue(now) {
		return nil
	}
	if l := h.isolation.first(); l != nil {
		f := h.describe(l, b.Split, now)
		return &f
	}
	return &Failing{
		Split: b.Split, Offset: b.Entries[0].Offset, Among: len(b.Entries),
		For: now.Sub(h.isolation.failingSince), Cause: cause,
	}
}

// describe describes an entry that failed alone.
func (h *handOutState) describe(l *loneFailure, split Split, now time.Time) Failing {
	return Failing{
		Split: split, Offset: l.ref.entry().Offset, Key: l.key, Among: 1, Attempts: l.attempts,
		Certain: l.confirmed, Others: len(h.isolation.loneFailures) - 1, For: now.Sub(h.isolation.failingSince),
		Cause: l.cause, Hanging: l.hanging,
	}
}

// recovering returns the reported failure that ends with the acknowledgement of a batch, nil if
// none does. It is called before the entries are resolved.
func (h *handOutState) recovering(b *Batch, now time.Time) *Failing {
	if b.piece.lone == nil || h.reportedAt.IsZero() {
		return nil
	}
	f := h.describe(b.piece.lone, b.Split, now)
	return &f
}

// calmDown ends the report of a lasting failure if nothing fails any more.
func (h *handOutState) calmDown() {
	if h.isolation.empty() && h.isolation.piecesOut == 0 {
		h.isolation.failingSince, h.reportedAt = time.Time{}, time.Time{}
	}
}

// processed notes that a batch was processed.
func (h *handOutState) processed(b *Batch, now time.Time) {
	h.isolation.accept(b.piece, now)
	if h.isolation.failingSince.IsZero() {
		h.reportedAt = time.Time{}
	}
}

// reportDue reports whether an entry that fails is to be reported now, and notes that it is.
func (h *handOutState) reportDue(now time.Time) bool {
	if !h.reportedAt.IsZero() && now.Sub(h.reportedAt) < reportFailingEvery {
		return false
	}
	h.reportedAt = now
	return true
}
