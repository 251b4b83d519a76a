package splits

import (
	"context"
	"time"
)

// ownedSplit is what a member knows of one split under one lease. A split that is claimed again
// gets a new ownedSplit, so that nothing left over from the old lease can change it. All fields are
// guarded by the lock of the splitSet.
type ownedSplit struct {
	lease  Lease
	ctx    context.Context // ends, with a cause, when the lease does
	cancel context.CancelCauseFunc
	phase  phase

	fetchState
	history
	deliveryState
	commitState
	countState
	failingState
	poison   poison    // what may have killed earlier owners
	aside    *Batch    // the next batch, if poison is suspected: the store is to know of it first
	adoption *adoption // nil if the split is not being adopted
}

// phase is the phase of an ownedSplit.
type phase int

const (
	reading  phase = iota // entries are fetched and handed out
	draining              // nothing more is handed out; batches in flight may finish
	ended                 // given up or lost: acknowledgements change nothing any more
)

// fetchState is where fetching stands.
type fetchState struct {
	next        Position  // where the next fetch begins
	fetching    bool      // a request is in flight
	backlogged  bool      // the last request returned as many entries as it asked for
	answeredAt  time.Time // when the last request was answered; zero before the first
	answers     int       // number of answers that had entries, or a state that was checked
	buffer      []fetchedRun
	bytes       int       // size of what is in memory and not handed out yet
	pausedUntil time.Time // not fetched before then, since the split could not be read
	readBackoff Backoff   // set while the split can't be read
	trial       *trial    // set while the split is read alone, since a request that named it failed
	lastRead    time.Time // when entries last came
}

// history is what is known of the stream.
type history struct {
	unchecked    *uncheckedReads // nil if there are none
	lastState    State           // the newest state that was seen; zero if none was
	fingerprints fingerprints    // of entries that were read
	rolledBack   bool            // the stream was replaced: the split is lost when its entries are handed out
	stopped      error           // why nothing more is fetched under this lease: see Config.FailOnLoss
}

// deliveryState is where handing out stands.
type deliveryState struct {
	handOutState
	tracker  *tracker
	finished []Range              // entries that an earlier owner has finished
	failed   map[Offset]Attempted // entries that failed under an earlier lease and were not read yet
}

// commitState is where committing stands.
type commitState struct {
	stored       Position // what the store has
	storedRanges []Range  // Commit.Finished, as stored
	committedAt  time.Time
	callInFlight bool      // a commit or a renewal is in flight
	drainBy      time.Time // when draining ends at the latest
}

// countState is what is known of the lag, see countJob and Commit.Accounted.
type countState struct {
	lag             int64 // as last sampled; -1 if unknown
	entriesFetched  int64 // under this lease
	accounted       int64 // of the committed position, as far as known
	storedAccounted int64 // what was stored of it last
	count           *countJob
	exact           exactCount
	countAfter      time.Time // no count begins before then
}

// fetchedRun is a sequence of fetched entries.
type fetchedRun struct {
	entries []Entry
	read    int64 // EntriesRead of the position before the first entry
}

// newOwnedSplit returns the ownedSplit of a lease that was granted at a position.
func newOwnedSplit(lease Lease, at Position, i isolation) *ownedSplit {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &ownedSplit{
		lease:         lease,
		ctx:           ctx,
		cancel:        cancel,
		fetchState:    fetchState{next: at},
		deliveryState: deliveryState{handOutState: handOutState{isolation: i}, tracker: newTracker(at)},
		commitState:   commitState{stored: at},
		countState:    countState{lag: -1, accounted: at.EntriesRead, storedAccounted: at.EntriesRead},
	}
}

// serving reports whether entries may be handed out.
func (o *ownedSplit) serving() bool { return o.phase == reading }

// oldest returns the first entry that was fetched and is not resolved.
func (o *ownedSplit) oldest() (Offset, bool) {
	if first, _, ok := o.oldestHandedOut(); ok {
		return first, true
	}
	if !o.adoption.empty() {
		return o.adoption.buffer[0].Offset, true
	}
	if len(o.buffer) > 0 {
		return o.buffer[0].entries[0].Offset, true
	}
	return Offset{}, false
}

// observe keeps a state of the stream, unless a newer one is known.
func (o *ownedSplit) observe(s State) {
	if s.Exists && !s.rolledBackFrom(o.lastState, Position{}) {
		o.lastState = s
	}
}

// updateAccounted returns Commit.Accounted for a commit of the position. It never falls while the
// stream is the same.
func (o *ownedSplit) updateAccounted(at Position) int64 {
	o.accounted = max(o.accounted, o.lastState.accounted(at, o.accounted))
	return o.accounted
}

// forgetCounts drops what was counted in a stream that was replaced.
func (o *ownedSplit) forgetCounts() {
	o.count, o.accounted, o.storedAccounted, o.exact = nil, CountUnknown, CountUnknown, exactCount{}
}
