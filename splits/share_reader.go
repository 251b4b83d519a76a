package splits

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// shareReader gets entries of one fetch group: it opens splits, reads new entries, takes over what
// is pending at dead members, and audits what is pending at this member. All of this is done by one
// goroutine, one request after the other. So the only entries that can be pending at this member
// without its knowledge are the ones of requests whose answers were lost or that were applied late,
// and an audit finds exactly these.
type shareReader struct {
	group  string
	cfg    ShareConfig
	set    *shareSet
	member *shareMember
	health *health
	room   signal
	// retryNow ends a back-off early: the store is available again.
	retryNow signal
	// lookNow is set if members ended: the reader looks for what is pending at them.
	lookNow atomic.Bool

	// The following fields belong to the goroutine of run.
	idle    int // consecutive reads without entries that did not wait
	sizes   fetchSizer
	lookDue time.Time
	idleDue time.Time // when to look for entries of other programs
}

// run works until ctx ends. A blocked request can outlive ctx as long as it blocks.
func (r *shareReader) run(ctx context.Context) {
	backoff := r.cfg.Backoff()
	for ctx.Err() == nil {
		wait, err := r.step(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			r.health.fail(r.task(), err)
			r.backOff(ctx, backoff)
			continue
		}
		r.health.ok(r.task())
		backoff.Reset()
		if wait > 0 {
			_ = sleepOr(ctx, wait, r.room)
		}
	}
}

func (r *shareReader) task() task { return task{taskRead, r.group} }

// backOff waits after a failure, at most for a heartbeat.
func (r *shareReader) backOff(ctx context.Context, backoff Backoff) {
	select {
	case <-r.retryNow:
		backoff.Reset()
	case <-time.After(min(backoff.NextBackOff(), r.cfg.Heartbeat)):
	case <-ctx.Done():
	}
}

// step makes the requests that are due. It returns how long nothing is to be done unless the reader
// is woken.
func (r *shareReader) step(ctx context.Context) (wait time.Duration, err error) {
	name, former := r.set.names()
	if name == "" {
		return idleFetcher, nil // joining wakes the reader
	}
	if err := r.open(ctx, name); err != nil {
		return 0, err
	}
	if err := r.audit(ctx, name); err != nil {
		return 0, err
	}
	if err := r.look(ctx, name, former); err != nil {
		return 0, err
	}
	if err := r.lookIdle(ctx, name); err != nil {
		return 0, err
	}
	if loaded, err := r.load(ctx); loaded || err != nil {
		return 0, err
	}
	return r.read(ctx, name)
}

// open opens the splits that are not open.
func (r *shareReader) open(ctx context.Context, name string) error {
	due := r.set.dueOpens(r.group)
	if len(due) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Heartbeat)
	defer cancel()
	var failed error
	var added []Split
	for i, answer := range r.cfg.Shares.Open(ctx, due) {
		split := due[i].Split
		if r.set.opened(split, answer) {
			added = append(added, split)
		}
		switch {
		case answer.Err != nil:
			failed = answer.Err
			r.health.fail(task{taskSplit, split.Key}, answer.Err)
		default:
			r.health.ok(task{taskSplit, split.Key})
		}
		if answer.Reset {
			r.cfg.Observer.Lost([]Loss{{Split: split, Recreated: true}})
		}
	}
	if len(added) > 0 {
		r.cfg.Observer.Rebalanced(Rebalance{Member: name, Added: added, Owned: r.set.count()})
	}
	if len(due) == 1 || r.set.anyOpen(r.group) {
		return nil // single splits are reported as such
	}
	return failed
}

// audit compares what is pending at this member with what it has, for the splits that are due.
func (r *shareReader) audit(ctx context.Context, name string) error {
	due := r.set.beginAudit(r.group)
	if len(due) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Heartbeat)
	defer cancel()
	most := r.cfg.CheckpointLimit + r.cfg.BatchSize + MaxTake
	var failed error
	answers := r.cfg.Shares.Pending(ctx, SharePending{Member: name, Splits: due, Most: most})
	for i, answer := range answers {
		if err := r.set.finishAudit(due[i], name, answer, len(answer.Offsets) == most); err != nil {
			failed = err
		}
	}
	return failed
}

// load reads the fields of entries that were taken over or that an audit found.
func (r *shareReader) load(ctx context.Context) (loaded bool, err error) {
	request, ok := r.set.nextLoad(r.group)
	if !ok {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.FetchWithin+r.cfg.Heartbeat)
	defer cancel()
	request.Bytes = r.loadBytes()
	answer, err := r.cfg.Shares.Load(ctx, request)
	if err != nil {
		return true, r.loadFailed(ctx, request, err)
	}
	lost, recovered := r.set.loaded(request, answer)
	if len(lost) > 0 {
		r.reportLost(request.Split, lost)
	}
	if recovered {
		r.health.ok(task{taskSplit, request.Split.Key})
	}
	return true, nil
}

// loadBytes returns the size of the next answer to a Load.
func (r *shareReader) loadBytes() int {
	r.sizes.mu.Lock()
	defer r.sizes.mu.Unlock()
	return r.sizes.budget.bound(targetReplyBytes)
}

// reportLost reports entries that were pending and are not in the stream any more.
func (r *shareReader) reportLost(split Split, lost []Offset) {
	first := slices.MinFunc(lost, Offset.Compare)
	r.cfg.Observer.Lost([]Loss{{Split: split, After: first.Prev(), Entries: int64(len(lost)), Exact: true}})
}

// read reads new entries.
func (r *shareReader) read(ctx context.Context, name string) (wait time.Duration, err error) {
	plan := r.set.planRead(r.group, &r.sizes)
	if len(plan.splits) == 0 {
		return plan.wait, nil
	}
	request := ShareRead{Member: name, Splits: plan.splits, Count: plan.count, Block: plan.block}
	began := r.cfg.Now()
	delivered, err := r.cfg.Shares.Read(ctx, request)
	took := max(0, r.cfg.Now().Sub(began)-plan.block)
	if err != nil {
		r.set.readFailed(plan)
		if errors.Is(err, ErrUnfinished) {
			r.sizes.requestFailed(len(plan.splits)*plan.count, r.cfg.Now())
		}
		return 0, err
	}
	result := r.set.delivered(plan, name, delivered)
	result.took, result.within = took, r.cfg.FetchWithin
	r.sizes.learn(result, r.cfg.Now())
	for split, err := range result.failed {
		r.health.fail(task{taskSplit, split.Key}, err)
	}
	for _, split := range result.recovered {
		r.health.ok(task{taskSplit, split.Key})
	}
	switch {
	case result.entries > 0:
		r.idle = 0
		runtime.Gosched() // Poll goes first: the next request would delay it
		return 0, nil
	case plan.block > 0:
		return 0, nil
	}
	r.idle++
	return min(idlePoll<<min(r.idle-1, 10), maxIdlePoll), nil
}

// maxIdlePoll is the longest wait between two reads that name only some of the splits, since this
// member may not have an entry of each. While there are no entries, the wait doubles up to it.
const maxIdlePoll = 20 * time.Millisecond

// look takes over what is pending at dead members: when members ended, and now and then, since a
// request of a dead member can be applied late.
func (r *shareReader) look(ctx context.Context, name string, former []string) error {
	now := r.cfg.Now()
	if !r.lookNow.Swap(false) && now.Before(r.lookDue) {
		return nil
	}
	complete, err := r.lookOnce(ctx, name, former)
	switch {
	case err != nil:
		r.lookDue = now // again after the back-off
	case !complete:
		r.lookDue = now.Add(r.cfg.Heartbeat / 4)
	default:
		r.lookDue = now.Add(r.cfg.AuditEvery/2 + rand.N(r.cfg.AuditEvery/2+1))
	}
	return err
}
