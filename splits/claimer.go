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

// claim is what the claimer knows of one split.
type claim struct {
	call     claimCall
	retryAt  time.Time // not claimed before then
	wasOwned bool      // this member owned the split before
	err      error     // of the last attempt; nil if it succeeded or another member owns the split
	// unread is a lease of this member under which nothing is read: its stream was rolled back, and
	// the split has to be claimed again.
	unread *Lease
}

// claimCall is what is under way for a split.
type claimCall int

const (
	idle      claimCall = iota
	claiming            // a claim was sent
	releasing           // the split was given up and is not released yet
)

// claimerResult is what a call to a node returned. Exactly one field is set.
type claimerResult struct {
	claims   *claimAnswers
	released []drainedSplit
}

// claimAnswers are the answers to the claims on one node.
type claimAnswers struct {
	sent    time.Time
	hints   int // number of hints received when the claims were sent
	claims  []Claim
	granted []Granted
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

// claimOf returns the claim of a split.
func (c *claimer) claimOf(s Split) *claim {
	if c.claims[s] == nil {
		c.claims[s] = &claim{}
	}
	return c.claims[s]
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

// claimMissing claims the missing splits that are due, and returns the time until the next one is.
func (c *claimer) claimMissing(ctx context.Context, a assignment, missing []Split) (next time.Duration) {
	now := c.cfg.Now()
	next = idleClaimer
	var due []Claim
	for _, s := range missing {
		claim := c.claimOf(s)
		if claim.call != idle {
			continue
		}
		if left := claim.retryAt.Sub(now); left > 0 {
			next = min(next, left)
			continue
		}
		due = append(due, Claim{Split: s, Start: c.start(s, a.initial)})
	}
	for node, claims := range groupByNode(c.cfg.Node, due, func(c Claim) Split { return c.Split }) {
		if !c.calls.busy[node] {
			c.sendClaims(ctx, node, claims)
		}
	}
	return next
}

// sendClaims sends the claims of one node. The leases are trusted from this moment on.
func (c *claimer) sendClaims(ctx context.Context, node string, claims []Claim) {
	for _, claim := range claims {
		c.claimOf(claim.Split).call = claiming
	}
	answers := claimAnswers{sent: c.cfg.Now(), hints: c.hints, claims: claims}
	c.calls.start(node, func() claimerResult {
		ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
		defer cancel()
		answers.granted = c.cfg.Leases.Claim(ctx, c.cfg.Owner, c.cfg.TTL, claims)
		return claimerResult{claims: &answers}
	})
}

// start returns where to begin a split that has no committed position. A split that was added after
// the group was created, or that this member owned before (its position was lost), starts at its
// first entry even under Latest.
func (c *claimer) start(s Split, initial int) Start {
	if c.claimOf(s).wasOwned || s.Partition >= initial {
		if c.cfg.Start.IsLatest() {
			return Earliest()
		}
	}
	return c.cfg.Start
}

// completeClaims adds the granted splits to the set, and schedules another attempt for the others.
func (c *claimer) completeClaims(ctx context.Context, node string, a claimAnswers) (added []*ownedSplit) {
	var wait time.Duration // before claims that failed are tried again
	var grants []grant
	for i, g := range a.granted {
		s := a.claims[i].Split
		claim := c.claimOf(s)
		claim.call, claim.retryAt = idle, time.Time{}
		held, isHeld := errors.AsType[*HeldError](g.Err)
		if g.Err != nil && !isHeld {
			if wait == 0 {
				wait = c.retryWait(node)
			}
			c.retryAfter(s, wait)
			c.fail(s, g.Err)
			continue
		}
		c.succeed(s)
		claim.unread = nil
		if isHeld {
			// The release sends a hint. Hints can be lost, and a claim per heartbeat is cheap. If a
			// hint came after the claim was sent, it may have been that one.
			if a.hints == c.hints {
				c.retryAfter(s, min(max(held.Remaining, time.Millisecond), c.cfg.Heartbeat))
			}
			continue
		}
		lease := Lease{Split: s, Member: c.cfg.Owner, Epoch: g.Epoch, TrustedUntil: trustedUntil(a.sent, c.cfg.TTL)}
		grants = append(grants, grant{lease: lease, at: g.Position, deleted: g.Deleted, resolved: g.Resolved})
	}
	if wait == 0 {
		delete(c.backoffs, node)
	}
	for _, claimed := range c.resumeAll(ctx, grants) {
		s := claimed.lease.Split
		c.claimOf(s).wasOwned = true
		if claimed.stopped != nil {
			c.health.fail(task{taskSplit, s.Key}, claimed.stopped)
		}
		added = append(added, c.set.add(claimed))
		c.rebalance.Added = append(c.rebalance.Added, s)
	}
	return added
}

// retryWait returns how long to wait before claims on a node are tried again: at most a heartbeat,
// so that its splits return soon after the node does.
func (c *claimer) retryWait(node string) time.Duration {
	if c.backoffs[node] == nil {
		c.backoffs[node] = c.cfg.Backoff()
	}
	return min(c.backoffs[node].NextBackOff(), c.cfg.Heartbeat)
}

// retryAfter delays the next claim of the split by d.
func (c *claimer) retryAfter(s Split, d time.Duration) {
	c.claimOf(s).retryAt = c.cfg.Now().Add(d)
}

// fail notes that an assigned split could not be claimed.
func (c *claimer) fail(s Split, err error) {
	c.claimOf(s).err = err
	c.health.fail(task{taskClaim, s.Key}, err)
}

// succeed notes that claiming the split does not fail any more.
func (c *claimer) succeed(s Split) {
	if claim := c.claimOf(s); claim.err != nil {
		claim.err = nil
		c.health.ok(task{taskClaim, s.Key})
	}
}
