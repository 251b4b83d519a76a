package splits

import (
	"maps"
	"slices"
	"sync"
)

// splitSet is the set of splits that a member owns: what was fetched of each, handed out, and
// resolved. It starts no goroutine and does no I/O: the fetchers fill it, Poll empties it, the
// committer reads positions from it, and the claimer adds and removes splits. One lock guards
// everything, so checking a lease and resolving an entry under it are one step.
type splitSet struct {
	cfg Config

	mu sync.Mutex
	turns[*ownedSplit]
	splits   map[Split]*ownedSplit
	buffered int               // bytes of all buffers
	lost     map[error][]Lease // lost leases, by cause, until takeLost
	closed   bool
	stalled  bool                   // the Observer has received Stalled
	memories map[Split]streamMemory // of splits whose lease was lost
	adopting int                    // number of splits that are being adopted

	judge judge[*ownedSplit]

	commitWanted signal // for the committer: a suspect is to be stored

	changed     signal            // for the claimer: a drain ended or a lease was lost
	countWanted signal            // for the counter: there is something to count
	pagesWanted signal            // for the adopter: there may be pending entries to read
	loadWanted  signal            // for the loader: there is something to load
	room        map[string]signal // for the fetcher of each fetch group: there is something to fetch
}

func newSplitSet(cfg Config) *splitSet {
	set := &splitSet{
		cfg:          cfg,
		turns:        turns[*ownedSplit]{readable: newSignal()},
		splits:       map[Split]*ownedSplit{},
		lost:         map[error][]Lease{},
		room:         map[string]signal{},
		memories:     map[Split]streamMemory{},
		changed:      newSignal(),
		countWanted:  newSignal(),
		pagesWanted:  newSignal(),
		loadWanted:   newSignal(),
		commitWanted: newSignal(),
	}
	set.judge = newJudge(&set.mu, judgedSet[*ownedSplit](set), cfg.DeadLetters, cfg.Failures, cfg.Now)
	return set
}

// add adds a split that was just claimed.
func (set *splitSet) add(c claimedSplit) *ownedSplit {
	o := newOwnedSplit(c.lease, c.at, newIsolation(set.cfg))
	o.lastState, o.fingerprints, o.stopped = c.lastState, c.fingerprints, c.stopped
	o.failed, o.resolved = c.failedBefore()
	for _, a := range c.unsure {
		o.buried = append(o.buried, a.Offset)
	}
	o.finished, o.storedRanges = c.finished, c.finished
	o.committedAt = set.cfg.Now()
	o.poison = newPoison(c)
	o.isolation.largest = o.poison.limit(set.cfg.BatchSize)
	set.mu.Lock()
	defer set.mu.Unlock()
	if old := set.splits[c.lease.Split]; old != nil {
		set.end(old, ErrRevoked)
	}
	delete(set.memories, c.lease.Split)
	set.splits[c.lease.Split] = o
	if c.adopting != "" {
		o.adoption = newAdoption(c.adopting, c.at.Offset)
		set.adopting++
		set.wakeAdopter()
	}
	if len(o.resolved) > 0 {
		set.judge.wakeNoter(o)
	}
	set.wakeFetcher(c.lease.Split)
	return o
}

// end ends an owned split: acknowledgements change nothing from here on. The lock is held.
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
	o.isolation, o.failingState, o.failed = isolation{}, failingState{}, nil
	o.aside = nil
	delete(set.judge.notable, o)
	set.cfg.Failures.endAlone(o)
	set.sayAlive(o)
	if o.adoption.active() {
		o.adoption.ended = true
		set.adopting--
	}
	o.cancel(cause)
	set.wakeAllFetchers() // the other splits may use more of the common buffer now
}

// lose ends an owned split whose lease is gone, unless it has ended already, and notifies the
// claimer. The lock is held.
func (set *splitSet) lose(o *ownedSplit, cause error) {
	if o.phase == ended {
		return
	}
	set.remember(o, cause)
	set.end(o, cause)
	set.lost[cause] = append(set.lost[cause], o.lease)
	set.changed.raise()
}

// isAdopting reports whether pages of pending entries of the split are still to be read.
func (set *splitSet) isAdopting(o *ownedSplit) bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	return o.phase != ended && o.adoption.active()
}

// takeLost returns the leases that were lost since the last call, by cause.
func (set *splitSet) takeLost() map[error][]Lease {
	set.mu.Lock()
	defer set.mu.Unlock()
	lost := set.lost
	set.lost = map[error][]Lease{}
	return lost
}

// count returns the number of owned splits.
func (set *splitSet) count() int {
	set.mu.Lock()
	defer set.mu.Unlock()
	return len(set.splits)
}

// list returns the owned splits.
func (set *splitSet) list() []Split {
	set.mu.Lock()
	defer set.mu.Unlock()
	return slices.Collect(maps.Keys(set.splits))
}

// ownsIn reports whether any split of the fetch group is owned.
func (set *splitSet) ownsIn(group string) bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	for s := range set.splits {
		if set.cfg.FetchGroup(s) == group {
			return true
		}
	}
	return false
}

// wakeFetcher wakes the fetcher of a split: there may be something to fetch. The lock is held.
func (set *splitSet) wakeFetcher(s Split) {
	if room := set.room[set.cfg.FetchGroup(s)]; room != nil {
		room.raise()
	}
	set.wakeAdopter()
}

// wakeAllFetchers wakes all fetchers. The lock is held.
func (set *splitSet) wakeAllFetchers() {
	for _, room := range set.room {
		room.raise()
	}
	set.wakeAdopter()
}

// roomSignal returns the signal that wakes the fetcher of a fetch group.
func (set *splitSet) roomSignal(group string) signal {
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.room[group] == nil {
		set.room[group] = newSignal()
	}
	return set.room[group]
}

func (set *splitSet) isClosed() bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	return set.closed
}

// close ends Poll. The owned splits stay, since their last positions are still to be committed.
func (set *splitSet) close() {
	set.cfg.Failures.forget(set)
	set.mu.Lock()
	defer set.mu.Unlock()
	set.closed = true
	set.readable.raise()
}
