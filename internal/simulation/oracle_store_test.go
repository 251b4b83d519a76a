package simulation

import (
	"context"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// auditedGroup, auditedLeases and auditedLog sit between the network and the store. They report
// requests to the oracle when the store applies them, in that order.

type auditedGroup struct {
	splits.Group
	oracle *oracle
}

func (g *auditedGroup) Beat(ctx context.Context, b splits.Beat) (splits.View, error) {
	g.oracle.mu.Lock()
	defer g.oracle.mu.Unlock()
	version := g.oracle.store.Version(topicName, groupName)
	before := g.oracle.store.Members(topicName, groupName)
	view, err := g.Group.Beat(ctx, b)
	if err == nil {
		g.oracle.checkBeat(b.Member, before)
	}
	if version == 0 && err == nil {
		rejoins, _ := ctx.Value(joined{}).(bool)
		g.oracle.noteCreation(rejoins, len(view.Splits))
	}
	return view, err
}

func (g *auditedGroup) Propose(ctx context.Context, plan splits.Plan) (bool, error) {
	g.oracle.mu.Lock()
	defer g.oracle.mu.Unlock()
	before := g.oracle.store.Plan(topicName, groupName)
	stored, err := g.Group.Propose(ctx, plan)
	if stored && err == nil {
		g.oracle.checkPlan(plan, before)
	}
	return stored, err
}

type auditedLeases struct {
	inner  splits.Leases
	oracle *oracle
}

func (l *auditedLeases) Claim(
	ctx context.Context,
	member string,
	ttl time.Duration,
	claims []splits.Claim,
) []splits.Granted {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	begun := make([]bool, len(claims))
	for i, c := range claims {
		_, begun[i] = l.oracle.store.Lease(groupName, c.Split)
	}
	granted := l.inner.Claim(ctx, member, ttl, claims)
	for i, g := range granted {
		if g.Err == nil {
			if !begun[i] {
				known, _ := ctx.Value(known{}).(*groupCreation)
				l.oracle.checkStart(member, claims[i], known)
			}
			l.oracle.checkClaim(member, claims[i], g)
		}
	}
	return granted
}

func (l *auditedLeases) Commit(ctx context.Context, ttl time.Duration, commits []splits.Commit) []error {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	errs := l.inner.Commit(ctx, ttl, commits)
	for i, err := range errs {
		if err == nil {
			l.oracle.checkAccepted("commit", commits[i].Lease, &commits[i].Position)
			l.oracle.noteSuspect(commits[i])
		}
	}
	return errs
}

func (l *auditedLeases) Renew(ctx context.Context, ttl time.Duration, leases []splits.Lease) []error {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	errs := l.inner.Renew(ctx, ttl, leases)
	for i, err := range errs {
		if err == nil {
			l.oracle.checkAccepted("renewal", leases[i], nil)
		}
	}
	return errs
}

func (l *auditedLeases) Note(ctx context.Context, notes []splits.Note) []error {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	errs := l.inner.Note(ctx, notes)
	for i, err := range errs {
		if err == nil {
			l.oracle.noteNote(notes[i])
		}
	}
	return errs
}

func (l *auditedLeases) Survive(ctx context.Context, leases []splits.Lease) []error {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	errs := l.inner.Survive(ctx, leases)
	for i, err := range errs {
		if err == nil {
			l.oracle.noteSurvivor(leases[i])
		}
	}
	return errs
}

func (l *auditedLeases) Reset(ctx context.Context, ttl time.Duration, commit splits.Commit) error {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	err := l.inner.Reset(ctx, ttl, commit)
	if err == nil {
		l.oracle.checkAccepted("reset", commit.Lease, &commit.Position)
	}
	return err
}

func (l *auditedLeases) Release(ctx context.Context, leases []splits.Lease) []error {
	l.oracle.mu.Lock()
	defer l.oracle.mu.Unlock()
	errs := l.inner.Release(ctx, leases)
	for i, err := range errs {
		if err == nil {
			l.oracle.checkRelease(leases[i])
		}
	}
	return errs
}

type auditedLog struct {
	splits.Streams
	oracle *oracle
}

func (l *auditedLog) Fetch(ctx context.Context, req splits.FetchRequest) ([]splits.Fetched, error) {
	fetched, err := l.Streams.Fetch(ctx, req)
	for i, f := range fetched {
		if n := len(f.Entries); n > 0 {
			l.oracle.noteFetch(req.Cursors[i].Split, f.Entries[n-1].Offset, false)
		}
	}
	return fetched, err
}
