package simulation

import (
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// What the oracle makes of members and leases. The lock is held in all of these, unless they take
// it.

// beaten judges a heartbeat: after a silence of all that is longer than a session, one of a member
// that was listed drops nobody. The lock is held.
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

// founding is the making of a group that the store does not know, or not any more.
type founding struct {
	// latest is how many of the partitions may be begun at the latest entry: those that were there.
	// None, if the founder had been a member before: the store has lost the group then, and all is
	// to be read.
	latest int
	// knowers are the owners who were told of the group since, and when.
	knowers map[string]time.Time
}

// founded takes note of a founding. The lock is held.
func (o *oracle) founded(rejoins bool, partitions int) {
	if rejoins {
		partitions = 0
	}
	o.founding = &founding{latest: partitions, knowers: map[string]time.Time{}}
}

// hasJoined reports whether the owner was ever told that it is a member.
func (o *oracle) hasJoined(owner string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.joined[owner]
}

// now is the group as it is founded now; nil if it is not.
func (o *oracle) now() *founding {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.founding
}

// hears takes note that an owner was told what the group looked like after its founding.
func (o *oracle) hears(owner string, f *founding) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.joined[owner] = true
	if f == nil {
		return
	}
	if _, known := f.knowers[owner]; !known {
		f.knowers[owner] = time.Now()
	}
}

// knownTo is the group as it is founded now, if the owner has heard of it.
func (o *oracle) knownTo(owner string) *founding {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.founding != nil {
		if heard, ok := o.founding.knowers[owner]; ok && heard.Before(time.Now()) {
			return o.founding
		}
	}
	return nil
}

// begun judges where a split is begun that had no position. known is the group as the claim's
// sender knew it: who has not beaten since the store lost everything believes what it knew. The
// lock is held.
func (o *oracle) begun(owner string, c splits.Claim, known *founding) {
	if c.Start.IsLatest() && known != nil && known == o.founding && c.Split.Partition >= known.latest {
		o.violated(
			c.Split.Key,
			"%s begins the split at its latest entry, but only the first %d were there when the group began",
			owner,
			known.latest,
		)
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
	// A rollback takes epochs back. None comes again, and those that do are higher as long as the
	// clock is.
	if before, twice := p.epochs[g.Epoch]; twice {
		o.violated(
			c.Split.Key,
			"epoch %d was granted to %s, but it was that of %s before a rollback",
			g.Epoch,
			owner,
			before,
		)
	}
	if g.Epoch < p.highest && !o.clockWentBack {
		o.violated(
			c.Split.Key,
			"epoch %d was granted to %s, but there was epoch %d before a rollback",
			g.Epoch,
			owner,
			p.highest,
		)
	}
	p.epochs[g.Epoch], p.highest = owner, max(g.Epoch, p.highest)
	o.inTime(p)
	o.begins(p, g.Position.Offset)
	if splits.Supersedes(owner, p.owner) {
		p.superseded[p.owner] = time.Now().Add(o.plan.ttl)
	}
	p.owner, p.last, p.epoch, p.claimed, p.revived = owner, owner, g.Epoch, true, false
	o.stored(p, false)
}

// accepted judges a commit, a renewal (at is nil) or a reset that the store accepted. The lock is
// held.
func (o *oracle) accepted(what string, l splits.Lease, at *splits.Position) {
	p := o.part(l.Split)
	if at != nil {
		o.note(l.Member, l.Split.Key, "%s: epoch %d at %v", what, l.Epoch, at.Offset)
	}
	if p.owner != l.Member || p.epoch != l.Epoch {
		o.violated(
			l.Split.Key,
			"%s of %s in epoch %d was accepted, but %s holds the split in epoch %d",
			what,
			l.Member,
			l.Epoch,
			p.owner,
			p.epoch,
		)
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
		o.violated(
			p.split.Key,
			"the committed position went back from %v to %v",
			p.committed.Offset,
			state.Position.Offset,
		)
	}
	p.committed = state.Position
	for p.safe < len(p.entries) {
		r := p.entries[p.safe]
		if !r.acked && p.revived && r.offset.Compare(p.committed.Offset) <= 0 {
			p.hide(r)
		}
		if !r.acked {
			break
		}
		p.safe++
	}
	if p.safe < len(p.entries) && p.entries[p.safe].offset.Compare(p.committed.Offset) <= 0 {
		r := p.entries[p.safe]
		o.violated(
			p.split.Key,
			"%v is committed, but %s at %v was never acknowledged",
			p.committed.Offset,
			r.id,
			r.offset,
		)
	}
}

// released takes note of a lease that was given back. The lock is held.
func (o *oracle) released(l splits.Lease) {
	p := o.part(l.Split)
	o.note(l.Member, l.Split.Key, "released: epoch %d", l.Epoch)
	if p.owner != l.Member || p.epoch != l.Epoch {
		o.violated(
			l.Split.Key,
			"a release of %s in epoch %d was accepted, but %s holds the split in epoch %d",
			l.Member,
			l.Epoch,
			p.owner,
			p.epoch,
		)
	}
	p.owner = ""
}
