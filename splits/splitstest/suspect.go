package splitstest

import (
	"context"
	"math"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// death is an owner that died while an entry was in flight alone.
type death struct {
	of    splits.Offset
	epoch uint64 // of the owner
}

// deadly returns the entries of the deaths.
func (r *leaseRecord) deadly() (all []splits.Offset) {
	for _, d := range r.deaths {
		all = append(all, d.of)
	}
	return all
}

// suspectAfterClaim updates the suspect and the deaths for a claim that is about to be granted. died
// says that the lease was neither released nor belongs to the member that claims: its owner may have
// died.
func (r *leaseRecord) suspectAfterClaim(died bool) {
	passed := func(o splits.Offset) bool { return r.adopting == "" && !r.position.Offset.Before(o) }
	r.deaths = slices.DeleteFunc(slices.Clone(r.deaths), func(d death) bool { return passed(d.of) })
	switch s := r.suspect; {
	case s.UpTo == splits.Offset{}, passed(s.UpTo), s.Flight == splits.InFlight && !died:
		r.suspect = splits.Suspect{}
		return
	case s.Flight == splits.InFlightAlone && died:
		r.deaths = append(r.deaths, death{s.UpTo, r.epoch})
		r.deaths = r.deaths[max(0, len(r.deaths)-splits.MaxDeaths):]
	}
	r.suspect = splits.Suspect{UpTo: r.suspect.UpTo}
}

// Survive implements splits.Leases.
func (l *Leases) Survive(ctx context.Context, leases []splits.Lease) []error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	errs := make([]error, len(leases))
	for i, lease := range leases {
		key := leaseKey{l.group, lease.Split.Key}
		r, stored := l.store.state.leases[key]
		if errs[i] = ctx.Err(); errs[i] != nil || !stored {
			continue
		}
		r.survived(lease.Epoch)
		l.store.state.leases[key] = r
	}
	return errs
}

func (r *leaseRecord) survived(epoch uint64) {
	r.deaths = slices.DeleteFunc(slices.Clone(r.deaths), func(d death) bool { return d.epoch == epoch })
	if r.epoch == epoch {
		if r.suspect.Flight == splits.InFlight {
			r.suspect.UpTo = splits.Offset{}
		}
		r.suspect.Flight, r.suspect.Turn = splits.NotInFlight, math.MaxInt // late commits don't replace it
	}
}
