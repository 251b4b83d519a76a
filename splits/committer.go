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
	calls   nodeCalls
	failing map[string]bool // nodes whose last call failed
}

const (
	// renewals is how many renewals fit into a ttl: three may fail.
	renewals = 4
	// looks is how often within a ttl the committer looks what is due, and tries again what failed.
	commitLooks = 20
)

func newCommitter(cfg Config, set *splitSet, h *health) *committer {
	return &committer{cfg: cfg, set: set, health: h, calls: newNodeCalls(), failing: map[string]bool{}}
}

// run works until stop ends; its calls end with calls.
func (c *committer) run(stop, calls context.Context) {
	ticker := time.NewTicker(min(c.cfg.CommitEvery, c.cfg.TTL/commitLooks))
	defer ticker.Stop()
	for {
		select {
		case <-stop.Done():
			c.calls.wait()
			return
		case end := <-c.calls.done:
			c.calls.complete(end)
		case <-ticker.C:
			c.step(calls)
		}
	}
}

// step has every node that is not busy store and renew what is due there.
func (c *committer) step(ctx context.Context) {
	for node, due := range groupByNode(c.cfg.Node, c.set.dueTasks(), func(task commitTask) Split { return task.lease.Split }) {
		if c.calls.busy[node] {
			continue
		}
		c.set.beginTasks(due)
		c.calls.start(node, func() func() {
			err := c.send(ctx, due)
			return func() { c.setHealth(node, err) }
		})
	}
	c.forgetIdleNodes()
}

// note says how the last call went.
func (c *committer) setHealth(node string, err error) {
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
func (c *committer) forgetIdleNodes() {
	if len(c.failing) == 0 {
		return
	}
	held := groupByNode(c.cfg.Node, c.set.list(), func(s Split) Split { return s })
	for node := range c.failing {
		if held[node] == nil {
			c.setHealth(node, nil)
		}
	}
}

// serve commits and renews what is due on one node. It returns the first error that leaves an
// outcome open.
func (c *committer) send(ctx context.Context, due []commitTask) (failed error) {
	defer c.set.finishTasks(due)
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
	defer cancel()
	var commits []Commit
	var leases []Lease
	for _, task := range due {
		if task.position != nil {
			commits = append(commits, Commit{Lease: task.lease, Position: *task.position, Accounted: task.accounted})
		} else {
			leases = append(leases, task.lease)
		}
	}
	if len(commits) > 0 {
		sent := c.cfg.Now()
		for i, err := range c.cfg.Leases.Commit(ctx, c.cfg.TTL, commits) {
			if err == nil {
				c.cfg.Observer.Committed(commits[i].Lease.Split, commits[i].Position)
			}
			failed = cmp.Or(failed, c.handleAnswer(commits[i].Lease, &commits[i], sent, err))
		}
	}
	if len(leases) > 0 {
		sent := c.cfg.Now()
		for i, err := range c.cfg.Leases.Renew(ctx, c.cfg.TTL, leases) {
			failed = cmp.Or(failed, c.handleAnswer(leases[i], nil, sent, err))
		}
	}
	return failed
}

// settle takes the answer for one lease; it returns an error that leaves the outcome open.
func (c *committer) handleAnswer(lease Lease, stored *Commit, sent time.Time, err error) error {
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
type commitTask struct {
	split    *ownedSplit
	lease    Lease
	position *Position
	// accounted goes with at, see Commit.
	accounted int64
}

// due collects what is to be stored and renewed, save for leases with a call under way, and drops
// leases that have run out.
func (set *splitSet) dueTasks() (all []commitTask) {
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
		case (done.worthStoringOver(o.stored) || accounted > o.storedAccounted) && now.Sub(o.committedAt) >= set.cfg.CommitEvery:
			all = append(all, commitTask{o, o.lease, &done, accounted})
		case o.lease.TrustedUntil.Sub(now) <= set.cfg.TTL-set.cfg.TTL/leaseMargin-set.cfg.TTL/renewals:
			all = append(all, commitTask{o, o.lease, nil, 0})
		}
	}
	return all
}

// begin marks leases for which a call is now made.
func (set *splitSet) beginTasks(all []commitTask) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, task := range all {
		task.split.callInFlight = true
		if task.position != nil {
			task.split.committedAt = now
		}
	}
}

// finish takes the marks of begin back.
func (set *splitSet) finishTasks(all []commitTask) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, task := range all {
		task.split.callInFlight = false
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
	if stored.Position.worthStoringOver(o.stored) {
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
