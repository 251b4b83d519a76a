package splits

import (
	"context"
	"slices"
	"time"
)

// shareState is where an entry of a share group stands that is pending at this member, as far as
// this member knows.
type shareState int8

const (
	// shareUnknown: this member does not have the entry.
	shareUnknown shareState = iota
	// shareLoading: the entry was taken over, or an audit found it; its fields are not read yet.
	shareLoading
	// shareBuffered: it was not handed out yet.
	shareBuffered
	// shareOut: it was handed out and is not acknowledged; it may wait to be handed out again.
	shareOut
	// shareOrphaned: the same, but it may be pending at another name by now. It is acknowledged if
	// it is processed, and not handed out again.
	shareOrphaned
	// shareDone: it was processed, and the store has not confirmed the acknowledgement.
	shareDone
)

// shareSplit is what a member of a share group knows of one split. The lock of the shareSet guards
// all fields except split and set.
type shareSplit struct {
	set   *shareSet
	split Split
	start Start

	// What is known of the group in this split. term changes with the generation, and whenever
	// everything that was handed out became void.
	open       bool // the group exists
	opened     bool // it has existed: the store lost it if it does not exist now
	openDue    time.Time
	openWait   time.Duration
	generation uint64
	term       int
	ctx        context.Context // ends with the term, or when the member leaves the group
	cancel     context.CancelCauseFunc

	entries map[Offset]shareState
	loading []Offset // the ones in shareLoading
	// missing are the ones of loading that the stream does not have; true if an audit after that
	// found that they are pending.
	missing map[Offset]bool
	loads   shareLoads
	buffer  []Entry // the ones in shareBuffered that are not suspected, in the order of their delivery
	bytes   int     // size of buffer, and of the suspects that wait

	handOutState
	failingState
	poison sharePoison

	done      []Offset        // the ones in shareDone
	doneAsked bool            // an acknowledgement is in flight
	confirmed map[Offset]bool // acknowledged since the audit or takeover in progress began

	auditDue   time.Time
	readAt     time.Time // when the last read began
	lastRead   time.Time // when entries last came
	backlogged bool      // the last read returned as many entries as it asked for
	failed     bool      // the split could not be read
}

func newShareSplit(set *shareSet, split Split, start Start) *shareSplit {
	s := &shareSplit{
		set: set, split: split, start: start, entries: map[Offset]shareState{}, poison: newSharePoison(),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	return s
}

// serving reports that entries may be handed out: shareSet.nextBatch checks the membership.
func (s *shareSplit) serving() bool { return true }

// put moves an entry to a state. The lock is held.
func (s *shareSplit) put(o Offset, to shareState) {
	from := s.entries[o]
	if to == shareUnknown {
		delete(s.entries, o)
	} else {
		s.entries[o] = to
	}
	if to == shareUnknown || to == shareDone {
		delete(s.poison.suspects, o)
	}
	s.set.held += count(to != shareUnknown) - count(from != shareUnknown)
	s.set.out += count(to.out()) - count(from.out())
	s.set.ahead += count(to.ahead()) - count(from.ahead())
}

// out reports whether an entry was handed out and is not processed.
func (s shareState) out() bool { return s == shareOut || s == shareOrphaned }

// ahead reports whether an entry was not handed out.
func (s shareState) ahead() bool { return s == shareLoading || s == shareBuffered }

// count returns 1 for true.
func count(is bool) int {
	if is {
		return 1
	}
	return 0
}

// addToBuffer adds an entry to the buffer, unless it is there, was handed out, or is to be passed
// over. The lock is held.
func (s *shareSplit) addToBuffer(e Entry) {
	if state := s.entries[e.Offset]; state != shareUnknown && state != shareLoading || s.passOver(e) {
		return
	}
	s.buffer = append(s.buffer, e)
	s.buffered(e, 1, shareBuffered)
}

// buffered notes that an entry was added to the buffer or the suspects that wait (by is 1), or
// removed (-1). The lock is held.
func (s *shareSplit) buffered(e Entry, by int, to shareState) {
	s.bytes += by * e.Size()
	s.set.buffered += by * e.Size()
	s.put(e.Offset, to)
}

// takeBuffered takes up to n entries off the buffer or the suspects that wait. The lock is held.
func (s *shareSplit) takeBuffered(queue *[]Entry, n int) []Entry {
	n = min(n, len(*queue))
	taken := (*queue)[:n:n]
	if *queue = (*queue)[n:]; len(*queue) == 0 {
		*queue = nil
	}
	for _, e := range taken {
		s.buffered(e, -1, shareOut)
	}
	return taken
}

// dropAhead drops what was not handed out. The lock is held.
func (s *shareSplit) dropAhead() {
	s.dropBuffered(func(Offset) bool { return true })
	for _, o := range s.loading {
		s.put(o, shareUnknown)
	}
	s.loading, s.missing, s.loads = nil, nil, shareLoads{}
}

// dropBuffered drops the entries that were not handed out for which drop returns true. The lock is
// held.
func (s *shareSplit) dropBuffered(drop func(Offset) bool) {
	for _, queue := range []*[]Entry{&s.buffer, &s.poison.waiting} {
		*queue = slices.DeleteFunc(*queue, func(e Entry) bool {
			if drop(e.Offset) {
				s.buffered(e, -1, shareUnknown)
				return true
			}
			return false
		})
	}
}

// orphan notes that what was handed out may be pending at another name now. The lock is held.
func (s *shareSplit) orphan() {
	for o, state := range s.entries {
		if state == shareOut {
			s.put(o, shareOrphaned)
		}
	}
}

// leave notes that the member is not in the group any more. Acknowledgements are still valid. The
// lock is held.
func (s *shareSplit) leave(cause error) {
	s.set.endFlight(s)
	s.poison.stored, s.poison.asked, s.poison.watched = shareFlight{flight: AnyInFlight}, false, false
	s.dropAhead()
	s.orphan()
	s.cancel(cause)
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
}

// begin begins a generation: everything that this member has of the split is void, and what is
// pending at the member is to be found by an audit. The lock is held.
func (s *shareSplit) begin(generation uint64) {
	s.set.endFlight(s)
	s.dropAhead()
	for o := range s.entries {
		s.put(o, shareUnknown)
	}
	s.cancel(ErrMoved)
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.generation, s.isolation, s.failingState, s.done = generation, isolation{}, failingState{}, nil
	s.poison, s.inflight = newSharePoison(), 0 // batches in flight are void
	s.term++
	s.reportedAt, s.auditDue = time.Time{}, time.Time{}
}

// sync makes an answer under a generation valid. If everything before it belongs to another
// generation, that is void then. The lock is held.
func (s *shareSplit) sync(generation uint64) {
	if generation != s.generation {
		s.begin(generation)
	}
}

// close notes that the group is not there any more: it is opened again before the next read. What
// was added to the stream meanwhile is to be read. The lock is held.
func (s *shareSplit) close() {
	s.open, s.openDue, s.openWait, s.start = false, time.Time{}, 0, Earliest()
}
