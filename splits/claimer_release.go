package splits

import (
	"context"
	"errors"
	"slices"
)

// giveUp releases splits that were retired, now or when their node's lane is free.
func (c *claimer) giveUp(ctx context.Context, gone []drainedSplit) {
	for _, d := range gone {
		c.busy[d.lease.Split] = true
	}
	leaving := slices.Concat(c.leaving, gone)
	c.leaving = nil
	for node, gone := range groupByNode(c.cfg.Node, leaving, drainedSplit.split) {
		if c.calls.busy[node] {
			c.leaving = append(c.leaving, gone...)
			continue
		}
		c.calls.start(node, func() func() {
			c.release(ctx, gone)
			return func() {
				for _, d := range gone {
					delete(c.busy, d.lease.Split)
					if !d.unread {
						c.rebalance.Revoked = append(c.rebalance.Revoked, d.lease.Split)
					}
				}
			}
		})
	}
}

// close gives up everything once run has returned. A node that hangs keeps the splits of no other
// from being released.
func (c *claimer) close(ctx context.Context) {
	gone, _ := c.set.takeDrained(true)
	c.takeLost()
	gone = append(gone, c.unwanted(nil)...)
	for node, gone := range groupByNode(c.cfg.Node, append(c.leaving, gone...), drainedSplit.split) {
		c.calls.start(node, func() func() {
			c.release(ctx, gone)
			return func() {}
		})
	}
	c.calls.wait()
}

// unwanted takes the leases under which nothing is read, and whose splits are not wished for, to be
// released. Others would have to wait until they run out.
func (c *claimer) unwanted(wish []Split) (gone []drainedSplit) {
	for s, lease := range c.unread {
		if !c.busy[s] && !slices.Contains(wish, s) {
			gone = append(gone, drainedSplit{lease: lease, stored: true, unread: true})
			delete(c.unread, s)
		}
	}
	return gone
}

// release commits the last positions of splits that are given up, and only then frees them.
func (c *claimer) release(ctx context.Context, gone []drainedSplit) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	defer cancel()
	leases := make([]Lease, len(gone))
	for i, d := range gone {
		leases[i] = d.lease
		c.health.forget(d.lease.Split)
	}
	c.commitLast(ctx, gone)
	c.cfg.Leases.Release(ctx, leases) // one that could not be released runs out
}

// commitLast tries until each position is stored or fenced, ctx ends, or the leases can't be
// trusted any more.
func (c *claimer) commitLast(ctx context.Context, gone []drainedSplit) {
	var open []Commit
	for _, d := range gone {
		if !d.stored {
			open = append(open, Commit{Lease: d.lease, Position: d.done, Accounted: d.accounted})
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
