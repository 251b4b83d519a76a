package simulation

import (
	"fmt"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// Checks of entries that are given up since they kill.

// loneDeaths is how many processes must have ended, or have lost the split without knowing it, while
// they had an entry in flight and nothing else, before that entry is given up as one that kills.
const loneDeaths = 3

// tenure is one lease of a process.
type tenure struct {
	owner string
	epoch uint64
}

// loneDeath is a lease that another process took over while the entry was in flight alone.
type loneDeath struct {
	of splits.Offset
	by tenure
}

// poisonModel is what the oracle knows of the entries of a split that were in flight alone.
type poisonModel struct {
	flight *flight // nil if there is none
	by     tenure  // that told the store last what is in flight
	turn   int     // in which it did
	deaths []loneDeath
	// counted is the number of deaths of each entry at the last claim.
	counted map[splits.Offset]int
	// flown holds the leases under which an entry was in flight alone at any time. What the store
	// still has of them after a rollback is not known.
	flown map[splits.Offset]map[tenure]bool
}

// noteSuspect records what a commit that the store accepted says of the entries in flight. The caller
// holds the lock.
func (o *oracle) noteSuspect(c splits.Commit) {
	m, s, by := o.model(c.Lease.Split), c.Suspect, tenure{c.Lease.Member, c.Lease.Epoch}
	k := &m.poison
	if s.Turn == 0 || k.by == by && s.Turn <= k.turn || c.Position.Offset.Before(m.committed.Offset) {
		return
	}
	o.land(m)
	k.by, k.turn = by, s.Turn
	if s.Flight != splits.InFlightAlone {
		return
	}
	k.flight = o.book.takeOff(by.owner, m.split, s.UpTo)
	if k.flown == nil {
		k.flown = map[splits.Offset]map[tenure]bool{}
	}
	if k.flown[s.UpTo] == nil {
		k.flown[s.UpTo] = map[tenure]bool{}
	}
	k.flown[s.UpTo][by] = true
	o.counts.count("(in flight alone)")
	o.note(by.owner, m.split.Key, "says that %v is in flight alone", s.UpTo)
}

// land notes that the store does not have any more that something is in flight alone. The caller
// holds the lock.
func (o *oracle) land(m *splitModel) {
	o.book.land(m.poison.flight)
	m.poison.flight = nil
}

// noteTakeover records, when a claim is granted, that the owner before may have died. The caller
// holds the lock.
func (o *oracle) noteTakeover(m *splitModel, owner string) {
	k := &m.poison
	if f := k.flight; f != nil && m.owner == f.process && m.owner != owner && !f.mixed {
		o.counts.count("(lone death)")
		o.note(owner, m.split.Key, "takes over from %s, which had %v in flight alone", m.owner, f.at)
		k.deaths = append(k.deaths, loneDeath{f.at, k.by})
	}
	o.land(m)
	k.counted = map[splits.Offset]int{}
	for _, d := range k.deaths {
		k.counted[d.of]++
	}
}

// noteSurvivor records that a process has told the store that it did not die. The caller holds the
// lock.
func (o *oracle) noteSurvivor(l splits.Lease) {
	m, by := o.model(l.Split), tenure{l.Member, l.Epoch}
	o.note(l.Member, l.Split.Key, "says that it is alive: epoch %d", l.Epoch)
	o.counts.count("(alive after all)")
	m.poison.deaths = slices.DeleteFunc(m.poison.deaths, func(d loneDeath) bool { return d.by == by })
	if m.poison.by == by {
		o.land(m)
	}
}

// forgetDeaths notes that the store has removed all deaths of a split. The caller holds the lock.
func (o *oracle) forgetDeaths(m *splitModel) {
	o.land(m)
	m.poison.deaths = nil
}

// poisonObjection returns why an entry must not be given up as one that kills; "" if it may. The
// caller holds the lock.
func (o *oracle) poisonObjection(m *splitModel, l splits.Letter) string {
	k := &m.poison
	n := k.counted[l.Entry.Offset]
	if o.damaged {
		n = max(n, len(k.flown[l.Entry.Offset]))
	}
	if n < loneDeaths {
		return fmt.Sprintf(
			"%s is given up as one that kills, but only %d of %d owners died while it was in flight alone",
			l.Entry.Fields[1],
			n,
			loneDeaths,
		)
	}
	return ""
}

// undead returns which process is alive and counts as one that an entry has killed; "" if none does.
// The caller holds the lock.
func (o *oracle) undead(m *splitModel) string {
	for _, d := range m.poison.deaths {
		if _, ended := o.ended[d.by.owner]; !ended {
			return fmt.Sprintf("%s is alive, but has not taken back that %v of %s may have killed it",
				d.by.owner, d.of, m.split.Key)
		}
	}
	return ""
}
