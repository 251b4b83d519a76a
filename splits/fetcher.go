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
	// blockFor is how long a request waits when no split has anything. A longer wait would only
	// delay splits that had no room when it began.
	blockFor = 200 * time.Millisecond
	// lookAgain is how long a fetcher waits when only some of its splits had room, and those had
	// nothing: a blocking request would keep the others waiting once they have room again. It also
	// is how often it looks at quiet splits while others have a backlog.
	idlePoll = 5 * time.Millisecond
)

// For how many splits the size of the next entry is asked: the store has to look at the whole
// entries.
const (
	peeksAtOnce = 4
	maxPeeks    = 16
)

// fetcher reads the splits of one shard into the Reader, with two requests at a time: one for all
// splits, and one beside it that may take long, for splits on trial, or that must not wait for the
// first, for splits that were just claimed.
type fetcher struct {
	group   string
	set     *splitSet
	streams Streams
	cfg     Config
	health  *health
	room    signal
	// retryNow cuts a back-off short: the store can be reached again.
	retryNow signal
	// spawn starts a goroutine that Close joins. The goroutine of run calls it.
	spawn func(func())
	// beside is true while there is a request beside the main one.
	sideBusy atomic.Bool
	// unanswered counts requests in a row that did not arrive while the store answered nothing else
	// either.
	unanswered atomic.Int32

	sizes fetchSizer
	// turn holds one token, which a request takes that should have the connection for itself.
	exclusive chan struct{}
}

// request is one fetch request.
type request struct {
	items []fetchItem
	// count is how many entries of each split to ask for; full is how many tell of a backlog.
	count, full int
	block       time.Duration
	// failures is how often in a row it has failed although it asks for one entry alone.
	failures int
}

// outcome is what became of a request.
type requestResult struct {
	entries int
	err     error
	// aside says that the splits of the request, which failed, are on trial: others can be read
	// meanwhile.
	onTrial bool
}

// run fetches until ctx ends. A blocked request may outlive ctx for as long as it blocks.
func (f *fetcher) run(ctx context.Context) {
	backoff := f.cfg.Backoff()
	for ctx.Err() == nil {
		f.startTrials(ctx)
		full, most := f.sizes.maxSplits(f.set.freeBytes())
		plan := f.set.planFetch(f.group, full, most)
		if len(plan.items) == 0 {
			if !f.set.ownsIn(f.group) {
				f.health.ok(f.task()) // nothing to read is no trouble
			}
			_ = sleepOr(ctx, plan.wait, f.room)
			continue
		}
		out := f.fetch(ctx, f.requestFor(plan))
		switch {
		case out.err != nil && !out.onTrial:
			f.backOff(ctx, backoff)
		case out.err == nil && out.entries == 0 && !plan.all && !plan.more:
			_ = sleepOr(ctx, idlePoll, f.room)
			fallthrough
		default:
			backoff.Reset()
		}
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

// rest waits after a failure, for no longer than a heartbeat: reading once per interval is no
// burden. When the store can be reached again the waits begin anew, for after a failover each
// client finds the new master by itself, and the one for reads may be the last.
func (f *fetcher) backOff(ctx context.Context, backoff Backoff) {
	select {
	case <-f.retryNow:
		backoff.Reset()
	case <-time.After(min(backoff.NextBackOff(), f.cfg.Heartbeat)):
	case <-ctx.Done():
	}
}

// fetch sends one request and takes in the answer.
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
	report := f.set.deliver(r.items, r.count, r.full, fetched)
	report.took, report.within = max(0, took-r.block), f.cfg.FetchWithin
	f.sizes.learn(report, f.cfg.Now()) // before anybody else asks how much to fetch
	f.report(ctx, report)
	if report.entries > 0 {
		// whoever polls goes first: the next request would keep him waiting, for as long as it
		// takes to send
		runtime.Gosched()
	}
	return requestResult{entries: report.entries}
}

// send sends a request, and returns how long the answer took.
func (f *fetcher) send(ctx context.Context, r request) (fetched []Fetched, took time.Duration, err error) {
	// one that failed with the connection for itself must not keep others from it
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

// foresee makes the first request of all as large as it should be: it asks for the size of the
// entries. Splits whose next entry is larger than an answer should be are left to requests of their
// own, if there are others.
func (f *fetcher) sizeFirstRequest(ctx context.Context, r *request) {
	next, err := f.peek(ctx, r.items)
	if err != nil {
		return // the request itself will show what is wrong
	}
	f.sizes.learnPeeked(next)
	if f.sizes.unknown() {
		return // there is no entry yet
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

// peek describes the next entries of some splits, in their order; there may be fewer answers than
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

// fail takes in that a request failed, and reports whether its splits are on trial now.
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
		// connections that are there break at once in an outage: the next request shows more
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

// inspectNow asks for the state of the streams before anything of the read is handed out: where a
// loss is to stop a split, the entries behind it must not flow first.
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

// tell passes on what a delivery brought to light.
func (f *fetcher) report(ctx context.Context, report fetchResult) {
	for s, err := range report.failed {
		f.health.fail(task{taskSplit, s.Key}, err)
	}
	for _, s := range report.recovered {
		f.health.ok(task{taskSplit, s.Key})
	}
	if losses := f.withoutDeleted(ctx, report.losses, report.leases); len(losses) > 0 {
		f.cfg.Observer.Lost(losses)
	}
}
