package splits

import "errors"

// streamMemory is what is kept of an owned split whose lease was lost, until the split is claimed
// again.
type streamMemory struct {
	// The newest state of the stream that was read; zero if none was seen.
	lastState State
	// end is the position behind the last entry that was handed out.
	end          Position
	fingerprints fingerprints
	// rolledBack is true if the lease was lost because the stream was rolled back.
	rolledBack bool
	// epoch is the epoch of the lease.
	epoch uint64
	// done is the position up to which everything was acknowledged.
	done Position
}

// remember keeps what is known of the stream until the split is claimed again. It keeps nothing of
// a split that was stopped or deleted: the operator who moved its position or deleted it knows of
// the loss. The lock is held.
func (set *splitSet) remember(o *ownedSplit, cause error) {
	if o.stopped == nil && !errors.Is(cause, ErrDeleted) {
		set.memories[o.lease.Split] = streamMemory{
			lastState:    o.lastState,
			end:          o.tracker.End(),
			fingerprints: o.fingerprints,
			rolledBack:   o.rolledBack,
			epoch:        o.lease.Epoch,
			done:         o.tracker.Done(),
		}
	}
}

// recall returns what was known of the stream when the lease of a split was lost. It returns
// nothing if the position has moved on since: then another member owned the split, and checked the
// stream.
func (set *splitSet) recall(s Split, at Position) streamMemory {
	set.mu.Lock()
	defer set.mu.Unlock()
	m := set.memories[s]
	if m.end.Offset.Before(at.Offset) {
		return streamMemory{}
	}
	return m
}

// markRolledBack notes that the stream of a split is not the one that was read. Nothing more is
// fetched. Fetched entries are still handed out, since the stream may not have them any more. Then
// the split is lost, and is claimed again. The lock is held.
func (set *splitSet) markRolledBack(o *ownedSplit) {
	o.rolledBack = true
	set.endIfRolledBack(o)
}

func (set *splitSet) endIfRolledBack(o *ownedSplit) {
	buffered := len(o.buffer) > 0 || !o.isolation.lanes.empty() || !o.adoption.empty() || o.aside != nil
	if o.rolledBack && o.inflight == 0 && !buffered && o.isolation.empty() {
		set.lose(o, ErrRolledBack)
	}
}
