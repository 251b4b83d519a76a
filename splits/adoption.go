package splits

import (
	"slices"
	"time"
)

// adoption is what a member knows of the foreign group from which it adopts a split, see Adoptions.
// The pending entries up to the position of the claim are read page by page and handed out before
// anything newer. Each is acknowledged in the foreign group when it has been processed. What is
// pending behind the position of the claim, because a client still reads with the foreign group, is
// read with all other entries of the stream, and acknowledged when it is committed.
//
// One reading of all pages is a pass. The first pass is usually the only one. There is another pass
// if entries are still pending after everything was acknowledged, as after a rollback of the store.
//
// The methods of a nil adoption are those of a split that is not being adopted. The lock of the
// splitSet guards all fields.
type adoption struct {
	from string // the name of the foreign group
	upTo Offset // the position of the claim

	tracker  *tracker
	buffer   []Entry // not handed out yet
	after    Offset  // where the next page begins
	reading  bool    // a request is in flight
	complete bool    // all pages of the pass were read
	passed   bool    // the first pass is complete: newer entries may follow
	failures int     // of requests that may have been too large
	pause    Backoff // set while pages can't be read
	notUntil time.Time

	resolved  []Offset // processed or gone, and not acknowledged yet
	settledAt time.Time
	ended     bool
}

func newAdoption(from string, upTo Offset) *adoption {
	return &adoption{from: from, upTo: upTo, tracker: newTracker(Position{EntriesRead: CountUnknown})}
}

// active reports whether entries may be pending.
func (a *adoption) active() bool { return a != nil && !a.ended }

// blocks reports whether nothing newer may be read or handed out yet.
func (a *adoption) blocks() bool { return a != nil && !a.passed }

// empty reports whether no entry waits to be handed out.
func (a *adoption) empty() bool { return a == nil || len(a.buffer) == 0 }

// unresolved returns the number of entries that were handed out and are not resolved.
func (a *adoption) unresolved() int {
	if a == nil {
		return 0
	}
	return a.tracker.Pending()
}

// idle reports whether nothing is left to be done of the pages that were read.
func (a *adoption) idle() bool {
	return a.complete && len(a.buffer) == 0 && a.tracker.Pending() == 0 && len(a.resolved) == 0
}

// oldest returns the first entry that is not resolved, and when it was handed out first.
func (a *adoption) oldest() (o Offset, since time.Time, open bool) {
	if a == nil {
		return Offset{}, time.Time{}, false
	}
	return a.tracker.Oldest()
}

// readable reports whether a page can be requested, now or after notUntil.
func (a *adoption) readable() bool { return a.active() && !a.complete && !a.reading }

// accept adds a page.
func (a *adoption) accept(page PendingPage) {
	a.failures, a.pause = max(0, a.failures-1), nil
	a.buffer = append(a.buffer, page.Entries...)
	a.resolved = append(a.resolved, page.Gone...)
	a.after = page.Through
	if !page.More {
		a.complete, a.passed = true, true
	}
}

// take takes up to limit entries off the buffer, and tracks them.
func (a *adoption) take(limit int, now time.Time) *span {
	n := min(limit, len(a.buffer))
	s := a.tracker.Track(a.buffer[:n:n], CountUnknown, now)
	s.adopted = true
	a.buffer = a.buffer[n:]
	return s
}

// resolve notes that an entry has been processed.
func (a *adoption) resolve(ref entryRef) {
	if !a.ended {
		a.resolved = append(a.resolved, ref.entry().Offset)
	}
	a.tracker.Resolve(ref.span, ref.index)
}

// drop drops the entries that were not handed out, and returns them: they are read again.
func (a *adoption) drop() (dropped []Entry) {
	if a.empty() {
		return nil
	}
	dropped = a.buffer
	a.after = dropped[0].Offset.Prev()
	a.buffer, a.complete, a.passed = nil, false, false
	return dropped
}

// settlement returns what is to be acknowledged, and whether that is due.
func (a *adoption) settlement(l Lease, now time.Time, cfg Config) (Settlement, bool) {
	if !a.active() {
		return Settlement{}, false
	}
	waited := now.Sub(a.settledAt)
	due := waited >= cfg.SampleEvery || len(a.resolved) > 0 && waited >= cfg.CommitEvery
	return a.settleAll(l), due
}

// settleAll returns what is to be acknowledged. It can be more than MaxSettled entries.
func (a *adoption) settleAll(l Lease) Settlement {
	return Settlement{Lease: l, Done: slices.Clone(a.resolved), Behind: a.upTo}
}

// parts returns settlements of at most MaxSettled entries each, at least one.
func (s Settlement) parts() (parts []Settlement) {
	for done := range slices.Chunk(s.Done, MaxSettled) {
		parts = append(parts, Settlement{Lease: s.Lease, Done: done, Behind: s.Behind})
	}
	if len(parts) == 0 {
		return []Settlement{s}
	}
	return parts
}

// settled notes that n entries were acknowledged, and how many are pending now. If more are pending
// than this member knows of, another pass begins after a while.
func (a *adoption) settled(n int, pending int64, again time.Time) {
	a.resolved = a.resolved[n:]
	switch {
	case pending == 0:
		a.ended, a.complete, a.passed, a.resolved = true, true, true, nil
	case a.idle():
		a.complete, a.after, a.notUntil = false, Offset{}, again
	}
}
