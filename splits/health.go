package splits

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// health knows which parts of a Consumer can't reach the store at the moment. The Observer hears
// once that there is trouble, again about every minute while it lasts, and once that it is over,
// however many parts and requests it struck; trouble with single splits is told apart.
type health struct {
	observer    Observer
	now         func() time.Time
	onRecovered func() // called when the store as a whole can be reached again; must not block

	mu         sync.Mutex
	problems   map[string]problem   // by part, by the key of a split, or by member
	reportedAt map[string]time.Time // when the Observer was last told of a trouble, by what it is about
	changed    chan struct{}        // closed and replaced at every change
}

// tellAgain is how often the Observer is told of trouble that persists.
const remindEvery = time.Minute

type problem struct {
	err    error
	since  time.Time
	split  bool // about one split, or the member, alone
	remind bool // it is told again while it lasts
}

// storeName is what the Observer is told that troubles with no split in particular are about.
const storeName = "redis"

func newHealth(observer Observer, now func() time.Time) *health {
	return &health{
		observer: observer, now: now, onRecovered: func() {},
		problems: map[string]problem{}, reportedAt: map[string]time.Time{}, changed: make(chan struct{}),
	}
}

// fail says that a part of the consumer can't do its work.
func (h *health) fail(part string, err error) { h.set(part, err, problem{remind: true}) }

// failSplit says that one split can't be read.
func (h *health) failSplit(s Split, err error) { h.set(s.Key, err, problem{split: true, remind: true}) }

// failMember says that the member has no part in the group.
func (h *health) failMember(member string, err error) {
	h.set("member "+member, err, problem{split: true})
}

// okMember says that the member is one of the group.
func (h *health) okMember(member string) { h.ok("member " + member) }

func (h *health) set(part string, err error, t problem) {
	h.mu.Lock()
	old, had := h.problems[part]
	what := h.subject(part, t.split)
	tell := !had && (t.split || !h.storeFailing()) || t.remind && h.now().Sub(h.reportedAt[what]) >= remindEvery
	t.err, t.since = err, h.now()
	if had {
		t.since = old.since
	}
	h.problems[part] = t
	if tell {
		h.reportedAt[what] = h.now()
	}
	h.mu.Unlock()
	if tell {
		h.observer.Troubled(what, err)
	}
}

// ok says that a part, or the split with that key, works.
func (h *health) ok(part string) {
	h.mu.Lock()
	old, had := h.problems[part]
	if !had {
		h.mu.Unlock()
		return
	}
	delete(h.problems, part)
	close(h.changed)
	h.changed = make(chan struct{})
	last := old.split || !h.storeFailing()
	if last {
		delete(h.reportedAt, h.subject(part, old.split))
	}
	h.mu.Unlock()
	if last {
		h.observer.Mended(h.subject(part, old.split))
	}
	if !old.split {
		h.onRecovered()
	}
}

func (h *health) subject(part string, split bool) string {
	if split {
		return part
	}
	return storeName
}

// storeTroubled reports whether there is trouble with no split in particular. The lock is held.
func (h *health) storeFailing() bool {
	for _, t := range h.problems {
		if !t.split {
			return true
		}
	}
	return false
}

// trouble returns what has been wrong for at least d, with the store before with a split; nil if
// nothing has. changed is closed at the next recovery.
func (h *health) longestProblem(d time.Duration) (changed <-chan struct{}, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, part := range slices.Sorted(maps.Keys(h.problems)) {
		t := h.problems[part]
		if h.now().Sub(t.since) >= d && (err == nil || !t.split) {
			err = t.err
		}
	}
	return h.changed, err
}

// forget drops the trouble of a split that is not ours any more.
func (h *health) forget(s Split) { h.ok(s.Key) }
