package splits

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// claimer makes what the member holds follow the plan: it drains and releases splits that are no longer its own and claims
// those that are. Splits that stay are never touched.
type claimer struct {
	cfg    Config
	reader *Reader
	health *health
	// added hands over splits that were just claimed, for their first read.
	added func(ctx context.Context, holds []*hold)

	planned signal // the wish changed
	hint    signal // something changed elsewhere: a lease may be free

	mu   sync.Mutex
	wish wish

	// The rest belongs to the goroutine of run.
	backoff Backoff
	retryAt map[Split]time.Time
	held    map[Split]bool // was ever ours
	failing map[Split]bool // the last attempt to claim it failed
}

// wish is what the plan wants this member to read.
type wish struct {
	version uint64
	splits  []Split
	initial int
}

// idleClaimer is how long the claimer sleeps when nothing is due.
const idleClaimer = time.Minute

func newClaimer(cfg Config, r *Reader, h *health) *claimer {
	return &claimer{
		cfg: cfg, reader: r, health: h, planned: newSignal(), hint: newSignal(), backoff: cfg.Backoff(),
		retryAt: map[Split]time.Time{}, held: map[Split]bool{}, failing: map[Split]bool{},
	}
}

// follow sets the wish.
func (c *claimer) follow(w wish) {
	c.mu.Lock()
	changed := c.wish.version != w.version || c.wish.initial != w.initial || !slices.Equal(c.wish.splits, w.splits)
	c.wish = w
	c.mu.Unlock()
	if changed {
		c.planned.raise()
	}
}

func (c *claimer) wished() wish {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wish
}

// run works until stop ends. A step that has begun is finished, under calls: a claim whose answer nobody waits for would hold the split
// for a whole ttl.
func (c *claimer) run(stop, calls context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-stop.Done():
			return
		case <-c.hint:
			clear(c.retryAt)
		case <-c.planned:
		case <-c.reader.changed:
		case <-timer.C:
		}
		timer.Reset(c.step(calls))
	}
}

// step does what is due and returns the time until something will be.
func (c *claimer) step(ctx context.Context) time.Duration {
	for cause, lost := range c.reader.takeLost() {
		for _, s := range lost {
			c.health.forget(s)
		}
		c.cfg.Observer.Fenced(lost, cause)
	}
	w := c.wished()
	for s := range c.failing {
		if !slices.Contains(w.splits, s) {
			c.mend(s)
		}
	}
	missing := c.reader.reconcile(w.splits, c.cfg.Now().Add(c.cfg.DrainFor))
	gone, next := c.reader.retire(false)
	c.release(ctx, gone)
	added, wait := c.claim(ctx, w, missing)
	if len(gone)+len(added) > 0 {
		r := Rebalance{Member: c.cfg.Member, Version: w.version, Added: added, Owned: c.reader.count()}
		for _, g := range gone {
			r.Revoked = append(r.Revoked, g.lease.Split)
		}
		c.cfg.Observer.Rebalanced(r)
	}
	return min(next, wait)
}

// release commits the last positions of splits that are given up, and only then frees them.
func (c *claimer) release(ctx context.Context, gone []retired) {
	if len(gone) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	defer cancel()
	leases := make([]Lease, len(gone))
	for i, g := range gone {
		leases[i] = g.lease
		c.health.forget(g.lease.Split)
	}
	c.commitLast(ctx, gone)
	c.cfg.Leases.Release(ctx, leases) // one that could not be released runs out
}

// commitLast tries until each position is stored or fenced, ctx ends, or the leases can't be trusted any more.
func (c *claimer) commitLast(ctx context.Context, gone []retired) {
	var open []Commit
	for _, g := range gone {
		if !g.stored {
			open = append(open, Commit{Lease: g.lease, Position: g.done})
		}
	}
	backoff := c.cfg.Backoff()
	for len(open) > 0 && ctx.Err() == nil {
		var again []Commit
		for i, err := range c.cfg.Leases.Commit(ctx, c.cfg.TTL, open) {
			switch {
			case err == nil:
				c.cfg.Observer.Committed(open[i].Lease.Split, open[i].Position)
			case errors.Is(err, ErrFenced):
				c.cfg.Observer.Fenced([]Split{open[i].Lease.Split}, ErrFenced)
			case open[i].Lease.Trusted(c.cfg.Now()):
				again = append(again, open[i])
			}
		}
		if open = again; len(open) > 0 {
			_ = sleepOr(ctx, backoff.NextBackOff(), nil)
		}
	}
}

// claim tries to take on the missing splits that are due. It returns those that it got, and the time until the next is due.
func (c *claimer) claim(ctx context.Context, w wish, missing []Split) (added []Split, next time.Duration) {
	now := c.cfg.Now()
	next = idleClaimer
	var claims []Claim
	for _, s := range missing {
		if left := c.retryAt[s].Sub(now); left > 0 {
			next = min(next, left)
			continue
		}
		claims = append(claims, Claim{Split: s, Start: c.start(s, w.initial)})
	}
	if len(claims) == 0 {
		return nil, next
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
	defer cancel()
	granted := c.cfg.Leases.Claim(ctx, c.cfg.Member, c.cfg.TTL, claims)
	holds, wait := c.take(ctx, now, claims, granted)
	for _, h := range holds {
		added = append(added, h.lease.Split)
	}
	c.added(ctx, holds)
	return added, min(next, wait)
}

// start is where a split is begun that has no position yet. One that came after the group, or that was ours before (then its position
// was lost), is read from its first entry.
func (c *claimer) start(s Split, initial int) Start {
	if c.held[s] || s.Partition >= initial {
		if c.cfg.Start.IsLatest() {
			return Earliest()
		}
	}
	return c.cfg.Start
}

// take adds what was granted to the Reader and plans another attempt for the rest.
func (c *claimer) take(ctx context.Context, sent time.Time, claims []Claim, granted []Granted) (holds []*hold, next time.Duration) {
	next = idleClaimer
	var wait time.Duration // before claims that failed are tried again
	var got []claimed
	for i, g := range granted {
		s := claims[i].Split
		delete(c.retryAt, s)
		held, isHeld := errors.AsType[*HeldError](g.Err)
		if g.Err != nil && !isHeld {
			if wait == 0 {
				wait = c.backoff.NextBackOff()
			}
			next = min(next, c.retry(s, wait))
			c.fail(s, g.Err)
			continue
		}
		c.mend(s)
		if isHeld {
			// A hint will come when it is released; should that be lost, asking at every heartbeat is cheap.
			next = min(next, c.retry(s, min(max(held.Remaining, time.Millisecond), c.cfg.Heartbeat)))
			continue
		}
		lease := Lease{Split: s, Member: c.cfg.Member, Epoch: g.Epoch, TrustedUntil: trustedUntil(sent, c.cfg.TTL)}
		got = append(got, claimed{lease, g.Position})
	}
	if wait == 0 {
		c.backoff.Reset()
	}
	for _, g := range c.recover(ctx, got) {
		c.held[g.lease.Split] = true
		holds = append(holds, c.reader.add(g.lease, g.at))
	}
	return holds, next
}

// fail notes that a split that is wished for can't be had.
func (c *claimer) fail(s Split, err error) {
	c.failing[s] = true
	c.health.fail("claiming "+s.Key, err)
}

func (c *claimer) mend(s Split) {
	if c.failing[s] {
		delete(c.failing, s)
		c.health.ok("claiming " + s.Key)
	}
}

// retry plans another claim of the split after d.
func (c *claimer) retry(s Split, d time.Duration) time.Duration {
	c.retryAt[s] = c.cfg.Now().Add(d)
	return d
}

// claimed is a lease that was just granted and the position that came with it.
type claimed struct {
	lease Lease
	at    Position
}

// recover looks whether the streams can have reached the positions that the group stored. One that can't was recreated or rolled back, and
// waiting there could last for ever: it is begun anew, under the new epoch, so that no late commit of an old position can undo that.
func (c *claimer) recover(ctx context.Context, got []claimed) []claimed {
	if len(got) == 0 {
		return nil
	}
	splits := make([]Split, len(got))
	for i, g := range got {
		splits[i] = g.lease.Split
	}
	states, err := c.cfg.Log.State(ctx, splits)
	if err != nil {
		return got // the reads will tell, and the Auditor looks again
	}
	kept := got[:0]
	for i, g := range got {
		if states[i].Err == nil && states[i].rolledBack(g.at) {
			if !c.rewind(ctx, &g, states[i]) {
				continue
			}
		}
		kept = append(kept, g)
	}
	return kept
}

// rewind moves a rolled-back split to its first entry, or reports false if it must not or could not be.
func (c *claimer) rewind(ctx context.Context, g *claimed, s State) bool {
	loss := Loss{Split: g.lease.Split, After: g.at.Offset, Entries: 1, Recreated: true}
	if c.cfg.FailOnLoss {
		c.fail(g.lease.Split, &LossError{Loss: loss})
		c.retry(g.lease.Split, c.cfg.TTL)
		return false
	}
	g.at = Position{Read: ReadUnknown}
	if s.Added >= 0 {
		g.at.Read = s.Added - s.Length
	}
	if err := c.cfg.Leases.Reset(ctx, c.cfg.TTL, Commit{Lease: g.lease, Position: g.at}); err != nil {
		c.fail(g.lease.Split, err)
		c.retry(g.lease.Split, c.cfg.Heartbeat)
		return false
	}
	c.cfg.Observer.Lost(loss)
	return true
}
