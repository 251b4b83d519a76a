package splits

import (
	"context"
	"errors"
	"slices"
)

// release commits and releases drained splits: immediately, or when their node is free.
func (c *claimer) release(ctx context.Context, drained []drainedSplit) {
	for _, d := range drained {
		c.claimOf(d.lease.Split).call = releasing
	}
	all := slices.Concat(c.releasing, drained)
	c.releasing = nil
	for node, drained := range groupByNode(c.cfg.Node, all, drainedSplit.split) {
		if c.calls.busy[node] {
			c.releasing = append(c.releasing, drained...)
			continue
		}
		c.calls.start(node, func() claimerResult {
			c.releaseNow(ctx, drained)
			return claimerResult{released: drained}
		})
	}
}

// completeRelease notes that splits were released.
func (c *claimer) completeRelease(released []drainedSplit) {
	for _, d := range released {
		c.claimOf(d.lease.Split).call = idle
		if !d.unread {
			c.rebalance.Revoked = append(c.rebalance.Revoked, d.lease.Split)
		}
	}
}

// close releases all splits. It is called after run has returned. A node that hangs does not delay
// the release of splits on other nodes.
func (c *claimer) close(ctx context.Context) {
	drained, _ := c.set.takeDrained(true)
	c.takeLost()
	drained = append(drained, c.takeUnread(nil)...)
	for node, drained := range groupByNode(c.cfg.Node, append(c.releasing, drained...), drainedSplit.split) {
		c.calls.start(node, func() claimerResult {
			c.releaseNow(ctx, drained)
			return claimerResult{released: drained}
		})
	}
	c.calls.wait(func(completion[claimerResult]) {})
}

// takeUnread takes the leases under which nothing is read, and whose splits are not assigned to
// this member, so that they are released. Otherwise other members would have to wait for their end.
func (c *claimer) takeUnread(assigned []Split) (unread []drainedSplit) {
	for s, claim := range c.claims {
		if claim.unread != nil && claim.call == idle && !slices.Contains(assigned, s) {
			unread = append(unread, drainedSplit{lease: *claim.unread, stored: true, unread: true})
			claim.unread = nil
		}
	}
	return unread
}

// releaseNow commits the last positions of drained splits and then ends their leases.
func (c *claimer) releaseNow(ctx context.Context, drained []drainedSplit) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	defer cancel()
	leases := make([]Lease, len(drained))
	for i, d := range drained {
		leases[i] = d.lease
		c.health.forget(d.lease.Split)
	}
	c.commitLast(ctx, drained)
	c.settleLast(ctx, drained)
	c.cfg.Leases.Release(ctx, leases) // a lease that could not be released expires
}

// commitLast tries again until each position is stored or fenced, ctx ends, or the leases can't be
// trusted any more.
func (c *claimer) commitLast(ctx context.Context, drained []drainedSplit) {
	var open []Commit
	for _, d := range drained {
		if !d.stored {
			open = append(open, Commit{
				Lease: d.lease, Position: d.done, Accounted: d.accounted, Finished: d.finished, Suspect: d.suspect,
			})
		}
	}
	backoff := c.cfg.Backoff()
	for len(open) > 0 && ctx.Err() == nil {
		var again []Commit
		fenced := map[error][]Split{}
		for i, err := range c.cfg.Leases.Commit(ctx, c.cfg.TTL, open) {
			switch {
			case err == nil:
				c.cfg.Observer.Committed(open[i].Lease.Split, open[i].Position)
			case errors.Is(err, ErrFenced):
				fenced[causeOf(err)] = append(fenced[causeOf(err)], open[i].Lease.Split)
			case open[i].Lease.Trusted(c.cfg.Now()):
				again = append(again, open[i])
			}
		}
		for cause, lost := range fenced {
			c.cfg.Observer.Fenced(lost, cause)
		}
		if open = again; len(open) > 0 {
			_ = sleepOr(ctx, backoff.NextBackOff(), nil)
		}
	}
}

// settleLast acknowledges in the foreign groups what was processed since the committer did. Entries
// whose acknowledgement fails are handed out again by the next owner.
func (c *claimer) settleLast(ctx context.Context, drained []drainedSplit) {
	var open []Settlement
	from := map[Split]string{}
	for _, d := range drained {
		if d.adopting != "" {
			open, from[d.lease.Split] = append(open, d.settlement.parts()...), d.adopting
		}
	}
	if len(open) == 0 {
		return
	}
	for i, answer := range c.cfg.Adoptions.Settle(ctx, open) {
		s := open[i].Lease.Split
		if answer.Err == nil && answer.Pending == 0 && from[s] != "" {
			c.cfg.Observer.Adopted(s, from[s])
			delete(from, s)
		}
	}
}
