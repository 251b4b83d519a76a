package splits

import (
	"slices"
	"sync"
	"time"
)

// shareSet is what a member of a share group has of all splits: what was delivered to it, handed
// out, and processed. It starts no goroutine and does no I/O: the readers fill it, Poll empties it,
// and the acknowledger takes from it what was processed. One lock guards everything.
type shareSet struct {
	cfg    ShareConfig
	health *health

	mu sync.Mutex
	turns[*shareSplit]
	judge      judge[*shareSplit]
	turn       int      // the last ShareSuspects.Turn
	name       string   // at which new entries are pending; empty while this member is not in the group
	former     []string // earlier names of this member, the latest last
	trusted    Lease    // until when the membership is trusted
	splits     map[Split]*shareSplit
	ordered    []*shareSplit        // splits, in the order of their partitions
	unacked    []*shareSplit        // splits with something to acknowledge
	suspicious map[*shareSplit]bool // splits in which something is or was suspected

	held     int // entries that are pending at this member, as far as it knows
	out      int // of these, the ones that were handed out
	ahead    int // of these, the ones that were not handed out
	reserved int // entries that reads in flight may deliver
	buffered int // bytes of all buffers

	closed  bool
	stalled bool
	full    bool // FullError was reported

	ackable  signal            // for the acknowledger: something was processed
	room     map[string]signal // for the reader of each fetch group
	onSplits func([]string)    // called with the fetch groups of new splits; must not block
}

func newShareSet(cfg ShareConfig, h *health) *shareSet {
	set := &shareSet{
		cfg:        cfg,
		health:     h,
		turns:      turns[*shareSplit]{readable: newSignal()},
		splits:     map[Split]*shareSplit{},
		suspicious: map[*shareSplit]bool{},
		room:       map[string]signal{},
		ackable:    newSignal(),
		onSplits:   func([]string) {},
	}
	set.judge = newJudge(&set.mu, judgedSet[*shareSplit](set), cfg.DeadLetters, cfg.Failures, cfg.Now)
	return set
}

// maxFormer is how many earlier names are kept. Other members take over what is pending at older
// ones.
const maxFormer = 8

// join notes that a beat succeeded.
func (set *shareSet) join(name string, trusted time.Time, view ShareView) {
	set.mu.Lock()
	set.name, set.trusted.TrustedUntil = name, trusted
	var groups []string
	current, ordered := make(map[Split]bool, len(view.Splits)), make([]*shareSplit, 0, len(view.Splits))
	for i, split := range view.Splits {
		current[split] = true
		start := set.cfg.Start
		if i >= view.Initial {
			start = Earliest()
		}
		s := set.splits[split]
		if s == nil {
			s = newShareSplit(set, split, start)
			set.splits[split] = s
			if group := set.cfg.FetchGroup(split); !slices.Contains(groups, group) {
				groups = append(groups, group)
			}
		} else if !s.opened {
			s.start = start
		}
		ordered = append(ordered, s)
	}
	set.ordered = ordered
	removed := set.removeExcept(current)
	set.readable.raise()
	set.wakeReaders()
	set.mu.Unlock()
	for _, split := range removed {
		set.health.forget(split)
	}
	if len(groups) > 0 {
		set.onSplits(groups)
	}
}

// removeExcept removes the splits that the topic does not have any more, and returns them. The lock
// is held.
func (set *shareSet) removeExcept(current map[Split]bool) (removed []Split) {
	for split, s := range set.splits {
		if !current[split] {
			s.leave(ErrRevoked)
			delete(set.splits, split)
			removed = append(removed, split)
		}
	}
	return removed
}

// leave notes that this member is not in the group any more: nothing is handed out until it has
// joined again, and what was not handed out is dropped.
func (set *shareSet) leave() {
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.name == "" {
		return
	}
	set.former = append(set.former, set.name)
	set.former = set.former[max(0, len(set.former)-maxFormer):]
	name := set.name
	set.name, set.trusted.TrustedUntil = "", time.Time{}
	for _, s := range set.splits {
		set.sayAlive(s, name)
		s.leave(ErrGone)
	}
}

// wakeReaders wakes all readers. The lock is held.
func (set *shareSet) wakeReaders() {
	for _, room := range set.room {
		room.raise()
	}
}

// roomSignal returns the signal that wakes the reader of a fetch group.
func (set *shareSet) roomSignal(group string) signal {
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.room[group] == nil {
		set.room[group] = newSignal()
	}
	return set.room[group]
}

// names returns the name at which new entries are pending, empty if there is none, and the earlier
// names.
func (set *shareSet) names() (current string, former []string) {
	set.mu.Lock()
	defer set.mu.Unlock()
	return set.name, slices.Clone(set.former)
}

// count returns the number of splits that the member reads.
func (set *shareSet) count() int {
	set.mu.Lock()
	defer set.mu.Unlock()
	n := 0
	for _, s := range set.splits {
		n += count(s.open)
	}
	return n
}

func (set *shareSet) isClosed() bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	return set.closed
}

// hasReady reports whether there is something to hand out, or will be soon.
func (set *shareSet) hasReady() bool {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	return set.hasTurn(now) && set.trusted.Trusted(now)
}

// close ends Poll. What was processed is still to be acknowledged.
func (set *shareSet) close() {
	set.cfg.Failures.forget(set)
	set.mu.Lock()
	defer set.mu.Unlock()
	set.closed = true
	set.readable.raise()
	set.wakeReaders()
}
