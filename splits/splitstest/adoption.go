package splitstest

import (
	"context"
	"errors"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// foreignGroup is a group of another program on one stream.
type foreignGroup struct {
	last    splits.Offset
	pending []splits.Offset // in ascending order
}

func (g *foreignGroup) clone() *foreignGroup {
	return &foreignGroup{last: g.last, pending: slices.Clone(g.pending)}
}

// acknowledge removes pending entries.
func (g *foreignGroup) acknowledge(done func(splits.Offset) bool) {
	g.pending = slices.DeleteFunc(g.pending, done)
}

// AddForeignGroup adds a group of another program to a stream: it has delivered everything up to the
// offset last, and the pending entries, in ascending order, were not acknowledged.
func (s *Store) AddForeignGroup(group string, split splits.Split, last splits.Offset, pending ...splits.Offset) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.foreign[leaseKey{group, split.Key}] = &foreignGroup{last: last, pending: slices.Clone(pending)}
}

// ForeignGroup returns the position and the pending entries of a group of another program, and
// whether there is such a group: an adoption that ends removes it.
func (s *Store) ForeignGroup(group string, split splits.Split) (last splits.Offset, pending []splits.Offset, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.state.foreign[leaseKey{group, split.Key}]
	if g == nil {
		return splits.Offset{}, nil, false
	}
	return g.last, slices.Clone(g.pending), true
}

// ReadForeign delivers up to n more entries to a consumer of a group of another program, which does
// not acknowledge them. It does nothing if there is no such group any more.
func (s *Store) ReadForeign(group string, split splits.Split, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.state.foreign[leaseKey{group, split.Key}]
	if g == nil {
		return
	}
	for _, e := range s.stream(split).after(g.last, n) {
		g.last, g.pending = e.Offset, append(g.pending, e.Offset)
	}
}

// errNoForeignGroup is the error of a claim under splits.Adopt.
var errNoForeignGroup = errors.New("splitstest: there is no foreign group of this name")

// adopt returns where a group begins that continues a foreign group. The caller holds mu.
func (l *Leases) adopt(split splits.Split) (splits.Position, error) {
	g := l.store.state.foreign[leaseKey{l.group, split.Key}]
	if g == nil {
		return splits.Position{}, errNoForeignGroup
	}
	return l.store.resolve(splits.Claim{Split: split, Start: splits.StartAt(g.last.Next())})
}

// Adoptions is the splits.Adoptions of one group in a Store.
type Adoptions struct {
	store *Store
	group string
}

var _ splits.Adoptions = (*Adoptions)(nil)

// Adoptions returns the adoptions of a group, for the splits of all its topics.
func (s *Store) Adoptions(group string) *Adoptions { return &Adoptions{store: s, group: group} }

// Pending implements splits.Adoptions.
func (a *Adoptions) Pending(ctx context.Context, req splits.PendingRequest) (splits.PendingPage, error) {
	if err := ctx.Err(); err != nil {
		return splits.PendingPage{}, err
	}
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	if err := a.store.broken[req.Split.Key]; err != nil {
		return splits.PendingPage{}, err
	}
	key := leaseKey{a.group, req.Split.Key}
	page, bytes := splits.PendingPage{Through: req.UpTo}, 0
	g := a.store.state.foreign[key]
	if g == nil || a.store.state.leases[key].adopting == "" {
		return page, nil
	}
	st := a.store.state.streams[req.Split.Key]
	for _, o := range g.pending {
		if o.Compare(req.After) <= 0 || req.UpTo.Before(o) {
			continue
		}
		if bytes >= req.MaxBytes || len(page.Entries)+len(page.Gone) == req.MaxEntries {
			page.More = true
			return page, nil
		}
		if e, there := st.entry(o); there {
			page.Entries = append(page.Entries, e)
			bytes += e.Size()
		} else {
			page.Gone = append(page.Gone, o)
		}
		page.Through = o
	}
	page.Through = req.UpTo
	return page, nil
}

// Settle implements splits.Adoptions.
func (a *Adoptions) Settle(ctx context.Context, all []splits.Settlement) []splits.Settled {
	leases := a.store.Leases(a.group)
	settled := make([]splits.Settled, len(all))
	for i, s := range all {
		key := leaseKey{a.group, s.Lease.Split.Key}
		settled[i].Err = leases.held(ctx, s.Lease, func(r *leaseRecord, _ int64) {
			if r.adopting == "" {
				return
			}
			if g := a.store.state.foreign[key]; g != nil {
				g.acknowledge(func(o splits.Offset) bool {
					return slices.Contains(s.Done, o) || s.Behind.Before(o) && o.Compare(r.position.Offset) <= 0
				})
				if settled[i].Pending = int64(len(g.pending)); len(g.pending) > 0 {
					return
				}
			}
			r.adopting = ""
			delete(a.store.state.foreign, key)
		})
	}
	return settled
}
