package splits

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// claimer makes what the member holds follow the plan: it drains and releases splits that are no
// longer its own and claims those that are. Splits that stay are never touched. It has a lane for
// each node, so that a node that hangs delays the claims of no other.
type claimer struct {
	cfg    Config
	set    *splitSet
	health *health
	// added hands over splits that were just claimed, for their first read. It must not block.
	onAdded func(owned []*ownedSplit)

	planned signal // the wish changed
	hint    signal // something changed elsewhere: a lease may be free

	mu         sync.Mutex
	assignment assignment

	// The rest belongs to the goroutine of run.
	calls    nodeCalls
	backoffs map[string]Backoff // of the nodes where claims fail
	retryAt  map[Split]time.Time
	busy     map[Split]bool // is being claimed, or given up and not released yet
	held     map[Split]bool // was ever ours
	failing  map[Split]bool // the last attempt to claim it failed
	leaving  []drainedSplit // to be released when their node's lane is free
	// leases of ours under which nothing is read: the stream went back, and the split has yet to be
	// claimed anew
	unread    map[Split]Lease
	hints     int       // counts the hints that came
	rebalance Rebalance // what the Observer has not been told
}

// wish is what the plan wants this member to read.
type assignment struct {
	version uint64
	splits  []Split
	initial int
	// standBy says that a later incarnation of the member lives: everything is given up at once.
	standBy bool
}

func (a assignment) equal(o assignment) bool {
	return a.version == o.version && a.initial == o.initial && a.standBy == o.standBy &&
		slices.Equal(a.splits, o.splits)
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
		calls:    newNodeCalls(),
		backoffs: map[string]Backoff{},
		retryAt:  map[Split]time.Time{},
		busy:     map[Split]bool{},
		held:     map[Split]bool{},
		failing:  map[Split]bool{},
		unread:   map[Split]Lease{},
	}
}

// follow sets the wish.
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

// run works until stop ends. Calls that have begun are finished, under calls: a claim whose answer
// nobody waits for would hold the split for a whole ttl.
func (c *claimer) run(stop, calls context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-stop.Done():
			c.calls.wait()
			return
		case end := <-c.calls.done:
			c.calls.complete(end)
		case <-c.hint:
			c.hints++
			clear(c.retryAt)
		case <-c.planned:
		case <-c.set.changed:
		case <-timer.C:
		}
		timer.Reset(c.step(calls))
	}
}

// step does what is due and returns the time until something will be. What lands is followed by a
// step.
func (c *claimer) step(ctx context.Context) time.Duration {
	c.takeLost()
	a := c.currentAssignment()
	for s := range c.failing {
		if !slices.Contains(a.splits, s) {
			c.mend(s)
		}
	}
	missing := c.set.reconcile(a.splits, c.cfg.Now().Add(c.cfg.DrainFor))
	gone, next := c.set.takeDrained(a.standBy)
	c.giveUp(ctx, append(gone, c.unwanted(a.splits)...))
	next = min(next, c.claim(ctx, a, missing))
	c.report(a)
	return next
}

// takeLost takes note of leases that ended against our will, and tells the Observer.
func (c *claimer) takeLost() {
	for cause, leases := range c.set.takeLost() {
		lost := make([]Split, len(leases))
		for i, l := range leases {
			lost[i] = l.Split
			c.health.forget(l.Split)
			if errors.Is(cause, ErrRolledBack) {
				c.unread[l.Split] = l
			}
		}
		c.cfg.Observer.Fenced(lost, cause)
	}
}

// report tells the Observer what was taken on and given up, once for all nodes that answer.
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

// claim tries to take on the missing splits that are due, and returns the time until the next is
// due.
func (c *claimer) claim(ctx context.Context, a assignment, missing []Split) (next time.Duration) {
	now := c.cfg.Now()
	next = idleClaimer
	var due []Claim
	for _, s := range missing {
		if c.busy[s] {
			continue
		}
		if left := c.retryAt[s].Sub(now); left > 0 {
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

// ask sends the claims that are due on one node. Trust is counted from here.
func (c *claimer) sendClaims(ctx context.Context, node string, claims []Claim) {
	for _, claim := range claims {
		c.busy[claim.Split] = true
	}
	sent, hints := c.cfg.Now(), c.hints
	c.calls.start(node, func() func() {
		asking, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
		defer cancel()
		granted := c.cfg.Leases.Claim(asking, c.cfg.Owner, c.cfg.TTL, claims)
		return func() {
			if owned := c.handleGranted(ctx, claimAnswers{node, sent, hints, claims, granted}); len(owned) > 0 {
				c.onAdded(owned)
			}
		}
	})
}

// start is where a split is begun that has no position yet. One that came after the group, or that
// was ours before (then its position was lost), is read from its first entry.
func (c *claimer) start(s Split, initial int) Start {
	if c.held[s] || s.Partition >= initial {
		if c.cfg.Start.IsLatest() {
			return Earliest()
		}
	}
	return c.cfg.Start
}

// answers are those to the claims on one node.
type claimAnswers struct {
	node    string
	sent    time.Time
	hints   int // those that had come when the claims were sent
	claims  []Claim
	granted []Granted
}

// take adds what was granted to the Reader and plans another attempt for the rest.
func (c *claimer) handleGranted(ctx context.Context, a claimAnswers) (owned []*ownedSplit) {
	var wait time.Duration // before claims that failed are tried again
	var got []claimedSplit
	for i, g := range a.granted {
		s := a.claims[i].Split
		delete(c.retryAt, s)
		delete(c.busy, s)
		held, isHeld := errors.AsType[*HeldError](g.Err)
		if g.Err != nil && !isHeld {
			if wait == 0 {
				wait = c.pause(a.node)
			}
			c.retry(s, wait)
			c.fail(s, g.Err)
			continue
		}
		c.mend(s)
		delete(c.unread, s)
		if isHeld {
			// A hint will come when it is released; should that be lost, asking at every heartbeat
			// is cheap. One that came since the claim was sent may have been that hint.
			if a.hints == c.hints {
				c.retry(s, min(max(held.Remaining, time.Millisecond), c.cfg.Heartbeat))
			}
			continue
		}
		lease := Lease{Split: s, Member: c.cfg.Owner, Epoch: g.Epoch, TrustedUntil: trustedUntil(a.sent, c.cfg.TTL)}
		got = append(got, claimedSplit{lease: lease, at: g.Position, deleted: g.Deleted, resolved: g.Resolved})
	}
	if wait == 0 {
		delete(c.backoffs, a.node)
	}
	for _, g := range c.resume(ctx, got) {
		c.held[g.lease.Split] = true
		if g.stopped != nil {
			c.health.failSplit(g.lease.Split, g.stopped)
		}
		owned = append(owned, c.set.add(g))
		c.rebalance.Added = append(c.rebalance.Added, g.lease.Split)
	}
	return owned
}

// pause is how long to wait before claims on a node are tried again: at most a heartbeat, so that
// its splits are back soon after it is.
func (c *claimer) pause(node string) time.Duration {
	if c.backoffs[node] == nil {
		c.backoffs[node] = c.cfg.Backoff()
	}
	return min(c.backoffs[node].NextBackOff(), c.cfg.Heartbeat)
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
func (c *claimer) retry(s Split, d time.Duration) {
	c.retryAt[s] = c.cfg.Now().Add(d)
}
