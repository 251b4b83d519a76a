package splits

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// committer stores what was acknowledged and renews leases. It is a goroutine of its own, so that neither back-pressure nor a blocked
// read can cost a lease; being the only one that commits for splits that are held, it has one commit per split in flight.
type committer struct {
	cfg    Config
	reader *Reader
	health *health
}

const (
	// renewals is how many renewals fit into a ttl: three may fail.
	renewals = 4
	// retries is how often within a ttl the committer tries while its calls fail.
	retries = 20
)

// run works until stop ends; its calls end with calls.
func (c *committer) run(stop, calls context.Context) {
	tick := min(c.cfg.CommitEvery, c.cfg.TTL/(3*renewals))
	wait := tick
	for sleepOr(stop, wait, nil) == nil {
		wait = tick
		if !c.step(calls) {
			wait = min(tick, c.cfg.TTL/retries)
		}
	}
}

// step commits and renews whatever is due, and reports whether the store answered.
func (c *committer) step(ctx context.Context) bool {
	commits, leases := c.reader.due()
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
	defer cancel()
	var failed error
	if len(commits) > 0 {
		sent := c.cfg.Now()
		errs := c.cfg.Leases.Commit(ctx, c.cfg.TTL, commits)
		for i, err := range errs {
			if err == nil {
				c.cfg.Observer.Committed(commits[i].Lease.Split, commits[i].Position)
			}
			failed = cmp.Or(failed, c.settle(commits[i].Lease, &commits[i].Position, sent, err))
		}
	}
	if len(leases) > 0 {
		sent := c.cfg.Now()
		for i, err := range c.cfg.Leases.Renew(ctx, c.cfg.TTL, leases) {
			failed = cmp.Or(failed, c.settle(leases[i], nil, sent, err))
		}
	}
	switch {
	case failed != nil:
		c.health.fail("committing", failed)
	case len(commits)+len(leases) > 0, c.reader.count() == 0: // without a lease there is nothing that could fail
		c.health.ok("committing")
	}
	return failed == nil
}

// settle takes the answer for one lease; it returns an error that leaves the outcome open.
func (c *committer) settle(lease Lease, at *Position, sent time.Time, err error) error {
	switch {
	case err == nil:
		c.reader.renewed(lease, at, trustedUntil(sent, c.cfg.TTL))
		return nil
	case errors.Is(err, ErrFenced):
		c.reader.fenced(lease)
		return nil
	}
	return err
}

// due collects the positions to commit and the leases to renew without one, and drops leases that have run out.
func (r *Reader) due() (commits []Commit, leases []Lease) {
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range r.holds {
		done := h.tracker.Done()
		switch {
		case !h.lease.Trusted(now):
			r.loseLocked(h, ErrExpired)
		case h.stored.Offset.Before(done.Offset) && now.Sub(h.committedAt) >= r.cfg.CommitEvery:
			h.committedAt = now
			commits = append(commits, Commit{Lease: h.lease, Position: done})
		case h.lease.TrustedUntil.Sub(now) <= r.cfg.TTL-r.cfg.TTL/leaseMargin-r.cfg.TTL/renewals:
			leases = append(leases, h.lease)
		}
	}
	return commits, leases
}

// renewed notes that the store extended a lease, and stored a position with it.
func (r *Reader) renewed(lease Lease, at *Position, until time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.holds[lease.Split]
	if h == nil || h.lease.Epoch != lease.Epoch {
		return
	}
	if until.After(h.lease.TrustedUntil) {
		h.lease.TrustedUntil = until
	}
	if at != nil && h.stored.Offset.Before(at.Offset) {
		h.stored = *at
	}
}

// fenced ends the hold of a lease that is not ours any more.
func (r *Reader) fenced(lease Lease) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if h := r.holds[lease.Split]; h != nil && h.lease.Epoch == lease.Epoch {
		r.loseLocked(h, ErrFenced)
	}
}
