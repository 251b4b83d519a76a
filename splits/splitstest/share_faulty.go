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
	opens = slices.Clone(opens)
	call := Call{Method: ShareOpen}
	for _, o := range opens {
		call.Splits = append(call.Splits, o.Split)
	}
	var answers []splits.ShareOpened
	apply := func(ctx context.Context) { answers = s.inner.Open(ctx, opens) }
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return failedAnswers(len(opens), splits.ShareOpened{Err: fault})
	}
	return answers
}

func failedAnswers[T any](n int, failed T) []T {
	all := make([]T, n)
	for i := range all {
		all[i] = failed
	}
	return all
}

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
	acks = slices.Clone(acks)
	call := Call{Method: Acknowledge}
	for _, a := range acks {
		call.Splits = append(call.Splits, a.Split)
	}
	var answers []splits.ShareAcked
	apply := func(ctx context.Context) { answers = s.inner.Acknowledge(ctx, acks) }
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return failedAnswers(len(acks), splits.ShareAcked{Err: fault})
	}
	return answers
}

func (s *faultyShares) Pending(ctx context.Context, req splits.SharePending) []splits.ShareHeld {
	req.Splits = slices.Clone(req.Splits)
	var answers []splits.ShareHeld
	apply := func(ctx context.Context) { answers = s.inner.Pending(ctx, req) }
	call := Call{Method: HeldPending, Member: req.Member, Splits: req.Splits}
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return failedAnswers(len(req.Splits), splits.ShareHeld{Err: fault})
	}
	return answers
}

func (s *faultyShares) Holders(ctx context.Context, of []splits.Split) []splits.ShareHolders {
	of = slices.Clone(of)
	var answers []splits.ShareHolders
	apply := func(ctx context.Context) { answers = s.inner.Holders(ctx, of) }
	if fault := s.faults.run(ctx, Call{Method: Holders, Splits: of}, apply); fault != nil {
		return failedAnswers(len(of), splits.ShareHolders{Err: fault})
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
	notes = slices.Clone(notes)
	call := Call{Method: Note}
	for _, n := range notes {
		call.Splits = append(call.Splits, n.Split)
	}
	var errs []error
	apply := func(ctx context.Context) { errs = s.inner.Note(ctx, notes) }
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return failedAnswers(len(notes), fault)
	}
	return errs
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
	suspects = slices.Clone(suspects)
	call := Call{Method: Suspect}
	for _, one := range suspects {
		call.Splits = append(call.Splits, one.Split)
	}
	var errs []error
	apply := func(ctx context.Context) { errs = s.inner.Suspect(ctx, suspects) }
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return failedAnswers(len(suspects), fault)
	}
	return errs
}

func (s *faultyShares) Survive(ctx context.Context, survivors []splits.ShareSurvivor) []error {
	survivors = slices.Clone(survivors)
	call := Call{Method: Survive}
	for _, one := range survivors {
		call.Splits = append(call.Splits, one.Split)
	}
	var errs []error
	apply := func(ctx context.Context) { errs = s.inner.Survive(ctx, survivors) }
	if fault := s.faults.run(ctx, call, apply); fault != nil {
		return failedAnswers(len(survivors), fault)
	}
	return errs
}
