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
	since      int64  // milliseconds
	generation uint64 // of a share group, 0 in other groups
}

// attempts is what is stored of the entries of a split that failed.
type attempts map[splits.Offset]attempted

// add stores entries while there is room. makeRoom is called if there is none.
func (entries attempts) add(all []splits.Attempted, generation uint64, now int64, makeRoom func()) {
	if len(entries) >= splits.MaxAttempted && len(all) > 0 {
		makeRoom()
	}
	for _, a := range all {
		if before, known := entries[a.Offset]; known || len(entries) < splits.MaxAttempted {
			a.Lettered = a.Lettered || before.Lettered
			a.Cause = splits.OneLine(a.Cause)
			entries[a.Offset] = attempted{a, now - a.Age.Milliseconds(), generation}
		}
	}
}

// attempts returns what is stored of a split, to be changed. The caller holds mu.
func (s *Store) attempts(key leaseKey) attempts {
	if s.state.failing[key] == nil {
		s.state.failing[key] = attempts{}
	}
	return s.state.failing[key]
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
		all = append(all, entries[offset].at(s.now()))
	}
	return all
}

// at returns the entry as it is at a time, in milliseconds.
func (a attempted) at(now int64) splits.Attempted {
	a.Age = max(0, millis(now-a.since))
	return a.Attempted
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
	entries := s.attempts(key)
	for _, offset := range n.Resolved {
		delete(entries, offset)
	}
	entries.add(n.Failing, 0, now, func() {
		maps.DeleteFunc(entries, func(offset splits.Offset, _ attempted) bool {
			return r.adopting == "" && !r.position.Offset.Before(offset)
		})
	})
}
