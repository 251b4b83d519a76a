package splitstest

import (
	"context"
	"maps"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// attempted is what is stored of an entry that failed.
type attempted struct {
	splits.Attempted
	since int64 // milliseconds
}

// Failing returns what is stored of the entries of a split that failed, in the order of their
// offsets.
func (s *Store) Failing(group string, split splits.Split) []splits.Attempted {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing(leaseKey{group, split.Key})
}

// failing is Failing. The caller holds mu.
func (s *Store) failing(key leaseKey) (all []splits.Attempted) {
	entries := s.state.failing[key]
	for _, offset := range slices.SortedFunc(maps.Keys(entries), splits.Offset.Compare) {
		a := entries[offset].Attempted
		a.Age = max(0, millis(s.now()-entries[offset].since))
		all = append(all, a)
	}
	return all
}

// Note implements splits.Leases.
func (l *Leases) Note(ctx context.Context, notes []splits.Note) []error {
	errs := make([]error, len(notes))
	for i, n := range notes {
		errs[i] = l.held(ctx, n.Lease, func(r *leaseRecord, now int64) {
			key := leaseKey{l.group, n.Lease.Split.Key}
			l.store.note(key, r, n, now)
		})
	}
	return errs
}

func (s *Store) note(key leaseKey, r *leaseRecord, n splits.Note, now int64) {
	entries := s.state.failing[key]
	if entries == nil {
		entries = map[splits.Offset]attempted{}
		s.state.failing[key] = entries
	}
	for _, offset := range n.Resolved {
		delete(entries, offset)
	}
	if len(entries) >= splits.MaxAttempted && len(n.Failing) > 0 && r.adopting == "" {
		maps.DeleteFunc(
			entries,
			func(offset splits.Offset, _ attempted) bool { return !r.position.Offset.Before(offset) },
		)
	}
	for _, a := range n.Failing {
		if _, known := entries[a.Offset]; known || len(entries) < splits.MaxAttempted {
			a.Cause = splits.OneLine(a.Cause)
			entries[a.Offset] = attempted{a, now - a.Age.Milliseconds()}
		}
	}
}
