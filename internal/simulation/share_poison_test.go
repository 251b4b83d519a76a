package simulation

import (
	"context"
	"fmt"

	"github.com/rafka-streams/rafka/splits"
)

// Checks of entries of share groups that are given up since they kill.

// seat is one split at one name of a member.
type seat struct{ split, name string }

// sharePoisonModel is what the oracle knows of the entries that were in flight alone.
type sharePoisonModel struct {
	turns   map[seat]int
	flights map[seat]*flight
	// dead holds the processes that count as ones that an entry has killed.
	dead map[seat]*shareProcess
}

func newSharePoisonModel() sharePoisonModel {
	return sharePoisonModel{map[seat]int{}, map[seat]*flight{}, map[seat]*shareProcess{}}
}

// Suspect records what a member has told the store to be in flight.
func (s *auditedShares) Suspect(ctx context.Context, suspects []splits.ShareSuspects) []error {
	o := s.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	errs := s.Shares.Suspect(ctx, suspects)
	for i, err := range errs {
		if err == nil {
			o.noteSuspect(s.process, suspects[i])
		}
	}
	return errs
}

func (o *shareOracle) noteSuspect(p *shareProcess, s splits.ShareSuspects) {
	k, at := &o.poison, seat{s.Split.Key, s.Member}
	if s.Turn < k.turns[at] {
		return
	}
	k.turns[at] = s.Turn
	o.land(at)
	if s.Flight != splits.InFlightAlone {
		return
	}
	k.flights[at] = o.book.takeOff(p.id, s.Split, s.Offsets[0])
	r := o.at[s.Split.Key][s.Offsets[0]]
	r.flown[s.Member] = true
	o.counts.count("(share: in flight alone)")
	o.note(s.Member, s.Split.Key, "says that %s is in flight alone", r.id)
}

// land notes that the store does not have any more that something is in flight alone. The caller
// holds the lock.
func (o *shareOracle) land(at seat) {
	o.book.land(o.poison.flights[at])
	delete(o.poison.flights, at)
}

// noteTaken records the death of a member whose entries were taken over. The caller holds the lock.
func (o *shareOracle) noteTaken(t splits.ShareTake, taken splits.ShareTaken) {
	at := seat{t.Split.Key, t.From}
	if f := o.poison.flights[at]; f != nil && t.Died && !f.mixed {
		for _, offset := range taken.Offsets {
			if r := o.at[t.Split.Key][offset]; offset == f.at {
				o.counts.count("(share: lone death)")
				o.note(t.To, t.Split.Key, "takes over %s, which %s had in flight alone", r.id, t.From)
				r.deaths[t.From] = true
				o.poison.dead[at] = o.sessions[t.From].process
			}
		}
	}
	if !taken.More {
		o.land(at)
	}
}

// Survive records that a member has told the store that it did not die.
func (s *auditedShares) Survive(ctx context.Context, survivors []splits.ShareSurvivor) []error {
	o := s.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	errs := s.Shares.Survive(ctx, survivors)
	for i, err := range errs {
		if err != nil {
			continue
		}
		at := seat{survivors[i].Split.Key, survivors[i].Member}
		o.note(at.name, at.split, "says that it is alive")
		o.counts.count("(share: alive after all)")
		o.land(at)
		delete(o.poison.dead, at)
		for _, r := range o.at[at.split] {
			delete(r.deaths, at.name)
		}
	}
	return errs
}

// Load records how many deaths the answer has to have of each entry.
func (s *auditedShares) Load(ctx context.Context, l splits.ShareLoad) (splits.ShareLoaded, error) {
	o := s.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	loaded, err := s.Shares.Load(ctx, l)
	for _, e := range loaded.Entries {
		r := o.records[e.Fields[1]]
		s.process.answered[r] = len(r.deaths)
	}
	return loaded, err
}

// forgetDeaths notes that the store has removed all deaths of a split. The caller holds the lock.
func (o *shareOracle) forgetDeaths(split string) {
	for at := range o.poison.turns {
		if at.split == split {
			o.land(at)
			delete(o.poison.turns, at)
			delete(o.poison.dead, at)
		}
	}
	for _, r := range o.at[split] {
		clear(r.deaths)
	}
}

// poisonObjection returns why an entry must not be given up as one that kills; "" if it may. The
// caller holds the lock.
func (o *shareOracle) poisonObjection(p *shareProcess, r *shareRecord) string {
	n := p.deaths[r]
	if o.damaged {
		n = max(n, len(r.flown))
	}
	if n < loneDeaths {
		return fmt.Sprintf(
			"%s is given up as one that kills, but only %d of %d members died while it was in flight alone",
			r.id,
			n,
			loneDeaths,
		)
	}
	return ""
}

// undead returns which process is alive and counts as one that an entry has killed, and in which
// split; "" if none does. The caller holds the lock.
func (o *shareOracle) undead() (what, split string) {
	for at, p := range o.poison.dead {
		if !p.over {
			return fmt.Sprintf("%s is alive as %s, but has not taken back that an entry of %s may have killed it",
				p.id, at.name, at.split), at.split
		}
	}
	return "", ""
}
