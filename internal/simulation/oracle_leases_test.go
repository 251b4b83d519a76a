package simulation

import (
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Checks of members and leases. The caller holds the lock, unless the function takes it.

// checkBeat checks a heartbeat of a listed member: if no member sent a heartbeat for longer than a
// session, it must not drop any member. The caller holds the lock.
func (o *oracle) checkBeat(member string, before []string) {
	silent := !o.lastBeat.IsZero() && time.Since(o.lastBeat) > o.plan.ttl+time.Millisecond
	o.lastBeat = time.Now()
	if !silent || !slices.Contains(before, member) {
		return
	}
	after := o.store.Members(topicName, groupName)
	for _, m := range before {
		if !slices.Contains(after, m) {
			o.violated("", "%s is dropped by the first heartbeat of %s after a pause of all members", m, member)
		}
	}
}

// groupCreation describes the creation of a group that the store does not know, or has lost.
type groupCreation struct {
	// latest is the number of partitions that may start at the latest entry: those that existed at
	// the creation. It is 0 if the creator had been a member before: then the store lost the group,
	// and everything has to be read.
	latest int
	// knownSince holds the owners that know of this creation, and since when.
	knownSince map[string]time.Time
}

// noteCreation records that the group was created. The caller holds the lock.
func (o *oracle) noteCreation(rejoins bool, partitions int) {
	if rejoins {
		partitions = 0
	}
	o.creation = &groupCreation{latest: partitions, knownSince: map[string]time.Time{}}
}

// hasJoined reports whether the owner ever received a reply to a heartbeat.
func (o *oracle) hasJoined(owner string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.joined[owner]
}

// currentCreation returns the latest creation of the group; nil if there was none.
func (o *oracle) currentCreation() *groupCreation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.creation
}

// noteBeatReply records that an owner received a reply to a heartbeat that it sent after creation
// c.
func (o *oracle) noteBeatReply(owner string, c *groupCreation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.joined[owner] = true
	if c == nil {
		return
	}
	if _, known := c.knownSince[owner]; !known {
		c.knownSince[owner] = time.Now()
	}
}

// knownTo returns the latest creation of the group if the owner knows of it, else nil.
func (o *oracle) knownTo(owner string) *groupCreation {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.creation != nil {
		if since, ok := o.creation.knownSince[owner]; ok && since.Before(time.Now()) {
			return o.creation
		}
	}
	return nil
}

// checkStart checks where a split without a position starts. known is the creation that the sender
// of the claim knew: an owner that sent no heartbeat since the store lost everything acts on what
// it knew before. The caller holds the lock.
func (o *oracle) checkStart(owner string, c splits.Claim, known *groupCreation) {
	if c.Start.IsLatest() && known != nil && known == o.creation && c.Split.Partition >= known.latest {
		o.violated(
			c.Split.Key,
			"%s starts the split at its latest entry, but only the first %d existed when the group was created",
			owner,
			known.latest,
		)
	}
}

// checkClaim checks a granted claim. The caller holds the lock.
func (o *oracle) checkClaim(owner string, c splits.Claim, g splits.Granted) {
	m := o.model(c.Split)
	o.note(owner, c.Split.Key, "claimed: epoch %d at %v", g.Epoch, g.Position.Offset)
	if m.claimed && g.Epoch <= m.epoch {
		o.violated(c.Split.Key, "epoch %d was granted to %s after epoch %d", g.Epoch, owner, m.epoch)
	}
	if !m.claimed && c.Start.IsLatest() {
		for _, r := range m.entries {
			r.acked = r.acked || r.offset.Compare(g.Position.Offset) <= 0
		}
	}
	// A rollback removes epochs. None of them is granted again, and new epochs are higher unless
	// the clock went back.
	if before, twice := m.epochs[g.Epoch]; twice {
		o.violated(
			c.Split.Key,
			"epoch %d was granted to %s, but %s had it before a rollback",
			g.Epoch,
			owner,
			before,
		)
	}
	if g.Epoch < m.highest && !o.clockWentBack {
		o.violated(
			c.Split.Key,
			"epoch %d was granted to %s, but there was epoch %d before a rollback",
			g.Epoch,
			owner,
			m.highest,
		)
	}
	m.epochs[g.Epoch], m.highest = owner, max(g.Epoch, m.highest)
	o.checkTakeover(m)
	o.noteTakeover(m, owner)
	o.noteStart(m, g.Position.Offset)
	clear(m.leaseDelivered)
	clear(m.inLease)
	if splits.Supersedes(owner, m.owner) {
		m.superseded[m.owner] = time.Now().Add(o.plan.ttl)
	}
	m.resumed, m.knows = false, false
	m.owner, m.lastOwner, m.epoch, m.claimed, m.leaseRestored = owner, owner, g.Epoch, true, false
	o.checkPosition(m, false)
	o.noteFailing(m, g)
}

// checkAccepted checks a commit, a renewal (at is nil) or a reset that the store accepted. The
// caller holds the lock.
func (o *oracle) checkAccepted(what string, l splits.Lease, at *splits.Position) {
	m := o.model(l.Split)
	if at != nil {
		o.note(l.Member, l.Split.Key, "%s: epoch %d at %v", what, l.Epoch, at.Offset)
	}
	if m.owner != l.Member || m.epoch != l.Epoch {
		o.violated(
			l.Split.Key,
			"%s of %s in epoch %d was accepted, but %s holds the split in epoch %d",
			what,
			l.Member,
			l.Epoch,
			m.owner,
			m.epoch,
		)
	}
	if what == "reset" {
		o.forgetDeaths(m)
		o.noteStart(m, at.Offset)
	}
	o.checkPosition(m, what == "reset")
}

// checkPosition checks the position in the store. The caller holds the lock.
func (o *oracle) checkPosition(m *splitModel, down bool) {
	state, ok := o.store.Lease(groupName, m.split)
	if !ok {
		return
	}
	if !down && state.Position.Offset.Before(m.committed.Offset) {
		o.violated(
			m.split.Key,
			"the committed position went back from %v to %v",
			m.committed.Offset,
			state.Position.Offset,
		)
	}
	m.committed, m.finished = state.Position, state.Finished
	for m.ackedPrefix < len(m.entries) {
		r := m.entries[m.ackedPrefix]
		if !r.acked && m.leaseRestored && r.offset.Compare(m.committed.Offset) <= 0 {
			m.hide(r)
		}
		if !r.acked {
			break
		}
		m.ackedPrefix++
	}
	for _, r := range m.entries[m.ackedPrefix:] {
		if m.committed.Offset.Before(r.offset) {
			break
		}
		if !r.acked && !r.pending { // what is pending is not committed, but acknowledged in the foreign group
			o.violated(
				m.split.Key,
				"%v is committed, but %s at %v was never acknowledged",
				m.committed.Offset,
				r.id,
				r.offset,
			)
			break
		}
	}
	o.checkFinished(m)
	o.checkLetters(m)
}

// checkFinished checks the records that were committed as finished behind the position. The caller
// holds the lock.
func (o *oracle) checkFinished(m *splitModel) {
	for _, r := range m.entries[m.ackedPrefix:] {
		switch {
		case r.acked || !m.isFinished(r.offset):
		case m.leaseRestored:
			m.hide(r)
		default:
			o.violated(m.split.Key, "%s at %v is committed as finished, but was never acknowledged", r.id, r.offset)
		}
	}
}

// isFinished reports whether the store has the offset in a finished range.
func (m *splitModel) isFinished(at splits.Offset) bool {
	return slices.ContainsFunc(m.finished, func(r splits.Range) bool {
		return !at.Before(r.First) && !r.Last.Before(at)
	})
}

// checkRelease checks a release that the store accepted. The caller holds the lock.
func (o *oracle) checkRelease(l splits.Lease) {
	m := o.model(l.Split)
	o.note(l.Member, l.Split.Key, "released: epoch %d", l.Epoch)
	if m.owner != l.Member || m.epoch != l.Epoch {
		o.violated(
			l.Split.Key,
			"a release of %s in epoch %d was accepted, but %s holds the split in epoch %d",
			l.Member,
			l.Epoch,
			m.owner,
			m.epoch,
		)
	}
	m.owner = ""
	o.land(m)
}
