package splits

import (
	"context"
	"errors"
	"runtime"
	"time"
)

// Bounds of a fetch request.
const (
	// blockFor is how long a request waits when no split has anything. A longer wait would only delay splits that had no
	// room when it began.
	blockFor = 200 * time.Millisecond
	// lookAgain is how long a fetcher waits when only some of its splits had room, and those had nothing: a blocking request would
	// keep the others waiting once they have room again. It also is how often it looks at quiet splits while others have a backlog.
	lookAgain = 5 * time.Millisecond
)

// fetcher reads the splits of one shard into the Reader.
type fetcher struct {
	shard  string
	reader *Reader
	log    Log
	cfg    Config
	health *health
	room   signal
	// retryNow cuts a back-off short: the store can be reached again.
	retryNow signal

	// sizes is shared with the claimer, which fetches too: the first read of a split.
	sizes sizes
}

// run fetches until ctx ends. A blocked request may outlive ctx for as long as it blocks.
func (f *fetcher) run(ctx context.Context) {
	backoff := f.cfg.Backoff()
	for ctx.Err() == nil {
		sel := f.reader.fetchable(f.shard, f.most())
		if len(sel.items) == 0 {
			if !f.reader.holdsIn(f.shard) {
				f.health.ok(f.part()) // nothing to read is no trouble
			}
			_ = sleepOr(ctx, sel.wait, f.room)
			continue
		}
		var block time.Duration
		if sel.all {
			block = blockFor
		}
		n, err := f.fetch(ctx, sel.items, sel.behind, block)
		switch {
		case err != nil:
			f.rest(ctx, backoff)
		case n == 0 && !sel.all && !sel.more:
			_ = sleepOr(ctx, lookAgain, f.room)
			fallthrough
		default:
			backoff.Reset()
		}
	}
}

// rest waits after a failure, for no longer than a heartbeat: reading once per interval is no burden. When the store can be reached again the
// waits begin anew, for after a failover each client finds the new master by itself, and the one for reads may be the last.
func (f *fetcher) rest(ctx context.Context, backoff Backoff) {
	select {
	case <-f.retryNow:
		backoff.Reset()
	case <-time.After(min(backoff.NextBackOff(), f.cfg.Heartbeat)):
	case <-ctx.Done():
	}
}

// fetch sends one request, for items of which some are behind, and takes in the answer; it returns how many entries came.
func (f *fetcher) fetch(ctx context.Context, items []intake, behind int, block time.Duration) (int, error) {
	count, full := f.sizes.count(behind, len(items), f.reader.spare())
	req := FetchRequest{Cursors: make([]Cursor, len(items)), Count: count, Block: block}
	for i, it := range items {
		req.Cursors[i] = it.cursor
	}
	fetched, err := f.log.Fetch(ctx, req)
	if err == nil && f.cfg.FailOnLoss {
		err = f.inspectNow(ctx, items, fetched)
	}
	if err != nil {
		f.reader.abandon(items)
		if ctx.Err() == nil {
			f.health.fail(f.part(), err)
		}
		return 0, err
	}
	f.health.ok(f.part())
	report := f.reader.deliver(items, count, full, fetched)
	f.sizes.learn(report) // before anybody else asks how much to fetch
	f.tell(ctx, report)
	if report.entries > 0 {
		runtime.Gosched() // whoever polls goes first: the next request would keep him waiting, for as long as it takes to send
	}
	return report.entries, nil
}

// most is how many splits the next request may name.
func (f *fetcher) most() int { return f.sizes.most(f.reader.spare()) }

func (f *fetcher) part() string { return "reading " + f.shard }

// inspectNow asks for the state of the streams before anything of the read is handed out: where a loss is to stop a split, the entries
// behind it must not flow first.
func (f *fetcher) inspectNow(ctx context.Context, items []intake, fetched []Fetched) error {
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
	states, err := f.log.State(ctx, splits)
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
func (f *fetcher) tell(ctx context.Context, report intakeReport) {
	for s, err := range report.failed {
		f.health.failSplit(s, err)
	}
	for _, s := range report.mended {
		f.health.ok(s.Key)
	}
	if losses := f.unintended(ctx, report.losses, report.leases); len(losses) > 0 {
		f.cfg.Observer.Lost(losses)
	}
}

// unintended returns the losses without those of streams that an operator deleted with their topic. A stream that was recreated looks the same
// either way, so the leases are asked for.
func (f *fetcher) unintended(ctx context.Context, losses []Loss, leases []Lease) (all []Loss) {
	var anew []Lease
	for i, l := range losses {
		if l.Recreated {
			anew = append(anew, leases[i])
		}
	}
	if len(anew) == 0 {
		return losses
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Heartbeat)
	defer cancel()
	answers := f.cfg.Leases.Renew(ctx, f.cfg.TTL, anew)
	for _, l := range losses {
		if !l.Recreated {
			all = append(all, l)
			continue
		}
		lease, err := anew[0], answers[0]
		anew, answers = anew[1:], answers[1:]
		if errors.Is(err, ErrFenced) {
			f.reader.fenced(lease, causeOf(err))
		}
		if errors.Is(err, ErrDeleted) {
			continue
		}
		l.Spent = l.Spent && err == nil // else the store has lost more than the stream
		all = append(all, l)
	}
	return all
}
