package simulation

import (
	"strings"
	"time"
)

// In a gentle schedule, members join, leave and are killed, without any other fault. There, the
// promises of the README about joining and leaving are checked exactly.

const (
	// handover is how long splits may have no owner when a member leaves.
	handover = 250 * time.Millisecond
	// takeoverBeyond is how much longer than a session splits may have no owner when a member was
	// killed.
	takeoverBeyond = time.Second
)

// processEnd is how a process ended.
type processEnd struct {
	at     time.Time
	killed bool
}

// noteEnd records that a process is killed now, or closes after its pipeline has finished. A static
// member remains in the group either way, so the plan can still include it.
func (o *oracle) noteEnd(owner string, killed bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e := processEnd{time.Now(), killed}
	o.ended[owner] = e
	if killed || o.plan.static {
		o.lastKill = e.at
	}
}

// checkTakeover checks how long a split that is claimed now had no live owner. If another member
// was killed meanwhile, the plan may have given the split to that member. The caller holds the
// lock.
func (o *oracle) checkTakeover(m *splitModel) {
	e, ended := o.ended[m.lastOwner]
	if !o.plan.gentle || !ended {
		return
	}
	took := time.Since(e.at)
	switch {
	case e.killed && o.lastKill.Equal(e.at) && took > o.plan.ttl+takeoverBeyond:
		o.violated(m.split.Key, "the split of %s, which was killed, had no owner for %v", m.lastOwner, took)
	case !e.killed && !o.plan.static && time.Since(o.lastKill) > o.plan.ttl+takeoverBeyond && took > handover:
		o.violated(m.split.Key, "the split of %s, which had left, had no owner for %v", m.lastOwner, took)
	}
}

// checkOnce checks that a record which a pipeline has processed is handed out again only if that
// process was killed, or if the member restarted while it still ran: the earlier incarnation then
// gives up its splits immediately, even if its pipeline is busy. The caller holds the lock.
func (o *oracle) checkOnce(m *splitModel, r *record) {
	_, superseded := m.superseded[r.ackedBy]
	e, ended := o.ended[r.ackedBy]
	superseded = superseded || o.plan.static && !ended && memberOf(r.ackedBy) == memberOf(m.owner)
	if o.plan.gentle && r.ackedBy != "" && !e.killed && !superseded {
		o.violated(r.split, "%s is handed out again, although %s had processed it and was not killed", r.id, r.ackedBy)
	}
}

// memberOf returns the static member of an incarnation.
func memberOf(owner string) string {
	member, _, _ := strings.Cut(owner, "/")
	return member
}
