package splits

import "errors"

// memory is what stays known of the stream of a split when a hold ends, for the next one.
type streamMemory struct {
	lastState State // the newest state of the stream while it was the one that was read; zero if none was seen
	// end is the position behind the last entry that was handed out.
	end          Position
	fingerprints fingerprints
	// back says that the hold ended because the stream went back.
	rolledBack bool
	// epoch is that of the lease.
	epoch uint64
	// done is the position up to which everything was acknowledged.
	done Position
}

// remember keeps what is known of the stream for when the split, whose lease was lost, is claimed
// anew. Of one that was halted or deleted nothing is: the operator who moved its position, or
// deleted it, knows of the loss. The lock is held.
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

// recall returns what was known of the stream of a split when its lease was lost. If the position
// has moved on since, another member had the split, and will have judged.
func (set *splitSet) recall(s Split, at Position) streamMemory {
	set.mu.Lock()
	defer set.mu.Unlock()
	m := set.memories[s]
	if m.end.Offset.Before(at.Offset) {
		return streamMemory{}
	}
	return m
}

// goBack notes that the stream of a split is not what it was. Nothing more is fetched. What was
// fetched is still handed out, for the stream may not have it any more; then the hold ends, and the
// split is claimed anew. The lock is held.
func (set *splitSet) markRolledBack(o *ownedSplit) {
	o.rolledBack = true
	set.endIfRolledBack(o)
}

func (set *splitSet) endIfRolledBack(o *ownedSplit) {
	if o.rolledBack && o.inflight == 0 && len(o.buffer) == 0 && o.isolation.empty() {
		set.lose(o, ErrRolledBack)
	}
}
