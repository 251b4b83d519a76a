package splitstest

import (
	"context"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

// The methods of splits.ShareGroup and splits.Shares that splits.Group has not.
const (
	ShareOpen   Method = "ShareOpen"
	ShareRead   Method = "ShareRead"
	Acknowledge Method = "Acknowledge"
	HeldPending Method = "HeldPending"
	Holders     Method = "Holders"
	Take        Method = "Take"
	TakeIdle    Method = "TakeIdle"
	ShareLoad   Method = "ShareLoad"
	Suspect     Method = "Suspect"
)

// ShareGroup wraps a splits.ShareGroup.
func (f *Faults) ShareGroup(inner splits.ShareGroup) splits.ShareGroup {
	return &faultyShareGroup{inner: inner, faults: f, other: faultyGroup{leaver{inner}, f}}
}

// Shares wraps a splits.Shares. A fault concerns the whole call: it becomes the error of every
// split in it.
func (f *Faults) Shares(inner splits.Shares) splits.Shares { return &faultyShares{inner, f} }

type faultyShareGroup struct {
	inner  splits.ShareGroup
	faults *Faults
	other  faultyGroup // for the methods that both interfaces have
}

// leaver is the part of a splits.ShareGroup that is the same as in a splits.Group.
type leaver struct{ splits.ShareGroup }

func (leaver) Beat(context.Context, splits.Beat) (splits.View, error) {
	panic("splitstest: not called")
}

func (leaver) Propose(context.Context, splits.Plan) (bool, error) { panic("splitstest: not called") }

func (g *faultyShareGroup) Beat(ctx context.Context, b splits.ShareBeat) (splits.ShareView, error) {
	var view splits.ShareView
	var err error
	apply := func(ctx context.Context) { view, err = g.inner.Beat(ctx, b) }
	if fault := g.faults.run(ctx, Call{Method: Beat, Member: b.Member}, apply); fault != nil {
		return splits.ShareView{}, fault
	}
	return view, err
}

func (g *faultyShareGroup) Leave(ctx context.Context, member string) error {
	return g.other.Leave(ctx, member)
}

func (g *faultyShareGroup) Wake(ctx context.Context, notify func()) error {
	return g.other.Wake(ctx, notify)
}

type faultyShares struct {
	inner  splits.Shares
	faults *Faults
}

func (s *faultyShares) Open(ctx context.Context, opens []splits.ShareOpen) []splits.ShareOpened {
	split := func(o splits.ShareOpen) splits.Split { return o.Split }
	failed := func(err error) splits.ShareOpened { return splits.ShareOpened{Err: err} }
	return runEach(ctx, s.faults, ShareOpen, opens, split, failed, s.inner.Open)
}

// runEach runs a call of a method with several requests. A fault is the answer to each of them.
func runEach[R, A any](
	ctx context.Context,
	faults *Faults,
	method Method,
	requests []R,
	split func(R) splits.Split,
	failed func(error) A,
	do func(context.Context, []R) []A,
) []A {
	requests = slices.Clone(requests)
	call := Call{Method: method}
	for _, r := range requests {
		call.Splits = append(call.Splits, split(r))
	}
	var answers []A
	apply := func(ctx context.Context) { answers = do(ctx, requests) }
	if fault := faults.run(ctx, call, apply); fault != nil {
		return slices.Repeat([]A{failed(fault)}, len(requests))
	}
	return answers
}

// itself is the answer of a method that answers with errors only.
func itself(err error) error { return err }

func (s *faultyShares) Read(ctx context.Context, req splits.ShareRead) ([]splits.Delivered, error) {
	req.Splits = slices.Clone(req.Splits)
	var delivered []splits.Delivered
	var err error
	apply := func(ctx context.Context) { delivered, err = s.inner.Read(ctx, req) }
	call := Call{Method: ShareRead, Member: req.Member, Splits: req.Splits}
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return nil, fault
	}
	return delivered, err
}

func (s *faultyShares) Acknowledge(ctx context.Context, acks []splits.ShareAck) []splits.ShareAcked {
	split := func(a splits.ShareAck) splits.Split { return a.Split }
	failed := func(err error) splits.ShareAcked { return splits.ShareAcked{Err: err} }
	return runEach(ctx, s.faults, Acknowledge, acks, split, failed, s.inner.Acknowledge)
}

func (s *faultyShares) Pending(ctx context.Context, req splits.SharePending) []splits.ShareHeld {
	req.Splits = slices.Clone(req.Splits)
	var answers []splits.ShareHeld
	apply := func(ctx context.Context) { answers = s.inner.Pending(ctx, req) }
	call := Call{Method: HeldPending, Member: req.Member, Splits: req.Splits}
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return slices.Repeat([]splits.ShareHeld{{Err: fault}}, len(req.Splits))
	}
	return answers
}

func (s *faultyShares) Holders(ctx context.Context, of []splits.Split) []splits.ShareHolders {
	of = slices.Clone(of)
	var answers []splits.ShareHolders
	apply := func(ctx context.Context) { answers = s.inner.Holders(ctx, of) }
	if fault := s.faults.run(ctx, Call{Method: Holders, Splits: of}, apply); fault != nil {
		return slices.Repeat([]splits.ShareHolders{{Err: fault}}, len(of))
	}
	return answers
}

func (s *faultyShares) Take(ctx context.Context, t splits.ShareTake) (splits.ShareTaken, error) {
	var taken splits.ShareTaken
	var err error
	apply := func(ctx context.Context) { taken, err = s.inner.Take(ctx, t) }
	call := Call{Method: Take, Member: t.To, Splits: []splits.Split{t.Split}}
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return splits.ShareTaken{}, fault
	}
	return taken, err
}

func (s *faultyShares) TakeIdle(ctx context.Context, t splits.ShareTakeIdle) (splits.ShareTaken, error) {
	var taken splits.ShareTaken
	var err error
	apply := func(ctx context.Context) { taken, err = s.inner.TakeIdle(ctx, t) }
	call := Call{Method: TakeIdle, Member: t.To, Splits: []splits.Split{t.Split}}
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return splits.ShareTaken{}, fault
	}
	return taken, err
}

func (s *faultyShares) Note(ctx context.Context, notes []splits.ShareNote) []error {
	split := func(n splits.ShareNote) splits.Split { return n.Split }
	return runEach(ctx, s.faults, Note, notes, split, itself, s.inner.Note)
}

func (s *faultyShares) Load(ctx context.Context, l splits.ShareLoad) (splits.ShareLoaded, error) {
	l.Offsets = slices.Clone(l.Offsets)
	var loaded splits.ShareLoaded
	var err error
	apply := func(ctx context.Context) { loaded, err = s.inner.Load(ctx, l) }
	call := Call{Method: ShareLoad, Splits: []splits.Split{l.Split}}
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return splits.ShareLoaded{}, fault
	}
	return loaded, err
}

func (s *faultyShares) Suspect(ctx context.Context, suspects []splits.ShareSuspects) []error {
	split := func(one splits.ShareSuspects) splits.Split { return one.Split }
	return runEach(ctx, s.faults, Suspect, suspects, split, itself, s.inner.Suspect)
}

func (s *faultyShares) Survive(ctx context.Context, survivors []splits.ShareSurvivor) []error {
	split := func(one splits.ShareSurvivor) splits.Split { return one.Split }
	return runEach(ctx, s.faults, Survive, survivors, split, itself, s.inner.Survive)
}
