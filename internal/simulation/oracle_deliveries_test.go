package simulation

import (
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Checks of entries that are read, handed out and resolved.

// noteHandOut records that a process hands out a batch, and checks that it may.
func (o *oracle) noteHandOut(owner string, b *splits.Batch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if why := o.book.handedOut(owner, b); why != "" {
		o.violated(b.Split.Key, "%s: %s", owner, why)
	}
}

// checkBatch checks a batch that is handed out. A stale batch was returned by Poll before its
// process was paused.
func (o *oracle) checkBatch(owner string, b *splits.Batch, stale bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.model(b.Split)
	ids := make([]string, len(b.Entries))
	inBatch := map[*record]bool{}
	for i, e := range b.Entries {
		ids[i] = e.Fields[1]
	}
	o.note(owner, b.Split.Key, "handed out (%d): %v", b.Deliveries, ids)
	superseded := time.Now().Before(m.superseded[owner])
	moved := time.Now().Before(m.soughtUntil)
	if m.owner != owner && !stale && !superseded && !moved && time.Now().After(o.graceUntil) {
		o.violated(b.Split.Key, "%s hands out %v, but %q holds the split", owner, ids, m.owner)
	}
	for _, id := range ids {
		r := o.records[id]
		inBatch[r] = true
		o.checkOnce(m, r)
		if r.finished && !o.damaged { // a member that owned the split does not adopt it again
			o.violated(b.Split.Key, "%s is handed out, but was acknowledged before the adoption", id)
		}
		if m.owner == owner && !stale && r.present && !r.pending && !r.taken &&
			r.offset.Compare(m.committed.Offset) <= 0 &&
			time.Now().After(o.graceUntil) {
			o.violated(b.Split.Key, "%s is handed out at %v, but %v is committed", id, r.offset, m.committed.Offset)
		}
		// A member that could not check the stream when it claimed the split does not skip what is
		// finished.
		knows := o.plan.gentle || m.knows && !o.damaged
		if knows && m.owner == owner && !stale && r.present && m.isFinished(r.offset) {
			o.violated(b.Split.Key, "%s is handed out at %v, but is committed as finished", id, r.offset)
		}
		if m.owner == owner { // an earlier owner, within the grace period, can't know what the present owner does
			o.checkOrder(m, r, inBatch)
			o.checkOrderInLease(m, r)
			if knows && !stale {
				o.checkFailing(m, r, b)
			}
			m.highestDelivered[r.key] = max(m.highestDelivered[r.key], r.number)
		}
		r.handed = true
	}
}

// checkOrder checks that every earlier record of the key is acknowledged or in the same batch, and
// that first deliveries ascend. The caller holds the lock.
func (o *oracle) checkOrder(m *splitModel, r *record, inBatch map[*record]bool) {
	if o.plan.ordering == splits.Unordered || r.stray || !r.present {
		return
	}
	if !r.handed && !r.acked && m.highestDelivered[r.key] > r.number {
		first := m.highestDelivered[r.key]
		o.violated(m.split.Key, "%s is handed out for the first time after %s/%d", r.id, r.key, first)
	}
	for m.ackedPrefix < len(m.entries) && m.entries[m.ackedPrefix].acked {
		m.ackedPrefix++
	}
	for _, before := range m.entries[m.ackedPrefix:] {
		switch {
		case !before.offset.Before(r.offset):
			return
		case before.key == r.key && !before.acked && !inBatch[before] && !before.stray:
			o.violated(m.split.Key, "%s is handed out before %s is acknowledged, which precedes it", r.id, before.id)
			return
		}
	}
}

// checkOrderInLease checks that deliveries which are the first ones under the present lease ascend,
// too: otherwise the last delivery of a key could be that of an old record. The caller holds the
// lock.
func (o *oracle) checkOrderInLease(m *splitModel, r *record) {
	if o.plan.ordering == splits.Unordered || o.plan.adopts || o.damaged || r.stray || m.inLease[r] {
		return
	}
	if after := m.leaseDelivered[r.key]; after > r.number {
		o.violated(m.split.Key, "%s is handed out for the first time under this lease after %s/%d", r.id, r.key, after)
	}
	m.inLease[r] = true
	m.leaseDelivered[r.key] = max(m.leaseDelivered[r.key], r.number)
}

// positions returns how far the owners of the splits have read.
func (o *oracle) positions(all []splits.Split) []splits.Offset {
	o.mu.Lock()
	defer o.mu.Unlock()
	positions := make([]splits.Offset, len(all))
	for i, s := range all {
		positions[i] = o.model(s).received
	}
	return positions
}

// noteState records that the owner received a state of the stream; before is the owner's position
// when it sent the request.
func (o *oracle) noteState(owner string, s splits.Split, state splits.State, before splits.Offset) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.model(s)
	if m.owner != owner || !state.Last.Before(before) || before != m.received {
		return
	}
	m.rewindSeen = true
	for _, r := range m.entries {
		r.mustRead = r.hidden
	}
}

// epochs returns the present epochs of splits.
func (o *oracle) epochs(all []splits.Split) []uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	epochs := make([]uint64, len(all))
	for i, s := range all {
		epochs[i] = o.model(s).epoch
	}
	return epochs
}

// noteResumed records that an owner received the state of a stream, or an error. epoch is the one of
// the split when it sent the request.
func (o *oracle) noteResumed(owner string, s splits.Split, epoch uint64, received bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m := o.model(s); m.owner == owner && m.epoch == epoch && !m.resumed {
		m.resumed, m.knows = true, received
	}
}

// noteStart records the position at which an owner starts to read. Unless the owner sees that the
// stream ends before that position, it can't know of newer entries below it. The caller holds the
// lock.
func (o *oracle) noteStart(m *splitModel, at splits.Offset) {
	m.received, m.requested, m.rewindSeen = at, at, false
	if n := len(m.entries); n > 0 && m.entries[n-1].offset.Before(at) {
		return
	}
	for _, r := range m.entries {
		if r.hidden && r.offset.Compare(at) <= 0 {
			r.mustRead = false
		}
	}
}

// noteFetch records how far the owner has read, and whether it has received the reply yet.
func (o *oracle) noteFetch(s splits.Split, last splits.Offset, received bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m := o.model(s)
	if m.requested.Before(last) {
		m.requested = last
	}
	if received && m.received.Before(last) {
		m.received = last
	}
}

// noteOutcome records the outcome of a batch: the pipeline has processed all of its entries, or
// none.
func (o *oracle) noteOutcome(owner string, b *splits.Batch, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.book.returned(b, done)
	for _, e := range b.Entries {
		r := o.records[e.Fields[1]]
		if !done {
			o.model(b.Split).rejected[r.key] = true
			continue
		}
		r.ackedBy = owner
		o.resolve(r)
	}
	o.note(owner, b.Split.Key, "resolved %d from %s: %v", len(b.Entries), b.Entries[0].Fields[1], done)
}
