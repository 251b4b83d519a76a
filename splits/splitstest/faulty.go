package splitstest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// A request that is applied late runs after its call has returned. So the methods below copy their
// arguments, and store results in variables that are not read after the call has failed.

type faultyGroup struct {
	inner  splits.Group
	faults *Faults
}

func (g *faultyGroup) Beat(ctx context.Context, b splits.Beat) (splits.View, error) {
	var view splits.View
	var err error
	apply := func(ctx context.Context) { view, err = g.inner.Beat(ctx, b) }
	if fault := g.faults.run(ctx, Call{Method: Beat, Member: b.Member}, apply); fault != nil {
		return splits.View{}, fault
	}
	return view, err
}

func (g *faultyGroup) Propose(ctx context.Context, plan splits.Plan) (bool, error) {
	plan.Assignments = clonePlan(plan.Assignments)
	var stored bool
	var err error
	apply := func(ctx context.Context) { stored, err = g.inner.Propose(ctx, plan) }
	if fault := g.faults.run(ctx, Call{Method: Propose}, apply); fault != nil {
		return false, fault
	}
	return stored, err
}

func (g *faultyGroup) Leave(ctx context.Context, member string) error {
	var err error
	apply := func(ctx context.Context) { err = g.inner.Leave(ctx, member) }
	if fault := g.faults.run(ctx, Call{Method: Leave, Member: member}, apply); fault != nil {
		return fault
	}
	return err
}

// Wake can fail at its beginning, ends in an outage, and loses the hints whose fault is Fail or
// Lose.
func (g *faultyGroup) Wake(ctx context.Context, notify func()) error {
	fault := g.faults.choose(Call{Method: Wake})
	if err := g.faults.travel(ctx, Wake, fault.Delay, fault.Hold); err != nil {
		return err
	}
	if fault.Fail != nil {
		g.faults.count(Wake, func(c *Counts) { c.Failed++ })
		return fault.Fail
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if !g.faults.subscribe(&cancel) {
		g.faults.count(Wake, func(c *Counts) { c.Failed++ })
		return ErrOutage
	}
	defer g.faults.unsubscribe(&cancel)
	err := g.inner.Wake(ctx, func() {
		if !g.faults.losesHint() {
			notify()
		}
	})
	if errors.Is(context.Cause(ctx), ErrOutage) {
		g.faults.count(Wake, func(c *Counts) { c.Failed++ })
		return ErrOutage
	}
	return err
}

// subscribe registers a subscription that the next outage ends. It returns false during an outage.
func (f *Faults) subscribe(cancel *context.CancelCauseFunc) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.outage {
		return false
	}
	if f.wakes == nil {
		f.wakes = map[*context.CancelCauseFunc]struct{}{}
	}
	f.wakes[cancel] = struct{}{}
	return true
}

func (f *Faults) unsubscribe(cancel *context.CancelCauseFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.wakes, cancel)
}

func (f *Faults) losesHint() bool {
	fault := f.choose(Call{Method: Hint})
	lost := fault.Fail != nil || fault.Lose != nil
	if lost {
		f.count(Hint, func(c *Counts) { c.Lost++ })
	}
	return lost
}

type faultyLeases struct {
	inner  splits.Leases
	faults *Faults
}

func (l *faultyLeases) Claim(
	ctx context.Context,
	member string,
	ttl time.Duration,
	claims []splits.Claim,
) []splits.Granted {
	claims = slices.Clone(claims)
	call := Call{Method: Claim, Member: member}
	for _, c := range claims {
		call.Splits = append(call.Splits, c.Split)
	}
	var granted []splits.Granted
	apply := func(ctx context.Context) { granted = l.inner.Claim(ctx, member, ttl, claims) }
	if fault := l.faults.run(ctx, call, apply); fault != nil {
		failed := make([]splits.Granted, len(claims))
		for i := range failed {
			failed[i].Err = fault
		}
		return failed
	}
	return granted
}

func (l *faultyLeases) Commit(ctx context.Context, ttl time.Duration, commits []splits.Commit) []error {
	commits = slices.Clone(commits)
	call := Call{Method: Commit}
	for _, c := range commits {
		call.Member = c.Lease.Member
		call.Splits = append(call.Splits, c.Lease.Split)
	}
	return l.run(ctx, call, func(ctx context.Context) []error { return l.inner.Commit(ctx, ttl, commits) })
}

func (l *faultyLeases) Renew(ctx context.Context, ttl time.Duration, leases []splits.Lease) []error {
	leases = slices.Clone(leases)
	return l.run(
		ctx,
		callOf(Renew, leases),
		func(ctx context.Context) []error { return l.inner.Renew(ctx, ttl, leases) },
	)
}

func (l *faultyLeases) Note(ctx context.Context, notes []splits.Note) []error {
	notes = slices.Clone(notes)
	leases := make([]splits.Lease, len(notes))
	for i, n := range notes {
		leases[i] = n.Lease
	}
	return l.run(ctx, callOf(Note, leases), func(ctx context.Context) []error { return l.inner.Note(ctx, notes) })
}

func (l *faultyLeases) Survive(ctx context.Context, leases []splits.Lease) []error {
	leases = slices.Clone(leases)
	return l.run(
		ctx,
		callOf(Survive, leases),
		func(ctx context.Context) []error { return l.inner.Survive(ctx, leases) },
	)
}

func (l *faultyLeases) Release(ctx context.Context, leases []splits.Lease) []error {
	leases = slices.Clone(leases)
	return l.run(
		ctx,
		callOf(Release, leases),
		func(ctx context.Context) []error { return l.inner.Release(ctx, leases) },
	)
}

func (l *faultyLeases) Reset(ctx context.Context, ttl time.Duration, commit splits.Commit) error {
	call := callOf(Reset, []splits.Lease{commit.Lease})
	return l.run(ctx, call, func(ctx context.Context) []error { return []error{l.inner.Reset(ctx, ttl, commit)} })[0]
}

func callOf(method Method, leases []splits.Lease) Call {
	call := Call{Method: method}
	for _, lease := range leases {
		call.Member = lease.Member
		call.Splits = append(call.Splits, lease.Split)
	}
	return call
}

// run passes a call through its fault, whose error becomes the error of each of its splits.
func (l *faultyLeases) run(ctx context.Context, call Call, do func(context.Context) []error) []error {
	var errs []error
	if fault := l.faults.run(ctx, call, func(ctx context.Context) { errs = do(ctx) }); fault != nil {
		failed := make([]error, len(call.Splits))
		for i := range failed {
			failed[i] = fault
		}
		return failed
	}
	return errs
}

type faultyStreams struct {
	inner  splits.Streams
	faults *Faults
}

func (l *faultyStreams) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	call := Call{Method: Fetch}
	for _, cursor := range req.Cursors {
		call.Splits = append(call.Splits, cursor.Split)
	}
	var fetched []splits.Fetched
	var err error
	apply := func(ctx context.Context) { fetched, err = l.inner.Fetch(ctx, req) }
	if fault := l.faults.run(ctx, call, apply); fault != nil {
		return nil, fault
	}
	if err == nil {
		err = l.faults.carry(fetched)
	}
	if err != nil {
		return nil, err
	}
	return fetched, nil
}

func (l *faultyStreams) Load(ctx context.Context, reqs []splits.LoadRequest) ([]splits.Loaded, error) {
	call := Call{Method: Load}
	for _, req := range reqs {
		call.Splits = append(call.Splits, req.Split)
	}
	var loaded []splits.Loaded
	var err error
	apply := func(ctx context.Context) { loaded, err = l.inner.Load(ctx, reqs) }
	if fault := l.faults.run(ctx, call, apply); fault != nil {
		return nil, fault
	}
	return loaded, err
}

func (l *faultyStreams) Peek(ctx context.Context, at []splits.Cursor) ([]splits.Peeked, error) {
	call := Call{Method: Peek}
	for _, cursor := range at {
		call.Splits = append(call.Splits, cursor.Split)
	}
	var peeked []splits.Peeked
	var err error
	apply := func(ctx context.Context) { peeked, err = l.inner.Peek(ctx, at) }
	if fault := l.faults.run(ctx, call, apply); fault != nil {
		return nil, fault
	}
	return peeked, err
}

func (l *faultyStreams) State(ctx context.Context, of []splits.Split) ([]splits.State, error) {
	var states []splits.State
	var err error
	apply := func(ctx context.Context) { states, err = l.inner.State(ctx, of) }
	if fault := l.faults.run(ctx, Call{Method: State, Splits: of}, apply); fault != nil {
		return nil, fault
	}
	return states, err
}

func (l *faultyStreams) Count(ctx context.Context, req splits.CountRequest) (splits.Counted, error) {
	var counted splits.Counted
	var err error
	apply := func(ctx context.Context) { counted, err = l.inner.Count(ctx, req) }
	if fault := l.faults.run(ctx, Call{Method: Count, Splits: []splits.Split{req.Split}}, apply); fault != nil {
		return splits.Counted{}, fault
	}
	return counted, err
}
