package simulation

import (
	"errors"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// Checks of entries that fail, and of their letters.

// mostInARow is how many entries a process may give up without a success in between.
const mostInARow = 3

// checkLetter checks an entry that a process gives up, and returns in which row it does so, if that
// is certain. Nothing is checked if the process has lost the split meanwhile.
func (o *oracle) checkLetter(owner string, l splits.Letter) (row int, certain bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	m, r := o.model(l.Split), o.records[l.Entry.Fields[1]]
	o.note(owner, l.Split.Key, "gives up %s after %d deliveries: %v", r.id, l.Deliveries, l.Cause)
	row, certain = o.book.row(owner, r.id)
	moved := r.present && r.offset != l.Entry.Offset && !o.damaged
	if moved || r.split != l.Split.Key || l.Key != "" && l.Key != r.key {
		o.violated(l.Split.Key, "the letter of %s is from %v, with the key %q", r.id, l.Entry.Offset, l.Key)
	}
	if m.owner != owner || r.stray || o.damaged && o.clockWentBack {
		return row, certain
	}
	var why string
	if kills, _ := errors.AsType[*splits.PoisonError](l.Cause); kills != nil {
		o.counts.count("(given up as one that kills)")
		why = o.poisonObjection(m, l)
	} else {
		why = o.book.objection(owner, l, r.unfit, o.damaged)
	}
	if why != "" {
		o.violated(l.Split.Key, "%s", why)
	}
	return row, certain
}

// noteLetter records that a letter is stored. fresh is false if it was stored before.
func (o *oracle) noteLetter(owner string, l splits.Letter, row int, fresh bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.records[l.Entry.Fields[1]]
	o.note(owner, l.Split.Key, "the letter of %s is stored (new: %v)", r.id, fresh)
	o.counts.count("(letter)")
	if m := o.model(l.Split); !r.lettered {
		m.lettered = append(m.lettered, r)
	}
	r.lettered = true
	o.resolve(r)
	if row < 0 {
		return
	}
	if n := o.book.giveUp(owner, r.id, row); n > mostInARow {
		o.violated(l.Split.Key, "%s has given up %d entries in a row", owner, n)
	}
}

// resolve notes that nothing more is required of a record. The caller holds the lock.
func (o *oracle) resolve(r *record) {
	r.processed = true
	if r.acked {
		return
	}
	r.acked = true
	if !r.extra {
		o.done++
	}
}

// noteNote records what a process has stored of entries that fail, and checks that a letter was
// stored before that was noted. The caller holds the lock.
func (o *oracle) noteNote(n splits.Note) {
	m := o.model(n.Lease.Split)
	for _, offset := range n.Resolved {
		m.unnoted[offset] = n.Lease.Epoch
		delete(m.lateNotes, offset)
	}
	for _, a := range n.Failing {
		if m.unnoted[a.Offset] == n.Lease.Epoch {
			m.lateNotes[a.Offset] = true // the request was sent before the one that removed the record
		}
		r := m.at(a.Offset)
		if !a.Lettered || r == nil || r.stray {
			continue
		}
		o.note(n.Lease.Member, m.split.Key, "noted the letter of %s: epoch %d", r.id, n.Lease.Epoch)
		if !r.lettered && !o.clockWentBack {
			o.violated(m.split.Key, "it is noted that %s has a letter, which was never stored", r.id)
		}
		r.letterNoted = true
		o.resolve(r)
	}
}

// at returns the record that the stream has at an offset, nil if there is none.
func (m *splitModel) at(offset splits.Offset) *record {
	i, found := slices.BinarySearchFunc(m.entries, offset, func(r *record, to splits.Offset) int {
		return r.offset.Compare(to)
	})
	if !found {
		return nil
	}
	return m.entries[i]
}

// checkLetters checks that no position passes an entry before it is noted that it has a letter: the
// next owner would not know of it. The caller holds the lock.
func (o *oracle) checkLetters(m *splitModel) {
	if o.damaged {
		return
	}
	for _, r := range m.lettered {
		if r.ackedBy == "" && !r.letterNoted && !r.pending && !m.committed.Offset.Before(r.offset) {
			o.violated(m.split.Key, "%v is committed, but it was never noted that %s has a letter",
				m.committed.Offset, r.id)
		}
	}
}

// noteFailing keeps what a claim returned of entries that failed under earlier leases: they begin
// alone. The caller holds the lock.
func (o *oracle) noteFailing(m *splitModel, g splits.Granted) {
	clear(m.failing)
	clear(m.rejected)
	keys := map[string]bool{}
	for _, a := range g.Failing {
		r := m.at(a.Offset)
		if r == nil || r.stray || keys[r.key] || !g.Position.Offset.Before(a.Offset) || m.isFinished(a.Offset) {
			continue // the second one of a key waits for the first one
		}
		keys[r.key] = o.plan.ordering != splits.Unordered
		m.failing[a.Offset] = a
	}
}

// checkFailing checks the first delivery of an entry that failed under an earlier lease. The caller
// holds the lock.
func (o *oracle) checkFailing(m *splitModel, r *record, b *splits.Batch) {
	a, failed := m.failing[r.offset]
	if !failed {
		return
	}
	delete(m.failing, r.offset)
	inOrder := o.plan.ordering != splits.Unordered
	switch {
	case a.Lettered:
		o.violated(m.split.Key, "%s is handed out, but it was noted that it has a letter", r.id)
	case inOrder && m.rejected[r.key]: // it waits for an earlier one
	case len(b.Entries) > 1 || b.Deliveries != a.Attempts+1:
		o.violated(m.split.Key, "%s is handed out with %d others as delivery %d, but had failed %d times",
			r.id, len(b.Entries)-1, b.Deliveries, a.Attempts)
	}
}

// leftover returns what is still stored of entries that the position has passed; "" if nothing is.
// The next claim removes it, too. The caller holds the lock.
func (o *oracle) leftover(m *splitModel, at splits.Offset) string {
	if o.damaged || o.plan.adopts {
		return ""
	}
	for _, a := range o.store.Failing(groupName, m.split) {
		if !at.Before(a.Offset) && !m.lateNotes[a.Offset] {
			return a.Offset.String() + " of " + m.split.Key + " is still stored as failing"
		}
	}
	return ""
}
