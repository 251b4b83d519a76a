package simulation

import (
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// What the oracle makes of members and leases. The lock is held in all of these, unless they take it.

// beaten judges a heartbeat: after a silence of all that is longer than a session, one of a member that was listed drops nobody. The lock is held.
func (o *oracle) beaten(member string, before []string) {
	silent := !o.lastBeat.IsZero() && time.Since(o.lastBeat) > o.plan.ttl+time.Millisecond
	o.lastBeat = time.Now()
	if !silent || !slices.Contains(before, member) {
		return
	}
	after := o.store.Members(topicName, groupName)
	for _, m := range before {
		if !slices.Contains(after, m) {
			o.violated("", "%s is dropped by the first heartbeat of %s after a silence of all", m, member)
		}
	}
}

// founded takes note of a group that the store had not known. If its founder had been a member before, the store has lost it: all is to be read.
// The lock is held.
func (o *oracle) founded(rejoined bool, partitions int) {
	if o.latest = partitions; rejoined {
		o.latest = 0
	}
	o.knows = map[string]time.Time{}
}

// knowers are those who know the group as it was founded last.
func (o *oracle) knowers() map[string]time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.knows
}

// hears takes note that an owner was told what the group looked like when it had these knowers, or later.
func (o *oracle) hears(owner string, knowers map[string]time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, known := knowers[owner]; !known {
		knowers[owner] = time.Now()
	}
}

// begun judges where a split is begun that had no position. The lock is held.
func (o *oracle) begun(owner string, c splits.Claim) {
	// A member that has not beaten since the store lost everything believes what it knew, and requests may be late.
	knows, beaten := o.knows[owner]
	if c.Start.IsLatest() && c.Split.Partition >= o.latest && beaten && time.Since(knows) > 3*o.plan.ttl {
		o.violated(c.Split.Key, "%s begins the split at its latest entry, but only the first %d were there when the group began", owner, o.latest)
	}
}

// claimed judges a claim that was granted. The lock is held.
func (o *oracle) claimed(owner string, c splits.Claim, g splits.Granted) {
	p := o.part(c.Split)
	o.note(owner, c.Split.Key, "claimed: epoch %d at %v", g.Epoch, g.Position.Offset)
	if p.claimed && g.Epoch <= p.epoch {
		o.violated(c.Split.Key, "epoch %d was granted to %s after epoch %d", g.Epoch, owner, p.epoch)
	}
	if !p.claimed && c.Start.IsLatest() {
		for _, r := range p.entries {
			r.acked = r.acked || r.offset.Compare(g.Position.Offset) <= 0
		}
	}
	// After a rollback only the clock makes it higher, and two claims in one millisecond are told apart by their owners.
	if h := p.highest; !o.clockWentBack && (g.Epoch < h.epoch || g.Epoch == h.epoch && owner == h.owner) {
		o.violated(c.Split.Key, "epoch %d was granted to %s, but there was epoch %d of %s before a rollback", g.Epoch, owner, h.epoch, h.owner)
	}
	if g.Epoch > p.highest.epoch {
		p.highest = granted{g.Epoch, owner}
	}
	o.inTime(p)
	o.begins(p, g.Position.Offset)
	if splits.Supersedes(owner, p.owner) {
		p.superseded[p.owner] = time.Now().Add(o.plan.ttl)
	}
	p.owner, p.last, p.epoch, p.claimed = owner, owner, g.Epoch, true
	o.stored(p, false)
}

// accepted judges a commit, a renewal (at is nil) or a reset that the store accepted. The lock is held.
func (o *oracle) accepted(what string, l splits.Lease, at *splits.Position) {
	p := o.part(l.Split)
	if at != nil {
		o.note(l.Member, l.Split.Key, "%s: epoch %d at %v", what, l.Epoch, at.Offset)
	}
	if p.owner != l.Member || p.epoch != l.Epoch {
		o.violated(l.Split.Key, "%s of %s in epoch %d was accepted, but %s holds the split in epoch %d", what, l.Member, l.Epoch, p.owner, p.epoch)
	}
	if what == "reset" {
		o.begins(p, at.Offset)
	}
	o.stored(p, what == "reset")
}

// stored judges the position that the store has. The lock is held.
func (o *oracle) stored(p *part, down bool) {
	state, ok := o.store.Lease(groupName, p.split)
	if !ok {
		return
	}
	if !down && state.Position.Offset.Before(p.committed.Offset) {
		o.violated(p.split.Key, "the committed position went back from %v to %v", p.committed.Offset, state.Position.Offset)
	}
	p.committed = state.Position
	for p.safe < len(p.entries) && p.entries[p.safe].acked {
		p.safe++
	}
	if p.safe < len(p.entries) && p.entries[p.safe].offset.Compare(p.committed.Offset) <= 0 {
		r := p.entries[p.safe]
		o.violated(p.split.Key, "%v is committed, but %s at %v was never acknowledged", p.committed.Offset, r.id, r.offset)
	}
}

// released takes note of a lease that was given back. The lock is held.
func (o *oracle) released(l splits.Lease) {
	p := o.part(l.Split)
	o.note(l.Member, l.Split.Key, "released: epoch %d", l.Epoch)
	if p.owner != l.Member || p.epoch != l.Epoch {
		o.violated(l.Split.Key, "a release of %s in epoch %d was accepted, but %s holds the split in epoch %d", l.Member, l.Epoch, p.owner, p.epoch)
	}
	p.owner = ""
}
