package splits

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// committer stores acknowledged positions and renews leases. It is a goroutine of its own, so that
// neither back-pressure nor a blocked read can cost a lease, and each node has calls of its own, so
// that no node can cost the leases of another. It alone commits for owned splits, and it marks
// leases with a call in flight. So each split has at most one commit in flight, even if it moves to
// another node meanwhile.
type committer struct {
	cfg    Config
	set    *splitSet
	health *health

	// The following fields belong to the goroutine of run.
	calls   nodeCalls[error]
	failing map[string]bool // nodes whose last call failed
}

const (
	// renewals is how often a lease is renewed within a ttl: three renewals in a row may fail.
	renewals = 4
	// commitLooks is how often within a ttl the committer looks for due tasks, and retries failed
	// ones.
	commitLooks = 20
)

func newCommitter(cfg Config, set *splitSet, h *health) *committer {
	return &committer{cfg: cfg, set: set, health: h, calls: newNodeCalls[error](), failing: map[string]bool{}}
}

// run works until stop ends. Its calls end with calls.
func (c *committer) run(stop, calls context.Context) {
	ticker := time.NewTicker(min(c.cfg.CommitEvery, c.cfg.TTL/commitLooks))
	defer ticker.Stop()
	for {
		select {
		case <-stop.Done():
			c.calls.wait(c.complete)
			return
		case end := <-c.calls.done:
			c.calls.free(end)
			c.complete(end)
			if end.result == nil && c.set.suspectsDue() {
				c.step(calls)
			}
		case <-c.set.commitWanted:
			c.step(calls)
		case <-ticker.C:
			c.step(calls)
		}
	}
}

// step sends what is due to every node that is not busy.
func (c *committer) step(ctx context.Context) {
	for node, due := range groupByNode(c.cfg.Node, c.set.dueTasks(), commitTask.on) {
		if c.calls.busy[node] {
			continue
		}
		c.set.beginTasks(due)
		c.calls.start(node, func() error { return c.send(ctx, due) })
	}
	c.forgetIdleNodes()
	for _, f := range c.set.judge.reportKillers(c.cfg.Ordering == ByPartition) {
		c.cfg.Observer.Failing(f)
	}
}

// complete handles the end of a call to a node.
func (c *committer) complete(end completion[error]) { c.setHealth(end.node, end.result) }

// setHealth records whether calls to a node fail.
func (c *committer) setHealth(node string, err error) {
	if err != nil {
		c.failing[node] = true
		c.health.fail(task{taskCommit, node}, err)
		return
	}
	delete(c.failing, node)
	c.health.ok(task{taskCommit, node})
}

// forgetIdleNodes drops the failures of nodes on which no split is owned any more.
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

// send commits and renews what is due on one node. It returns the first error after which the
// outcome is unknown.
func (c *committer) send(ctx context.Context, due []commitTask) (failed error) {
	defer c.set.finishTasks(due)
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
	defer cancel()
	var commits []Commit
	var leases []Lease
	var settlements []Settlement
	for _, task := range due {
		switch {
		case task.settlement != nil:
			settlements = append(settlements, task.settlement.parts()...)
		case task.position != nil:
			commits = append(commits, Commit{
				Lease: task.lease, Position: *task.position, Accounted: task.accounted, Finished: task.finished,
				Suspect: task.suspect,
			})
		default:
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
	return cmp.Or(failed, c.settle(ctx, settlements))
}

// settle acknowledges entries in foreign groups, and returns the first error after which the
// outcome is unknown. What failed for a split, and everything after it, is acknowledged again.
func (c *committer) settle(ctx context.Context, settlements []Settlement) (failed error) {
	if len(settlements) == 0 {
		return nil
	}
	stopped := map[Split]bool{}
	for i, answer := range c.cfg.Adoptions.Settle(ctx, settlements) {
		lease := settlements[i].Lease
		switch {
		case stopped[lease.Split]:
			continue
		case answer.Err == nil:
			if from := c.set.settled(lease, len(settlements[i].Done), answer.Pending); from != "" {
				c.health.ok(task{taskAdopt, lease.Split.Key})
				c.cfg.Observer.Adopted(lease.Split, from)
			}
		case errors.Is(answer.Err, ErrFenced):
			c.set.fenced(lease, causeOf(answer.Err))
		default:
			failed = cmp.Or(failed, answer.Err)
		}
		stopped[lease.Split] = answer.Err != nil
	}
	return failed
}

// handleAnswer handles the answer for one lease. It returns an error after which the outcome is
// unknown.
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
