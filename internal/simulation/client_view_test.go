package simulation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// clientView is what one process knows. It sits between the consumer and the network, so it sees
// only replies that arrive.
type clientView struct {
	oracle *oracle
	owner  string

	mu     sync.Mutex
	epochs map[string]uint64    // of the last granted claim, by the key of the split
	fenced map[string]time.Time // when ErrFenced arrived for that epoch
}

func newClientView(o *oracle, owner string) *clientView {
	return &clientView{oracle: o, owner: owner, epochs: map[string]uint64{}, fenced: map[string]time.Time{}}
}

// noteClaim records a granted claim.
func (v *clientView) noteClaim(s splits.Split, epoch uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.epochs[s.Key] = epoch
	delete(v.fenced, s.Key)
}

// noteReply records the reply to a request under a lease.
func (v *clientView) noteReply(l splits.Lease, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if errors.Is(err, splits.ErrFenced) && v.epochs[l.Split.Key] == l.Epoch {
		v.fenced[l.Split.Key] = time.Now()
	}
}

// mayHandOut reports whether, as far as the process knows, it holds the split.
func (v *clientView) mayHandOut(s splits.Split) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	at, fenced := v.fenced[s.Key]
	return !fenced || !at.Before(time.Now())
}

// joined is the context key of whether the sender of a heartbeat knew that it was a member.
type joined struct{}

type clientGroup struct {
	splits.Group
	*clientView
}

func (g clientGroup) Beat(ctx context.Context, b splits.Beat) (splits.View, error) {
	creation := g.oracle.currentCreation()
	view, err := g.Group.Beat(context.WithValue(ctx, joined{}, g.oracle.hasJoined(g.owner)), b)
	if err == nil {
		g.oracle.noteBeatReply(g.owner, creation)
	}
	return view, err
}

// known is the context key of the *groupCreation that the sender of a claim knew.
type known struct{}

type clientLeases struct {
	splits.Leases
	*clientView
}

func (l clientLeases) Claim(
	ctx context.Context,
	owner string,
	ttl time.Duration,
	claims []splits.Claim,
) []splits.Granted {
	granted := l.Leases.Claim(context.WithValue(ctx, known{}, l.oracle.knownTo(owner)), owner, ttl, claims)
	for i, g := range granted {
		if g.Err == nil {
			l.noteClaim(claims[i].Split, g.Epoch)
		}
	}
	return granted
}

func (l clientLeases) Commit(ctx context.Context, ttl time.Duration, commits []splits.Commit) []error {
	errs := l.Leases.Commit(ctx, ttl, commits)
	for i, err := range errs {
		l.noteReply(commits[i].Lease, err)
	}
	return errs
}

func (l clientLeases) Renew(ctx context.Context, ttl time.Duration, leases []splits.Lease) []error {
	errs := l.Leases.Renew(ctx, ttl, leases)
	for i, err := range errs {
		l.noteReply(leases[i], err)
	}
	return errs
}

type clientLog struct {
	splits.Streams
	*clientView
}

func (l clientLog) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	req.Cursors = slices.Clone(req.Cursors)
	requested := make([]splits.Split, len(req.Cursors))
	for i, c := range req.Cursors {
		requested[i] = c.Split
	}
	before := l.oracle.positions(requested)
	fetched, err := l.Streams.Fetch(ctx, req)
	if err != nil {
		return fetched, err
	}
	for i, f := range fetched {
		if f.State != nil {
			l.oracle.noteState(l.owner, requested[i], *f.State, before[i])
		}
		if n := len(f.Entries); n > 0 {
			l.oracle.noteFetch(requested[i], f.Entries[n-1].Offset, true)
		}
	}
	return fetched, nil
}

func (l clientLog) State(ctx context.Context, all []splits.Split) ([]splits.State, error) {
	before := l.oracle.positions(all)
	epochs := l.oracle.epochs(all)
	states, err := l.Streams.State(ctx, all)
	for i, s := range all {
		l.oracle.noteResumed(l.owner, s, epochs[i], err == nil && states[i].Err == nil)
	}
	if err != nil {
		return states, err
	}
	for i, s := range states {
		if s.Err == nil {
			l.oracle.noteState(l.owner, all[i], s, before[i])
		}
	}
	return states, nil
}
