package splits

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// claimer makes the owned splits follow the assignment: it drains and releases splits that are no
// longer assigned to this member, and claims the splits that are. It never touches a split that
// stays. Each node has calls of its own, so that a node that hangs delays no claim on another.
type claimer struct {
	cfg    Config
	set    *splitSet
	health *health
	// onAdded receives the splits that were just claimed, for their first read. It must not block.
	onAdded func(added []*ownedSplit)

	planned signal // the assignment changed
	hint    signal // the group changed: a lease may have become free

	mu         sync.Mutex
	assignment assignment // guarded by mu

	// The following fields belong to the goroutine of run.
	calls     nodeCalls[claimerResult]
	backoffs  map[string]Backoff // of the nodes where claims fail
	claims    map[Split]*claim   // of every split that was claimed, or is to be
	releasing []drainedSplit     // to be released when their node is free
	hints     int                // number of hints received
	rebalance Rebalance          // changes that were not reported to the Observer yet
}

// assignment is what the plan gives to this member.
type assignment struct {
	version uint64
	splits  []Split
	initial int // number of splits when the group was created
	// standBy says that a later incarnation of the member is alive: this one gives up all its
	// splits immediately.
	standBy bool
}

func (a assignment) equal(o assignment) bool {
	return a.version == o.version && a.initial == o.initial && a.standBy == o.standBy &&
		slices.Equal(a.splits, o.splits)
}

// claimerResult is what a call to a node returned. Exactly one field is set.
type claimerResult struct {
	claims   *claimAnswers
	released []drainedSplit
}

// idleClaimer is how long the claimer sleeps when nothing is due.
const idleClaimer = time.Minute

func newClaimer(cfg Config, set *splitSet, h *health) *claimer {
	return &claimer{
		cfg:      cfg,
		set:      set,
		health:   h,
		planned:  newSignal(),
		hint:     newSignal(),
		calls:    newNodeCalls[claimerResult](),
		backoffs: map[string]Backoff{},
		claims:   map[Split]*claim{},
	}
}

// setAssignment replaces the assignment. It is safe for concurrent use.
func (c *claimer) setAssignment(a assignment) {
	c.mu.Lock()
	changed := !c.assignment.equal(a)
	c.assignment = a
	c.mu.Unlock()
	if changed {
		c.planned.raise()
	}
}

func (c *claimer) currentAssignment() assignment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.assignment
}

// run works until stop ends. It waits for the calls in flight, which end with calls: a granted
// claim whose answer is dropped would keep the split from other members for a whole ttl.
func (c *claimer) run(stop, calls context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-stop.Done():
			c.calls.wait(func(end completion[claimerResult]) { c.complete(calls, end) })
			return
		case end := <-c.calls.done:
			c.calls.free(end)
			c.complete(calls, end)
		case <-c.hint:
			c.hints++
			for _, claim := range c.claims {
				claim.retryAt = time.Time{}
			}
		case <-c.planned:
		case <-c.set.changed:
		case <-timer.C:
		}
		timer.Reset(c.step(calls))
	}
}

// complete handles what a call to a node returned.
func (c *claimer) complete(ctx context.Context, end completion[claimerResult]) {
	if end.result.claims == nil {
		c.completeRelease(end.result.released)
		return
	}
	if added := c.completeClaims(ctx, end.node, *end.result.claims); len(added) > 0 {
		c.onAdded(added)
	}
}

// step starts what is due and returns the time until something else will be. Every completion is
// followed by a step.
func (c *claimer) step(ctx context.Context) time.Duration {
	c.takeLost()
	a := c.currentAssignment()
	for s, claim := range c.claims {
		if claim.err != nil && !slices.Contains(a.splits, s) {
			c.succeed(s)
		}
	}
	missing := c.set.reconcile(a.splits, c.cfg.Now().Add(c.cfg.DrainFor))
	drained, next := c.set.takeDrained(a.standBy)
	c.release(ctx, append(drained, c.takeUnread(a.splits)...))
	next = min(next, c.claimMissing(ctx, a, missing))
	c.report(a)
	return next
}

// takeLost takes over the leases that were lost, and reports them to the Observer.
func (c *claimer) takeLost() {
	for cause, leases := range c.set.takeLost() {
		lost := make([]Split, len(leases))
		for i, l := range leases {
			lost[i] = l.Split
			c.health.forget(l.Split)
			if errors.Is(cause, ErrRolledBack) {
				c.claimOf(l.Split).unread = &l
			}
		}
		c.cfg.Observer.Fenced(lost, cause)
	}
}

// report reports the splits that were added and given up to the Observer, in one call for all nodes
// that answer.
func (c *claimer) report(a assignment) {
	if len(c.rebalance.Added)+len(c.rebalance.Revoked) == 0 {
		return
	}
	for node := range c.calls.busy {
		if c.backoffs[node] == nil {
			return
		}
	}
	c.rebalance.Member, c.rebalance.Version, c.rebalance.Owned = c.cfg.Owner, a.version, c.set.count()
	c.cfg.Observer.Rebalanced(c.rebalance)
	c.rebalance = Rebalance{}
}
