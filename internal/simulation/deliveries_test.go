package simulation

import (
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// What the oracle makes of entries that are read, handed out and resolved.

// handedOut judges a batch. One that is stale was on its way when its process was paused.
func (o *oracle) handedOut(owner string, b *splits.Batch, stale bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.part(b.Split)
	ids := make([]string, len(b.Entries))
	inBatch := map[*record]bool{}
	for i, e := range b.Entries {
		ids[i] = e.Fields[1]
	}
	o.note(owner, b.Split.Key, "handed out (%d): %v", b.Deliveries, ids)
	superseded := time.Now().Before(p.superseded[owner])
	if p.owner != owner && !stale && !superseded && time.Now().After(o.excused) {
		o.violated(b.Split.Key, "%s hands out %v, but %q holds the split", owner, ids, p.owner)
	}
	for _, id := range ids {
		r := o.records[id]
		inBatch[r] = true
		o.onlyOnce(p, r)
		if p.owner == owner && !stale && r.present && r.offset.Compare(p.committed.Offset) <= 0 &&
			time.Now().After(o.excused) {
			o.violated(b.Split.Key, "%s is handed out at %v, but %v is committed", id, r.offset, p.committed.Offset)
		}
		if p.owner == owner { // who is excused for not being it can't know what the owner does
			o.inOrder(p, r, inBatch)
			p.first[r.key] = max(p.first[r.key], r.number)
		}
		r.handed = true
	}
}

// inOrder makes sure that nothing of the key is open before the record but what is in the same
// batch, and that first deliveries ascend. The lock is held.
func (o *oracle) inOrder(p *part, r *record, inBatch map[*record]bool) {
	if o.plan.unordered || r.stray || !r.present {
		return
	}
	if !r.handed && !r.acked && p.first[r.key] > r.number {
		o.violated(p.split.Key, "%s is handed out for the first time after %s/%d", r.id, r.key, p.first[r.key])
	}
	for p.safe < len(p.entries) && p.entries[p.safe].acked {
		p.safe++
	}
	for _, before := range p.entries[p.safe:] {
		switch {
		case !before.offset.Before(r.offset):
			return
		case before.key == r.key && !before.acked && !inBatch[before] && !before.stray:
			o.violated(p.split.Key, "%s is handed out while %s, which is before it, is open", r.id, before.id)
			return
		}
	}
}

// positions are how far the owners of these splits have read.
func (o *oracle) positions(all []splits.Split) []splits.Offset {
	o.mu.Lock()
	defer o.mu.Unlock()
	positions := make([]splits.Offset, len(all))
	for i, s := range all {
		positions[i] = o.part(s).furthest
	}
	return positions
}

// looked takes note of a state of the stream that a process was told of, and had asked for when the
// owner had read so far.
func (o *oracle) looked(owner string, s splits.Split, state splits.State, before splits.Offset) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.part(s)
	if p.owner != owner || !state.Last.Before(before) || before != p.furthest {
		return
	}
	p.exposed = true
	for _, r := range p.entries {
		r.owed = r.hidden
	}
}

// begins takes note of the place from which a split is read now. Unless the stream is seen to end
// before it, nobody can know of entries there that are newer. The lock is held.
func (o *oracle) begins(p *part, at splits.Offset) {
	p.furthest, p.reading, p.exposed = at, at, false
	if n := len(p.entries); n > 0 && p.entries[n-1].offset.Before(at) {
		return
	}
	for _, r := range p.entries {
		if r.hidden && r.offset.Compare(at) <= 0 {
			r.owed = false
		}
	}
}

// fetched takes note of what was read, and whether whoever reads has heard of it already.
func (o *oracle) fetched(s splits.Split, last splits.Offset, heard bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := o.part(s)
	if p.reading.Before(last) {
		p.reading = last
	}
	if heard && p.furthest.Before(last) {
		p.furthest = last
	}
}

// resolved takes note of the outcome of a batch: a pipeline is done with all of it, or with
// nothing.
func (o *oracle) resolved(owner string, b *splits.Batch, done bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range b.Entries {
		r := o.records[e.Fields[1]]
		if !done {
			continue
		}
		r.ackedBy = owner
		if !r.acked {
			r.acked = true
			o.done++
		}
	}
	o.note(owner, b.Split.Key, "resolved %d from %s: %v", len(b.Entries), b.Entries[0].Fields[1], done)
}
