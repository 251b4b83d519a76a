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
	over                  // given up or lost: acknowledgements change nothing any more
)

// hold is all that a Reader knows of one split under one lease. A split that is claimed again gets
// a new hold, so that nothing left over from the old one can touch it. Its fields are guarded by
// the Reader's lock.
type hold struct {
	lease  Lease
	ctx    context.Context // ends, with a cause, when the lease does
	cancel context.CancelCauseFunc
	phase  phase

	// Fetching.
	next     Position  // where the next fetch goes on
	fetching bool      // a request is under way
	full     bool      // requests bring as many entries as they ask for
	lookedAt time.Time // when the last request was answered; zero before the first
	news     int       // counts the answers that brought entries, or a state that was judged
	buffer   []run     // fetched and not handed out
	bytes    int       // size of buffer
	probe    *probe    // the last read that returned data, until the stream has been looked at
	seen     State     // the newest state of the stream that was seen; zero if none was
	marks    marks     // of what was fetched
	back     bool      // the stream is not what it was: the hold ends when nothing is left of it
	halt     error     // why nothing more is fetched under this lease: entries were lost, and that is to stop the split
	paused   time.Time // not fetched before then: the split could not be read
	retry    Backoff   // set while it can't be read
	trial    *trial    // set while it is read by itself, since a request that named it failed
	lastRead time.Time

	// Handing out.
	tracker  *Tracker
	again    isolation // what was rejected
	inflight int
	since    time.Time // when the oldest batch in flight was handed out
	queued   bool      // is in Reader.ready
	reported time.Time // when a failure that lasts was reported last; zero if none is

	// Committing and giving up.
	stored      Position
	committedAt time.Time
	calling     bool // a commit or a renewal is under way
	drainBy     time.Time
	lag         int64 // as last sampled; -1 unknown

	// Counting, see tally and Commit.Accounted.
	fetched    int64 // entries fetched under this lease
	accounted  int64 // of the committed position, as far as known
	told       int64 // what was stored of it last
	tally      *tally
	checked    checked
	countAfter time.Time
}

// run is a stretch of fetched entries; read is the Read of the position before the first.
type run struct {
	entries []Entry
	read    int64
}

// ref is one tracked entry.
type ref struct {
	span  *Span
	index int
}

func (r ref) entry() Entry { return r.span.entries[r.index] }

// newHold makes the hold of a lease that was granted at a position; key is the order key of
// entries, nil if they have no order.
func newHold(lease Lease, at Position, key func(Entry) string) *hold {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &hold{
		lease:     lease,
		ctx:       ctx,
		cancel:    cancel,
		next:      at,
		stored:    at,
		tracker:   NewTracker(at),
		lag:       -1,
		again:     isolation{key: key},
		accounted: at.EntriesRead,
		told:      at.EntriesRead,
	}
}

// accept takes fetched entries into the buffer and moves on.
func (h *hold) accept(entries []Entry) (size int) {
	h.buffer = append(h.buffer, run{entries: entries, read: h.next.EntriesRead})
	for _, e := range entries {
		size += e.Size()
	}
	h.bytes += size
	h.next = Position{Offset: entries[len(entries)-1].Offset, EntriesRead: after(h.next.EntriesRead, len(entries))}
	h.fetched += int64(len(entries))
	return size
}

// cut takes up to most entries off the front of the buffer: as many as are counted without a break.
func (h *hold) cut(most int) (entries []Entry, read int64) {
	read = h.buffer[0].read
	for len(h.buffer) > 0 && len(entries) < most {
		first := &h.buffer[0]
		if len(entries) > 0 && first.read != after(read, len(entries)) {
			break // entries were lost in between
		}
		n := min(most-len(entries), len(first.entries))
		if len(entries) == 0 {
			entries = first.entries[:n:n] // the usual case copies nothing
		} else {
			entries = append(entries, first.entries[:n]...)
		}
		if n == len(first.entries) {
			h.buffer[0] = run{}
			h.buffer = h.buffer[1:]
		} else {
			first.entries, first.read = first.entries[n:], after(first.read, n)
		}
	}
	for _, e := range entries {
		h.bytes -= e.Size()
	}
	return entries, read
}

// after is the Read that n entries further on has.
func after(read int64, n int) int64 {
	if read < 0 {
		return CountUnknown
	}
	return read + int64(n)
}

// shift corrects the counts behind offset by entries that turned out to be lost there.
func (h *hold) shift(offset Offset, lost int64) {
	h.tracker.Shift(offset, lost)
	h.marks.shift(offset, lost)
	for i := range h.buffer {
		if b := &h.buffer[i]; b.read >= 0 && offset.Before(b.entries[0].Offset) {
			b.read += lost
		}
	}
	if h.next.EntriesRead >= 0 {
		h.next.EntriesRead += lost
	}
}

// correct sets the Read behind n entries that were fetched last, behind a position, now that it is
// known better.
func (h *hold) correct(before Position, n int, read int64) {
	switch was := after(before.EntriesRead, n); {
	case was >= 0 && read >= 0:
		h.shift(before.Offset, read-was)
	case read >= 0:
		h.learn(read)
	default:
		h.next.EntriesRead = read
	}
}

// learn sets the Read of the place where the next fetch goes on, which was not known, and of all
// that was fetched before it: a commit may already be about that place.
func (h *hold) learn(read int64) {
	h.next.EntriesRead = read
	if h.probe != nil {
		h.probe.before.EntriesRead = read - int64(len(h.probe.offsets))
	}
	for i := len(h.buffer) - 1; i >= 0; i-- {
		b := &h.buffer[i]
		if b.read < 0 {
			b.read = read - int64(len(b.entries))
		}
		read = b.read
	}
	h.tracker.Learn(read)
}

// oldest is the first entry that is fetched and not resolved.
func (h *hold) oldest() (Offset, bool) {
	if o, _, ok := h.tracker.Oldest(); ok {
		return o, true
	}
	if len(h.buffer) > 0 {
		return h.buffer[0].entries[0].Offset, true
	}
	return Offset{}, false
}
