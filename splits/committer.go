package splits

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// committer stores what was acknowledged and renews leases. It is a goroutine of its own, so that
// neither back-pressure nor a blocked read can cost a lease, with a lane for each node, so that no
// node can cost the leases of another. Being the only one that commits for splits that are held,
// and marking those with a call under way, it has one commit per split in flight, even if the split
// changes nodes meanwhile.
type committer struct {
	cfg    Config
	set    *splitSet
	health *health

	// The rest belongs to the goroutine of run.
	lanes   lanes
	failing map[string]bool // nodes whose last call failed
}

const (
	// renewals is how many renewals fit into a ttl: three may fail.
	renewals = 4
	// looks is how often within a ttl the committer looks what is due, and tries again what failed.
	looks = 20
)

func newCommitter(cfg Config, set *splitSet, h *health) *committer {
	return &committer{cfg: cfg, set: set, health: h, lanes: newLanes(), failing: map[string]bool{}}
}

// run works until stop ends; its calls end with calls.
func (c *committer) run(stop, calls context.Context) {
	ticker := time.NewTicker(min(c.cfg.CommitEvery, c.cfg.TTL/looks))
	defer ticker.Stop()
	for {
		select {
		case <-stop.Done():
			c.lanes.join()
			return
		case end := <-c.lanes.landed:
			c.lanes.land(end)
		case <-ticker.C:
			c.step(calls)
		}
	}
}

// step has every node that is not busy store and renew what is due there.
func (c *committer) step(ctx context.Context) {
	for node, due := range byNode(c.cfg.Node, c.set.dueTasks(), func(e errand) Split { return e.lease.Split }) {
		if c.lanes.busy[node] {
			continue
		}
		c.set.beginTasks(due)
		c.lanes.start(node, func() func() {
			err := c.serve(ctx, due)
			return func() { c.note(node, err) }
		})
	}
	c.forget()
}

// note says how the last call went.
func (c *committer) note(node string, err error) {
	if err != nil {
		c.failing[node] = true
		c.health.fail(committing(node), err)
		return
	}
	delete(c.failing, node)
	c.health.ok(committing(node))
}

// committing names the part of the consumer that may have trouble with a node.
func committing(node string) string { return "committing " + node }

// forget drops the trouble with nodes where nothing is held any more: there is nothing that could
// fail.
func (c *committer) forget() {
	if len(c.failing) == 0 {
		return
	}
	held := byNode(c.cfg.Node, c.set.list(), func(s Split) Split { return s })
	for node := range c.failing {
		if held[node] == nil {
			c.note(node, nil)
		}
	}
}

// serve commits and renews what is due on one node. It returns the first error that leaves an
// outcome open.
func (c *committer) serve(ctx context.Context, due []errand) (failed error) {
	defer c.set.finishTasks(due)
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
	defer cancel()
	var commits []Commit
	var leases []Lease
	for _, e := range due {
		if e.at != nil {
			commits = append(commits, Commit{Lease: e.lease, Position: *e.at, Accounted: e.accounted})
		} else {
			leases = append(leases, e.lease)
		}
	}
	if len(commits) > 0 {
		sent := c.cfg.Now()
		for i, err := range c.cfg.Leases.Commit(ctx, c.cfg.TTL, commits) {
			if err == nil {
				c.cfg.Observer.Committed(commits[i].Lease.Split, commits[i].Position)
			}
			failed = cmp.Or(failed, c.settle(commits[i].Lease, &commits[i], sent, err))
		}
	}
	if len(leases) > 0 {
		sent := c.cfg.Now()
		for i, err := range c.cfg.Leases.Renew(ctx, c.cfg.TTL, leases) {
			failed = cmp.Or(failed, c.settle(leases[i], nil, sent, err))
		}
	}
	return failed
}

// settle takes the answer for one lease; it returns an error that leaves the outcome open.
func (c *committer) settle(lease Lease, stored *Commit, sent time.Time, err error) error {
	switch {
	case err == nil:
		c.set.renewed(lease, stored, trustedUntil(sent, c.cfg.TTL))
		return nil
	case errors.Is(err, ErrFenced):
		c.set.fenced(lease, causeOf(err))
		return nil
	}
	return err
}

// errand is what is to be done for one lease: a position to store, or, without one, a renewal.
type errand struct {
	hold  *ownedSplit
	lease Lease
	at    *Position
	// accounted goes with at, see Commit.
	accounted int64
}

// due collects what is to be stored and renewed, save for leases with a call under way, and drops
// leases that have run out.
func (set *splitSet) dueTasks() (all []errand) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, o := range set.splits {
		done := o.tracker.Done()
		accounted := o.updateAccounted(done)
		switch {
		case !o.lease.Trusted(now):
			set.lose(o, ErrExpired)
		case o.callInFlight:
		case (done.tellsMoreThan(o.stored) || accounted > o.storedAccounted) && now.Sub(o.committedAt) >= set.cfg.CommitEvery:
			all = append(all, errand{o, o.lease, &done, accounted})
		case o.lease.TrustedUntil.Sub(now) <= set.cfg.TTL-set.cfg.TTL/leaseMargin-set.cfg.TTL/renewals:
			all = append(all, errand{o, o.lease, nil, 0})
		}
	}
	return all
}

// begin marks leases for which a call is now made.
func (set *splitSet) beginTasks(all []errand) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, e := range all {
		e.hold.callInFlight = true
		if e.at != nil {
			e.hold.committedAt = now
		}
	}
}

// finish takes the marks of begin back.
func (set *splitSet) finishTasks(all []errand) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, e := range all {
		e.hold.callInFlight = false
	}
}

// renewed notes that the store extended a lease, and stored a position with it.
func (set *splitSet) renewed(lease Lease, stored *Commit, until time.Time) {
	set.mu.Lock()
	defer set.mu.Unlock()
	o := set.splits[lease.Split]
	if o == nil || o.lease.Epoch != lease.Epoch {
		return
	}
	if until.After(o.lease.TrustedUntil) {
		o.lease.TrustedUntil = until
	}
	if stored == nil {
		return
	}
	if stored.Position.tellsMoreThan(o.stored) {
		o.stored = stored.Position
	}
	o.storedAccounted = stored.Accounted
}

// fenced ends the hold of a lease that is not ours any more.
func (set *splitSet) fenced(lease Lease, cause error) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if o := set.splits[lease.Split]; o != nil && o.lease.Epoch == lease.Epoch {
		set.lose(o, cause)
	}
}
