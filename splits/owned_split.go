package splits

import (
	"context"
	"time"
)

// phase is how far the life of a hold has come.
type phase int

const (
	reading  phase = iota // entries are fetched and handed out
	draining              // nothing more is handed out; what is in flight may finish
	ended                 // given up or lost: acknowledgements change nothing any more
)

// hold is all that a Reader knows of one split under one lease. A split that is claimed again gets
// a new hold, so that nothing left over from the old one can touch it. Its fields are guarded by
// the Reader's lock.
type ownedSplit struct {
	lease  Lease
	ctx    context.Context // ends, with a cause, when the lease does
	cancel context.CancelCauseFunc
	phase  phase

	// Fetching.
	next         Position        // where the next fetch goes on
	fetching     bool            // a request is under way
	backlogged   bool            // requests bring as many entries as they ask for
	answeredAt   time.Time       // when the last request was answered; zero before the first
	answers      int             // counts the answers that brought entries, or a state that was judged
	buffer       []fetchedRun    // fetched and not handed out
	bytes        int             // size of buffer
	unchecked    *uncheckedReads // the last read that returned data, until the stream has been looked at
	lastState    State           // the newest state of the stream that was seen; zero if none was
	fingerprints fingerprints    // of what was fetched
	rolledBack   bool            // the stream is not what it was: the hold ends when nothing is left of it
	stopped      error           // why nothing more is fetched under this lease: entries were lost, and that is to stop the split
	pausedUntil  time.Time       // not fetched before then: the split could not be read
	readBackoff  Backoff         // set while it can't be read
	trial        *trial          // set while it is read by itself, since a request that named it failed
	lastRead     time.Time

	// Handing out.
	tracker     *tracker
	isolation   isolation // what was rejected
	inflight    int
	oldestSince time.Time // when the oldest batch in flight was handed out
	queued      bool      // is in Reader.ready
	reportedAt  time.Time // when a failure that lasts was reported last; zero if none is

	// Committing and giving up.
	stored       Position
	committedAt  time.Time
	callInFlight bool // a commit or a renewal is under way
	drainBy      time.Time
	lag          int64 // as last sampled; -1 unknown

	// Counting, see tally and Commit.Accounted.
	entriesFetched  int64 // entries fetched under this lease
	accounted       int64 // of the committed position, as far as known
	storedAccounted int64 // what was stored of it last
	count           *countJob
	exact           exactCount
	countAfter      time.Time
}

// run is a stretch of fetched entries; read is the Read of the position before the first.
type fetchedRun struct {
	entries []Entry
	read    int64
}

// ref is one tracked entry.
type entryRef struct {
	span  *span
	index int
}

func (r entryRef) entry() Entry { return r.span.entries[r.index] }

// newHold makes the hold of a lease that was granted at a position; key is the order key of
// entries, nil if they have no order.
func newOwnedSplit(lease Lease, at Position, key func(Entry) string) *ownedSplit {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &ownedSplit{
		lease:           lease,
		ctx:             ctx,
		cancel:          cancel,
		next:            at,
		stored:          at,
		tracker:         newTracker(at),
		lag:             -1,
		isolation:       isolation{key: key},
		accounted:       at.EntriesRead,
		storedAccounted: at.EntriesRead,
	}
}

// accept takes fetched entries into the buffer and moves on.
func (o *ownedSplit) accept(entries []Entry) (size int) {
	o.buffer = append(o.buffer, fetchedRun{entries: entries, read: o.next.EntriesRead})
	for _, e := range entries {
		size += e.Size()
	}
	o.bytes += size
	o.next = Position{Offset: entries[len(entries)-1].Offset, EntriesRead: addCount(o.next.EntriesRead, len(entries))}
	o.entriesFetched += int64(len(entries))
	return size
}

// cut takes up to most entries off the front of the buffer: as many as are counted without a break.
func (o *ownedSplit) takeBuffered(most int) (entries []Entry, read int64) {
	read = o.buffer[0].read
	for len(o.buffer) > 0 && len(entries) < most {
		first := &o.buffer[0]
		if len(entries) > 0 && first.read != addCount(read, len(entries)) {
			break // entries were lost in between
		}
		n := min(most-len(entries), len(first.entries))
		if len(entries) == 0 {
			entries = first.entries[:n:n] // the usual case copies nothing
		} else {
			entries = append(entries, first.entries[:n]...)
		}
		if n == len(first.entries) {
			o.buffer[0] = fetchedRun{}
			o.buffer = o.buffer[1:]
		} else {
			first.entries, first.read = first.entries[n:], addCount(first.read, n)
		}
	}
	for _, e := range entries {
		o.bytes -= e.Size()
	}
	return entries, read
}

// after is the Read that n entries further on has.
func addCount(read int64, n int) int64 {
	if read < 0 {
		return CountUnknown
	}
	return read + int64(n)
}

// shift corrects the counts behind offset by entries that turned out to be lost there.
func (o *ownedSplit) shiftCounts(offset Offset, lost int64) {
	o.tracker.Shift(offset, lost)
	o.fingerprints.shift(offset, lost)
	for i := range o.buffer {
		if b := &o.buffer[i]; b.read >= 0 && offset.Before(b.entries[0].Offset) {
			b.read += lost
		}
	}
	if o.next.EntriesRead >= 0 {
		o.next.EntriesRead += lost
	}
}

// correct sets the Read behind n entries that were fetched last, behind a position, now that it is
// known better.
func (o *ownedSplit) correctCount(before Position, n int, read int64) {
	switch was := addCount(before.EntriesRead, n); {
	case was >= 0 && read >= 0:
		o.shiftCounts(before.Offset, read-was)
	case read >= 0:
		o.learnCount(read)
	default:
		o.next.EntriesRead = read
	}
}

// learn sets the Read of the place where the next fetch goes on, which was not known, and of all
// that was fetched before it: a commit may already be about that place.
func (o *ownedSplit) learnCount(read int64) {
	o.next.EntriesRead = read
	if o.unchecked != nil {
		o.unchecked.before.EntriesRead = read - int64(len(o.unchecked.offsets))
	}
	for i := len(o.buffer) - 1; i >= 0; i-- {
		b := &o.buffer[i]
		if b.read < 0 {
			b.read = read - int64(len(b.entries))
		}
		read = b.read
	}
	o.tracker.Learn(read)
}

// oldest is the first entry that is fetched and not resolved.
func (o *ownedSplit) oldest() (Offset, bool) {
	if o, _, ok := o.tracker.Oldest(); ok {
		return o, true
	}
	if len(o.buffer) > 0 {
		return o.buffer[0].entries[0].Offset, true
	}
	return Offset{}, false
}
