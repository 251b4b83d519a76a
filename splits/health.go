package splits

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"
)

// Part is a part that a Consumer depends on. It is comparable.
type Part struct {
	Kind PartKind
	// Name is the key of the split, or the name of the member; empty for the store.
	Name string
}

// PartKind is the kind of a Part.
type PartKind int

const (
	// PartStore is the store as a whole.
	PartStore PartKind = iota
	// PartSplit is one split.
	PartSplit
	// PartMember is the membership of this member.
	PartMember
)

// String names the part.
func (p Part) String() string {
	switch p.Kind {
	case PartSplit:
		return p.Name
	case PartMember:
		return "member " + p.Name
	default:
		return "store"
	}
}

// task is something that a Consumer does and that can fail. It is comparable.
type task struct {
	kind taskKind
	name string // of what it is about, such as the key of a split; empty if there is only one
}

// taskKind is the kind of a task.
type taskKind int

const (
	taskClaim  taskKind = iota // of one split
	taskCommit                 // on one node
	taskHeartbeat
	taskMember // being a member of the group
	taskRead   // of one fetch group
	taskSample
	taskSplit   // reading one split
	taskLoad    // on one node
	taskAdopt   // reading the pending entries of one split
	taskLetter  // writing the dead letter of an entry of one split
	taskVerdict // deciding which entries are given up
	taskNote    // storing the attempts at entries that fail, on one node
	taskAccept  // having messages accepted, of a member of a share group
)

// part returns the part that fails if the task does.
func (t task) part() Part {
	switch t.kind {
	case taskSplit, taskAdopt, taskLetter:
		return Part{PartSplit, t.name}
	case taskMember, taskAccept, taskVerdict:
		return Part{PartMember, t.name}
	default:
		return Part{}
	}
}

// compare orders tasks.
func (t task) compare(other task) int {
	return cmp.Or(cmp.Compare(t.kind, other.kind), cmp.Compare(t.name, other.name))
}

// health tracks which tasks fail at the moment. For each part, it calls the Observer once when the
// part becomes unavailable, about once a minute while it stays unavailable, and once when it is
// available again, however many tasks and requests fail. It is safe for concurrent use.
type health struct {
	observer    Observer
	now         func() time.Time
	onRecovered func() // called when a task that concerns the whole store succeeds again; must not block

	mu         sync.Mutex
	problems   map[task]problem
	reportedAt map[Part]time.Time // when the Observer was last called
	changed    chan struct{}      // closed and replaced when a task succeeds again
}

// remindEvery is how often the Observer is called while a part stays unavailable.
const remindEvery = time.Minute

// problem is why a task fails.
type problem struct {
	err   error
	since time.Time
}

func newHealth(observer Observer, now func() time.Time) *health {
	return &health{
		observer: observer, now: now, onRecovered: func() {},
		problems: map[task]problem{}, reportedAt: map[Part]time.Time{}, changed: make(chan struct{}),
	}
}

// fail records that a task fails.
func (h *health) fail(t task, err error) {
	h.mu.Lock()
	old, failing := h.problems[t]
	part := t.part()
	report := !failing && (part.Kind != PartStore || !h.storeFailing()) ||
		part.Kind != PartMember && h.now().Sub(h.reportedAt[part]) >= remindEvery
	p := problem{err, h.now()}
	if failing {
		p.since = old.since
	}
	h.problems[t] = p
	if report {
		h.reportedAt[part] = h.now()
	}
	h.mu.Unlock()
	if report {
		h.observer.Unavailable(part, err)
	}
}

// ok records that a task succeeds.
func (h *health) ok(t task) {
	h.mu.Lock()
	if _, failing := h.problems[t]; !failing {
		h.mu.Unlock()
		return
	}
	delete(h.problems, t)
	close(h.changed)
	h.changed = make(chan struct{})
	part := t.part()
	available := part.Kind != PartStore || !h.storeFailing()
	if available {
		delete(h.reportedAt, part)
	}
	h.mu.Unlock()
	if available {
		h.observer.Available(part)
	}
	if part.Kind == PartStore {
		h.onRecovered()
	}
}

// forget drops the problems of a split that is not owned any more.
func (h *health) forget(s Split) {
	h.ok(task{taskSplit, s.Key})
	h.ok(task{taskAdopt, s.Key})
	h.ok(task{taskLetter, s.Key})
}

// storeFailing reports whether a task fails that concerns the whole store. The lock is held.
func (h *health) storeFailing() bool {
	for t := range h.problems {
		if t.part().Kind == PartStore {
			return true
		}
	}
	return false
}

// longestProblem returns the error of a task that has failed for at least d, nil if there is none:
// an error of the store if there is one, else an error of a split or of the member. changed is
// closed when a task succeeds again.
func (h *health) longestProblem(d time.Duration) (changed <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range slices.SortedFunc(maps.Keys(h.problems), task.compare) {
		p := h.problems[t]
		if h.now().Sub(p.since) >= d && (err == nil || t.part().Kind == PartStore) {
			err = p.err
		}
	}
	return h.changed, err
}
