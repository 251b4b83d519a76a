package simulation

import (
	"strings"
	"time"
)

// A gentle schedule has members that come and go, killed or by themselves, and no other misfortune.
// What README promises of that can be held to the letter there.

const (
	// handover is how long splits may stay without an owner when a member leaves by itself.
	handover = 250 * time.Millisecond
	// takeoverBeyond is how much longer than a session they may when it was killed.
	takeoverBeyond = time.Second
)

// end is how a process ended.
type end struct {
	at     time.Time
	killed bool
}

// ends takes note that a process is killed now, or closes after its pipeline was done with
// everything. A static one stays a member either way, and may be planned for.
func (o *oracle) ends(owner string, killed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := end{time.Now(), killed}
	o.ended[owner] = e
	if killed || o.plan.static {
		o.lastKill = e.at
	}
}

// inTime judges how long a split that is claimed now had no owner that lives. Where a member was
// killed meanwhile, the split may have been planned for that one. The lock is held.
func (o *oracle) inTime(p *part) {
	e, ended := o.ended[p.last]
	if !o.plan.gentle || !ended {
		return
	}
	took := time.Since(e.at)
	switch {
	case e.killed && o.lastKill.Equal(e.at) && took > o.plan.ttl+takeoverBeyond:
		o.violated(p.split.Key, "it took %v until %s, who was killed, had an heir", took, p.last)
	case !e.killed && !o.plan.static && time.Since(o.lastKill) > o.plan.ttl+takeoverBeyond && took > handover:
		o.violated(p.split.Key, "it took %v until %s, who had left, had an heir", took, p.last)
	}
}

// onlyOnce makes sure that a record which a pipeline was done with is handed out again only if that
// process was killed, or came back before it was gone: the earlier incarnation gives its splits up
// at once then, though its pipeline be busy. The lock is held.
func (o *oracle) onlyOnce(p *part, r *record) {
	_, superseded := p.superseded[r.ackedBy]
	e, ended := o.ended[r.ackedBy]
	superseded = superseded || o.plan.static && !ended && memberOf(r.ackedBy) == memberOf(p.owner)
	if o.plan.gentle && r.ackedBy != "" && !e.killed && !superseded {
		o.violated(r.split, "%s is handed out again, after %s was done with it and not killed", r.id, r.ackedBy)
	}
}

// memberOf is the static member of which an owner is an incarnation.
func memberOf(owner string) string {
	member, _, _ := strings.Cut(owner, "/")
	return member
}
