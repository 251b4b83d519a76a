package splits

import (
	"context"
	"errors"
	"time"
)

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

// claimAnswers are the answers to the claims on one node.
type claimAnswers struct {
	sent    time.Time
	hints   int // number of hints received when the claims were sent
	claims  []Claim
	granted []Granted
}

// claimOf returns the claim of a split.
func (c *claimer) claimOf(s Split) *claim {
	if c.claims[s] == nil {
		c.claims[s] = &claim{}
	}
	return c.claims[s]
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
// first entry even under Latest or Adopt.
func (c *claimer) start(s Split, initial int) Start {
	if c.claimOf(s).wasOwned || s.Partition >= initial {
		if c.cfg.Start.IsLatest() || c.cfg.Start.IsAdopt() {
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
		grants = append(grants, grant{
			lease: lease, at: g.Position, finished: g.Finished, deleted: g.Deleted, resolved: g.Resolved,
			adopting: g.Adopting, failing: g.Failing, attempts: g.Attempts, suspect: g.Suspect, deaths: g.Deaths,
		})
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
		if claimed.adopting != "" {
			c.cfg.Observer.Adopting(s, claimed.adopting)
		}
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
