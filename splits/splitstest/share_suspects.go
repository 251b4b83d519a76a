package splitstest

import (
	"context"
	"maps"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// sharePoison is what a store keeps of a split to find entries that kill the processes of their
// members. It belongs to a generation.
type sharePoison struct {
	generation uint64
	counted    map[splits.Offset]counted
	flights    map[holder]shareFlight
}

// counted is what was counted of an entry.
type counted struct {
	takeovers int
	deaths    []holder // the members that died while it was in flight alone
}

// shareFlight is what a member has in flight.
type shareFlight struct {
	turn    int
	flight  splits.Flight
	offsets []splits.Offset
}

func (p *sharePoison) clone() *sharePoison {
	return &sharePoison{p.generation, maps.Clone(p.counted), maps.Clone(p.flights)}
}

// sharePoison returns what is stored of a split in its present generation, to be changed. The
// caller holds mu.
func (s *Store) sharePoison(key leaseKey) *sharePoison {
	generation := s.state.shares[key].generation
	p := s.state.poison[key]
	if p == nil || p.generation != generation {
		p = &sharePoison{generation, map[splits.Offset]counted{}, map[holder]shareFlight{}}
		s.state.poison[key] = p
	}
	return p
}

func (g *Shares) poison(split splits.Split) *sharePoison {
	return g.store.sharePoison(leaseKey{g.group, split.Key})
}

// died counts what the death of a member says of entries that are taken over from it.
func (p *sharePoison) died(from holder, taken []splits.Offset) {
	f, known := p.flights[from]
	if !known {
		f.flight = splits.AnyInFlight
	}
	if f.flight == splits.NotInFlight {
		return
	}
	for _, o := range taken {
		if f.flight != splits.AnyInFlight && !slices.Contains(f.offsets, o) {
			continue
		}
		c := p.counted[o]
		c.takeovers++
		if f.flight == splits.InFlightAlone {
			c.deaths = append(slices.Clone(c.deaths), from)
			c.deaths = c.deaths[max(0, len(c.deaths)-splits.MaxDeaths):]
		}
		p.counted[o] = c
	}
}

// suspectedOf returns what was counted of the entries of a request.
func (g *Shares) suspectedOf(l splits.ShareLoad) (all []splits.Suspected) {
	p := g.poison(l.Split)
	for _, o := range l.Offsets {
		if c, known := p.counted[o]; known && p.generation == l.Generation {
			all = append(all, splits.Suspected{Offset: o, Takeovers: c.takeovers, Deaths: len(c.deaths)})
		}
	}
	return all
}

// Suspect implements splits.Shares.
func (g *Shares) Suspect(ctx context.Context, suspects []splits.ShareSuspects) []error {
	errs := make([]error, len(suspects))
	of := make([]splits.Split, len(suspects))
	for i, s := range suspects {
		of[i] = s.Split
	}
	g.each(ctx, of,
		func(i int) { errs[i] = g.suspect(suspects[i]) },
		func(i int, err error) { errs[i] = err })
	return errs
}

func (g *Shares) suspect(s splits.ShareSuspects) error {
	if !g.current(s.Split, s.Generation) {
		return splits.ErrStale
	}
	p, member := g.poison(s.Split), g.holder(s.Member)
	var pending []splits.Offset
	if native := g.store.native(g.group, s.Split); native != nil {
		pending = native.pendingAt(member)
	}
	before, known := p.flights[member]
	missing := func(o splits.Offset) bool { return !slices.Contains(pending, o) }
	switch {
	case slices.ContainsFunc(s.Offsets, missing):
		return splits.ErrStale
	case before.turn > s.Turn, !known && len(pending) == 0:
		return nil
	}
	p.flights[member] = shareFlight{turn: s.Turn, flight: s.Flight, offsets: slices.Clone(s.Offsets)}
	return nil
}

// Survive implements splits.Shares.
func (g *Shares) Survive(ctx context.Context, survivors []splits.ShareSurvivor) []error {
	errs := make([]error, len(survivors))
	of := make([]splits.Split, len(survivors))
	for i, s := range survivors {
		of[i] = s.Split
	}
	g.each(ctx, of,
		func(i int) { g.survive(survivors[i]) },
		func(i int, err error) { errs[i] = err })
	return errs
}

func (g *Shares) survive(s splits.ShareSurvivor) {
	p, member := g.poison(s.Split), g.holder(s.Member)
	for o, c := range p.counted {
		c.deaths = slices.DeleteFunc(slices.Clone(c.deaths), func(h holder) bool { return h == member })
		p.counted[o] = c
	}
	delete(p.flights, member)
	if native := g.store.native(g.group, s.Split); native != nil && len(native.pendingAt(member)) > 0 {
		p.flights[member] = shareFlight{turn: s.Turn, flight: splits.NotInFlight}
	}
}

// Suspected returns what is stored of a split to find entries that kill: what was counted of its
// entries, in the order of their offsets, and the number of members of which it is stored what they
// have in flight.
func (s *Store) Suspected(group string, split splits.Split) (all []splits.Suspected, members int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.sharePoison(leaseKey{group, split.Key})
	for _, o := range slices.SortedFunc(maps.Keys(p.counted), splits.Offset.Compare) {
		c := p.counted[o]
		all = append(all, splits.Suspected{Offset: o, Takeovers: c.takeovers, Deaths: len(c.deaths)})
	}
	return all, len(p.flights)
}
