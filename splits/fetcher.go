package splits

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// Bounds of a fetch request.
const (
	// blockFor is how long a request waits if no split has entries. Splits that had no room when it
	// began are not read before it ends, so it is short.
	blockFor = 200 * time.Millisecond
	// idlePoll is how long a fetcher waits if only some of its splits had room, and these had no
	// entries: a blocking request would delay the other splits. It is also how often idle splits
	// are read while other splits have a backlog.
	idlePoll = 5 * time.Millisecond
)

// For how many splits a fetcher asks for the size of the next entry: the store has to read the
// whole entries for it.
const (
	peeksAtOnce = 4
	maxPeeks    = 16
)

// fetcher reads the splits of one fetch group into the splitSet. It has at most two requests in
// flight: the main request for all splits, and a side request. The side request reads splits on
// trial, which can take long, or splits that were just claimed, which must not wait for the main
// request.
type fetcher struct {
	group   string
	set     *splitSet
	streams Streams
	cfg     Config
	health  *health
	room    signal
	// retryNow ends a back-off early: the store is available again.
	retryNow signal
	// spawn starts a goroutine that Close joins. Only the goroutine of run calls it.
	spawn func(func())
	// sideBusy is true while there is a side request.
	sideBusy atomic.Bool
	// unanswered counts consecutive requests whose answer did not arrive, while the store did not
	// answer a small request either.
	unanswered atomic.Int32

	sizes fetchSizer
	// exclusive holds one token, which a request takes that is to have the connection for itself.
	exclusive chan struct{}
}

// request is one fetch request.
type request struct {
	items []fetchItem
	// count is the number of entries to ask for, of each split. A split that returns full entries
	// has a backlog.
	count, full int
	block       time.Duration
	// failures is how often in a row it has failed although it asks for a single entry.
	failures int
}

// requestResult is the result of a request.
type requestResult struct {
	entries int
	err     error
	// onTrial is true if the request failed and its splits are on trial now: other splits can be
	// read meanwhile.
	onTrial bool
}

// run fetches until ctx ends. A blocked request can outlive ctx as long as it blocks.
func (f *fetcher) run(ctx context.Context) {
	backoff := f.cfg.Backoff()
	for ctx.Err() == nil {
		f.startTrials(ctx)
		full, most := f.sizes.maxSplits(f.set.freeBytes())
		plan := f.set.planFetch(f.group, full, most)
		if len(plan.items) == 0 {
			if !f.set.ownsIn(f.group) {
				f.health.ok(f.task()) // without splits there is nothing that could fail
			}
			_ = sleepOr(ctx, plan.wait, f.room)
			continue
		}
		out := f.fetch(ctx, f.requestFor(plan))
		if out.err != nil && !out.onTrial {
			f.backOff(ctx, backoff)
			continue
		}
		if out.err == nil && out.entries == 0 && !plan.all && !plan.more {
			_ = sleepOr(ctx, idlePoll, f.room)
		}
		backoff.Reset()
	}
}

func (f *fetcher) requestFor(plan fetchPlan) request {
	req := request{items: plan.items}
	req.count, req.full = f.sizes.count(plan.backlogged, len(plan.items), f.set.freeBytes())
	if plan.all {
		req.block = blockFor
	}
	return req
}

// backOff waits after a failure, at most for a heartbeat: one read per interval is a small load.
// The waits start from the shortest again when the store is available again: after a failover each
// client finds the new master separately, and the client for reads may be the last one.
func (f *fetcher) backOff(ctx context.Context, backoff Backoff) {
	select {
	case <-f.retryNow:
		backoff.Reset()
	case <-time.After(min(backoff.NextBackOff(), f.cfg.Heartbeat)):
	case <-ctx.Done():
	}
}

// fetch sends one request and delivers the answer.
func (f *fetcher) fetch(ctx context.Context, r request) requestResult {
	if f.sizes.unknown() {
		f.sizeFirstRequest(ctx, &r)
	}
	fetched, took, err := f.send(ctx, r)
	if err == nil && f.cfg.FailOnLoss {
		err = f.inspectNow(ctx, r.items, fetched)
	}
	if err != nil {
		return requestResult{err: err, onTrial: f.fail(ctx, r, err)}
	}
	f.unanswered.Store(0)
	f.health.ok(f.task())
	result := f.set.deliver(r.items, r.count, r.full, fetched)
	result.took, result.within = max(0, took-r.block), f.cfg.FetchWithin
	f.sizes.learn(result, f.cfg.Now()) // before another request is sized
	f.report(ctx, result)
	if result.entries > 0 {
		// Poll goes first: the next request would delay it for as long as it takes to send.
		runtime.Gosched()
	}
	return requestResult{entries: result.entries}
}

// send sends a request, and returns how long the answer took.
func (f *fetcher) send(ctx context.Context, r request) (fetched []Fetched, took time.Duration, err error) {
	// A request that failed although it had the connection for itself must not keep it from other
	// requests.
	if f.sizes.tight() && r.failures < 2 {
		select {
		case <-f.exclusive:
			defer func() { f.exclusive <- struct{}{} }()
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
	began := f.cfg.Now()
	fetched, err = f.streams.Fetch(ctx, FetchRequest{Cursors: cursors(r.items), Count: r.count, Block: r.block})
	return fetched, f.cfg.Now().Sub(began), err
}

// sizeFirstRequest asks for the sizes of the next entries, and sizes the first request of all
// accordingly. Splits whose next entry is larger than an answer should be are left to requests of
// their own, if there are others.
func (f *fetcher) sizeFirstRequest(ctx context.Context, r *request) {
	next, err := f.peek(ctx, r.items)
	if err != nil {
		return // the request itself will fail
	}
	f.sizes.learnPeeked(next)
	if f.sizes.unknown() {
		return // no stream has an entry yet
	}
	if r.items = f.set.putLargeOnTrial(r.items, next); len(r.items) == 0 {
		return
	}
	if most, _ := f.sizes.maxSplits(f.set.freeBytes()); len(r.items) > most {
		f.set.cancelFetch(r.items[most:])
		r.items, r.block = r.items[:most], 0
	}
	r.count, r.full = f.sizes.count(len(r.items), len(r.items), f.set.freeBytes())
}

// peek describes the next entries of some splits, in their order. There may be fewer answers than
// splits.
func (f *fetcher) peek(ctx context.Context, items []fetchItem) (next []Peeked, err error) {
	for some := range slices.Chunk(items[:min(maxPeeks, len(items))], peeksAtOnce) {
		peeked, err := f.streams.Peek(ctx, cursors(some))
		if err != nil {
			return nil, err
		}
		next = append(next, peeked...)
	}
	return next, nil
}

func cursors(items []fetchItem) []Cursor {
	all := make([]Cursor, len(items))
	for i, item := range items {
		all[i] = item.cursor
	}
	return all
}

// fail handles a failed request, and reports whether its splits are on trial now.
func (f *fetcher) fail(ctx context.Context, r request, err error) (aside bool) {
	switch {
	case ctx.Err() != nil:
		f.set.cancelFetch(r.items)
		return false
	case !errors.Is(err, ErrUnfinished): // an outage, whatever was read
		f.set.cancelFetch(r.items)
		f.set.endTrials(f.group)
		f.sizes.forgetFailures()
		f.health.fail(f.task(), err)
		return false
	}
	next, unreachable := f.peek(ctx, r.items)
	if unreachable != nil && ctx.Err() == nil {
		// In an outage existing connections break, too: the next request shows which it is.
		if f.unanswered.Add(1) == 1 {
			f.set.cancelFetch(r.items)
			return false
		}
		f.health.fail(f.task(), err)
	}
	onTrial, failures := f.set.putOnTrial(r.items, next, r.count)
	f.sizes.learnPeeked(next)
	if !onTrial {
		f.sizes.requestFailed(len(r.items)*r.count, f.cfg.Now())
	}
	if unreachable == nil && failures > 0 {
		f.reportEntry(r.items[0].cursor, next[0], failures, err)
	}
	return true
}

// task names the reading of this fetch group for health.
func (f *fetcher) task() task { return task{taskRead, f.group} }

// inspectNow adds the states of the streams to the answer before anything is handed out, so that
// nothing behind a loss is handed out.
func (f *fetcher) inspectNow(ctx context.Context, items []fetchItem, fetched []Fetched) error {
	var splits []Split
	var at []int
	for i := range fetched {
		if len(fetched[i].Entries) > 0 {
			splits, at = append(splits, items[i].cursor.Split), append(at, i)
		}
	}
	if len(splits) == 0 {
		return nil
	}
	states, err := f.streams.State(ctx, splits)
	if err != nil {
		return err
	}
	for n, i := range at {
		if states[n].Err != nil {
			fetched[i] = Fetched{Err: states[n].Err}
			continue
		}
		fetched[i].State = &states[n]
	}
	return nil
}

// report reports what a delivery found.
func (f *fetcher) report(ctx context.Context, result fetchResult) {
	for s, err := range result.failed {
		f.health.fail(task{taskSplit, s.Key}, err)
	}
	for _, s := range result.recovered {
		f.health.ok(task{taskSplit, s.Key})
	}
	if losses := f.withoutDeleted(ctx, result.losses, result.leases); len(losses) > 0 {
		f.cfg.Observer.Lost(losses)
	}
}
