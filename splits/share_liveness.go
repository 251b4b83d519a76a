package splits

import "time"

// shareLiveness knows which names of a share group belong to live members, from the answers to the
// beats of this member. It never judges by a missing name alone: a store that lost the members
// lists no member, and all of them may be alive.
//
// A name is dead if the latest answer does not list it, and either the store has recorded that the
// member left or that its session ended, or the name was in none of the answers for a whole
// session. It is not safe for concurrent use.
type shareLiveness struct {
	ttl time.Duration

	live     map[string]bool      // the names in the latest answer
	absent   map[string]time.Time // when a name that vanished was in an answer last
	departed map[string]time.Time // when the store first reported that the member ended
	since    time.Time            // the beginning of the uninterrupted series of answers
	last     time.Time            // when the latest answered beat was sent
}

func newShareLiveness(ttl time.Duration) *shareLiveness {
	return &shareLiveness{
		ttl: ttl, live: map[string]bool{}, absent: map[string]time.Time{}, departed: map[string]time.Time{},
	}
}

// maxBeatGap is the part of a session above which the time between two beats counts as an
// interruption: a half.
const maxBeatGap = 2

// observe learns from the answer to a beat. changed reports whether the answer lists the members.
func (l *shareLiveness) observe(v ShareView, changed bool, sent time.Time) {
	if l.since.IsZero() || sent.Sub(l.last) > l.ttl/maxBeatGap {
		l.since = sent
	}
	if changed {
		l.replace(v, sent)
	}
	l.last = sent
	for name, at := range l.absent {
		if sent.Sub(at) > l.ttl {
			delete(l.absent, name)
		}
	}
	for name, at := range l.departed {
		if sent.Sub(at) > 2*l.ttl {
			delete(l.departed, name) // it has been absent for a session
		}
	}
}

func (l *shareLiveness) replace(v ShareView, sent time.Time) {
	before := l.live
	l.live = make(map[string]bool, len(v.Members))
	for _, name := range v.Members {
		l.live[name] = true
		delete(l.absent, name)
		delete(l.departed, name)
	}
	for name := range before {
		if !l.live[name] {
			l.absent[name] = l.last
		}
	}
	for _, name := range v.Departed {
		if _, known := l.departed[name]; !known && !l.live[name] {
			l.departed[name] = sent
		}
	}
}

// forget notes that this member is not in the group any more: nothing that it has seen shows
// another member as absent.
func (l *shareLiveness) forget() {
	l.live, l.absent, l.since = map[string]bool{}, map[string]time.Time{}, time.Time{}
}

// suspicious reports whether a name might be dead: a beat that is sent now decides.
func (l *shareLiveness) suspicious(name string) bool { return !l.live[name] }

// dead reports whether the member with a name is dead, by the latest answer.
func (l *shareLiveness) dead(name string) bool {
	if l.since.IsZero() || l.live[name] {
		return false
	}
	if _, departed := l.departed[name]; departed {
		return true
	}
	absentSince := l.since
	if at, vanished := l.absent[name]; vanished && at.After(absentSince) {
		absentSince = at
	}
	return l.last.Sub(absentSince) >= l.ttl
}
