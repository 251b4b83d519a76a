package splits

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Reader is the set of splits that a member holds: what was fetched of each, handed out, and
// resolved. It starts no goroutine and does no I/O: the fetchers fill it, Poll empties it, the
// Committer reads positions off it and the Claimer adds and removes splits. One lock guards
// everything, so "is this lease over?" and "mark this offset" are one step.
type splitSet struct {
	cfg Config

	mu               sync.Mutex
	splits           map[Split]*ownedSplit
	ready            []*ownedSplit     // splits with something to hand out, served in turn
	delayed          []*ownedSplit     // splits with something to hand out again that is not due yet
	buffered         int               // bytes of all buffers
	lost             map[error][]Lease // those that ended against our will, by cause
	closed           bool
	stalled          bool                   // the Observer has been told
	memories         map[Split]streamMemory // of splits that were held
	ignoreHintsUntil time.Time              // until then hints are not trusted: one was wrong

	readable    signal            // for Poll: something may be ready
	changed     signal            // for the Claimer: a drain ended or a lease was lost
	countWanted signal            // for the counter: there is something to count
	room        map[string]signal // for the fetcher of each shard: it has something to fetch
}

func newSplitSet(cfg Config) *splitSet {
	return &splitSet{
		cfg:         cfg,
		splits:      map[Split]*ownedSplit{},
		lost:        map[error][]Lease{},
		room:        map[string]signal{},
		memories:    map[Split]streamMemory{},
		readable:    newSignal(),
		changed:     newSignal(),
		countWanted: newSignal(),
	}
}

// add takes on a split that was just claimed.
func (set *splitSet) add(c claimedSplit) *ownedSplit {
	key := set.cfg.OrderKey
	if set.cfg.Unordered {
		key = nil
	}
	o := newOwnedSplit(c.lease, c.at, key)
	o.lastState, o.fingerprints, o.stopped = c.lastState, c.fingerprints, c.stopped
	o.committedAt = set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	if old := set.splits[c.lease.Split]; old != nil {
		set.end(old, ErrRevoked)
	}
	delete(set.memories, c.lease.Split)
	set.splits[c.lease.Split] = o
	set.wakeFetcher(c.lease.Split)
	return o
}

// end closes a hold for good: from here on acknowledgements under it change nothing. The lock is
// held.
func (set *splitSet) end(o *ownedSplit, cause error) {
	if o.phase == ended {
		return
	}
	o.phase = ended
	set.buffered -= o.bytes
	o.buffer, o.bytes = nil, 0
	if set.splits[o.lease.Split] == o {
		delete(set.splits, o.lease.Split)
	}
	o.isolation = isolation{}
	o.cancel(cause)
	set.wakeAllFetchers() // their shares of the common buffer have grown
}

// loseLocked ends a hold whose lease is gone, unless it is over already, and lets the Claimer know.
// The lock is held.
func (set *splitSet) lose(o *ownedSplit, cause error) {
	if o.phase == ended {
		return
	}
	set.remember(o, cause)
	set.end(o, cause)
	set.lost[cause] = append(set.lost[cause], o.lease)
	set.changed.raise()
}

// takeLost returns the leases that were lost since the last call, by cause.
func (set *splitSet) takeLost() map[error][]Lease {
	set.mu.Lock()
	defer set.mu.Unlock()
	lost := set.lost
	set.lost = map[error][]Lease{}
	return lost
}

// count is the number of splits held.
func (set *splitSet) count() int {
	set.mu.Lock()
	defer set.mu.Unlock()
	return len(set.splits)
}

// held lists the splits that are held.
func (set *splitSet) list() []Split {
	set.mu.Lock()
	defer set.mu.Unlock()
	return slices.Collect(maps.Keys(set.splits))
}

// holdsIn reports whether any split of the shard is held.
func (set *splitSet) ownsIn(shard string) bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	for s := range set.splits {
		if set.cfg.FetchGroup(s) == shard {
			return true
		}
	}
	return false
}

// wakeFetcher tells the fetcher of a split that there may be something to fetch. The lock is held.
func (set *splitSet) wakeFetcher(s Split) {
	if room := set.room[set.cfg.FetchGroup(s)]; room != nil {
		room.raise()
	}
}

// wakeAllFetchers is wakeFetcher for every shard. The lock is held.
func (set *splitSet) wakeAllFetchers() {
	for _, room := range set.room {
		room.raise()
	}
}

// roomSignal returns the signal that wakes the fetcher of a shard.
func (set *splitSet) roomSignal(shard string) signal {
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.room[shard] == nil {
		set.room[shard] = newSignal()
	}
	return set.room[shard]
}

func (set *splitSet) isClosed() bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	return set.closed
}

// close ends Poll. Holds stay, for their last positions are yet to be committed.
func (set *splitSet) close() {
	set.cfg.Failures.forget(set)
	set.mu.Lock()
	defer set.mu.Unlock()
	set.closed = true
	set.readable.raise()
}
