package splitstest

import (
	"context"
	"maps"

	"github.com/rafka-streams/rafka/splits"
)

// Note implements splits.Shares.
func (g *Shares) Note(ctx context.Context, notes []splits.ShareNote) []error {
	errs := make([]error, len(notes))
	of := make([]splits.Split, len(notes))
	for i, n := range notes {
		of[i] = n.Split
	}
	g.each(ctx, of,
		func(i int) { errs[i] = g.note(notes[i]) },
		func(i int, err error) { errs[i] = err })
	return errs
}

func (g *Shares) note(n splits.ShareNote) error {
	if !g.current(n.Split, n.Generation) {
		return splits.ErrStale
	}
	var pending map[splits.Offset]holder
	if native := g.store.native(g.group, n.Split); native != nil {
		pending = native.pending
	}
	isPending := func(o splits.Offset) bool { _, is := pending[o]; return is }
	entries := g.store.attempts(leaseKey{g.group, n.Split.Key})
	maps.DeleteFunc(entries, func(_ splits.Offset, a attempted) bool { return a.generation != n.Generation })
	for _, o := range n.Resolved {
		if !isPending(o) {
			delete(entries, o)
		}
	}
	var failing []splits.Attempted
	for _, a := range n.Failing {
		if isPending(a.Offset) && pending[a.Offset] == g.holder(n.Member) {
			failing = append(failing, a)
		}
	}
	entries.add(failing, n.Generation, g.store.now(), func() {
		maps.DeleteFunc(entries, func(o splits.Offset, _ attempted) bool { return !isPending(o) })
	})
	return nil
}

// failingOf returns what is stored of the entries of a request.
func (g *Shares) failingOf(l splits.ShareLoad) (all []splits.Attempted) {
	entries := g.store.state.failing[leaseKey{g.group, l.Split.Key}]
	for _, o := range l.Offsets {
		if a, known := entries[o]; known && a.generation == l.Generation {
			all = append(all, a.at(g.store.now()))
		}
	}
	return all
}
