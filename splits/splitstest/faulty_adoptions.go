package splitstest

import (
	"context"
	"slices"

	"github.com/rafka-streams/rafka/splits"
)

type faultyAdoptions struct {
	inner  splits.Adoptions
	faults *Faults
}

func (a *faultyAdoptions) Pending(ctx context.Context, req splits.PendingRequest) (splits.PendingPage, error) {
	var page splits.PendingPage
	var err error
	apply := func(ctx context.Context) { page, err = a.inner.Pending(ctx, req) }
	if fault := a.faults.run(ctx, Call{Method: Pending, Splits: []splits.Split{req.Split}}, apply); fault != nil {
		return splits.PendingPage{}, fault
	}
	return page, err
}

func (a *faultyAdoptions) Settle(ctx context.Context, all []splits.Settlement) []splits.Settled {
	all = slices.Clone(all)
	call := Call{Method: Settle}
	for _, s := range all {
		call.Member = s.Lease.Member
		call.Splits = append(call.Splits, s.Lease.Split)
	}
	var settled []splits.Settled
	if fault := a.faults.run(
		ctx,
		call,
		func(ctx context.Context) { settled = a.inner.Settle(ctx, all) },
	); fault != nil {
		failed := make([]splits.Settled, len(all))
		for i := range failed {
			failed[i].Err = fault
		}
		return failed
	}
	return settled
}
