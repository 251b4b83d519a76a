package simulation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// hearing is what one process was told: it sits between its consumer and the network, where only
// answers come by that arrive.
type hearing struct {
	oracle *oracle
	owner  string

	mu     sync.Mutex
	epochs map[string]uint64    // of the last claim that was granted, by the key of the split
	fenced map[string]time.Time // when it was told that it holds the split no more under that epoch
}

func newHearing(o *oracle, owner string) *hearing {
	return &hearing{oracle: o, owner: owner, epochs: map[string]uint64{}, fenced: map[string]time.Time{}}
}

// granted takes note of a claim that was granted.
func (h *hearing) granted(s splits.Split, epoch uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.epochs[s.Key] = epoch
	delete(h.fenced, s.Key)
}

// answered takes note of the answer to a request under a lease.
func (h *hearing) answered(l splits.Lease, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if errors.Is(err, splits.ErrFenced) && h.epochs[l.Split.Key] == l.Epoch {
		h.fenced[l.Split.Key] = time.Now()
	}
}

// mayHandOut reports whether the process can't know better than that it holds the split.
func (h *hearing) mayHandOut(s splits.Split) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	told, fenced := h.fenced[s.Key]
	return !fenced || !told.Before(time.Now())
}

// joined is the key of whether the sender of a heartbeat knew that it was a member.
type joined struct{}

type heardGroup struct {
	splits.Group
	*hearing
}

func (g heardGroup) Beat(ctx context.Context, b splits.Beat) (splits.View, error) {
	founding := g.oracle.now()
	view, err := g.Group.Beat(context.WithValue(ctx, joined{}, g.oracle.hasJoined(g.owner)), b)
	if err == nil {
		g.oracle.hears(g.owner, founding)
	}
	return view, err
}

// known is the key of what the sender of a claim knew, as a *founding.
type known struct{}

type heardLeases struct {
	splits.Leases
	*hearing
}

func (l heardLeases) Claim(
	ctx context.Context,
	owner string,
	ttl time.Duration,
	claims []splits.Claim,
) []splits.Granted {
	granted := l.Leases.Claim(context.WithValue(ctx, known{}, l.oracle.knownTo(owner)), owner, ttl, claims)
	for i, g := range granted {
		if g.Err == nil {
			l.granted(claims[i].Split, g.Epoch)
		}
	}
	return granted
}

func (l heardLeases) Commit(ctx context.Context, ttl time.Duration, commits []splits.Commit) []error {
	errs := l.Leases.Commit(ctx, ttl, commits)
	for i, err := range errs {
		l.answered(commits[i].Lease, err)
	}
	return errs
}

func (l heardLeases) Renew(ctx context.Context, ttl time.Duration, leases []splits.Lease) []error {
	errs := l.Leases.Renew(ctx, ttl, leases)
	for i, err := range errs {
		l.answered(leases[i], err)
	}
	return errs
}

type heardLog struct {
	splits.Log
	*hearing
}

func (l heardLog) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	req.Cursors = slices.Clone(req.Cursors)
	asked := make([]splits.Split, len(req.Cursors))
	for i, c := range req.Cursors {
		asked[i] = c.Split
	}
	before := l.oracle.positions(asked)
	fetched, err := l.Log.Fetch(ctx, req)
	if err != nil {
		return fetched, err
	}
	for i, f := range fetched {
		if f.State != nil {
			l.oracle.looked(l.owner, asked[i], *f.State, before[i])
		}
		if n := len(f.Entries); n > 0 {
			l.oracle.fetched(asked[i], f.Entries[n-1].Offset, true)
		}
	}
	return fetched, nil
}

func (l heardLog) State(ctx context.Context, all []splits.Split) ([]splits.State, error) {
	before := l.oracle.positions(all)
	states, err := l.Log.State(ctx, all)
	if err != nil {
		return states, err
	}
	for i, s := range states {
		if s.Err == nil {
			l.oracle.looked(l.owner, all[i], s, before[i])
		}
	}
	return states, nil
}
