package simulation

import (
	"context"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Sessions of the members of a share group.

// alive reports whether the member with a name is alive and in its session. The caller holds the
// lock.
func (o *shareOracle) alive(s *shareSession) bool {
	until := s.until.Add(-2 * time.Millisecond) // the store counts milliseconds
	if time.Now().Before(o.evictedUntil) {
		until = until.Add(-2 * o.plan.heartbeat)
	}
	return !s.ended && time.Now().Before(until)
}

func (o *shareOracle) grace() bool { return time.Now().Before(o.graceUntil) }

// auditedSharers observes the beats of one process.
type auditedSharers struct {
	splits.ShareGroup
	oracle  *shareOracle
	process *shareProcess
}

func (g *auditedSharers) Beat(ctx context.Context, b splits.ShareBeat) (splits.ShareView, error) {
	o := g.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	name := b.Member
	if b.Owner != "" {
		name = b.Owner
	}
	view, err := g.ShareGroup.Beat(ctx, b)
	s := o.sessions[name]
	if s == nil {
		s = &shareSession{process: g.process}
		o.sessions[name] = s
	}
	if err != nil {
		s.ended = true
		o.note(name, "", "beat: %v", err)
		return view, err
	}
	s.until = time.Now().Add(b.TTL)
	for _, departed := range view.Departed {
		if other := o.sessions[departed]; other != nil && b.Owner != "" && splits.Supersedes(name, departed) {
			other.ended = true
		}
	}
	return view, nil
}

func (g *auditedSharers) Leave(ctx context.Context, member string) error {
	g.oracle.mu.Lock()
	defer g.oracle.mu.Unlock()
	if s := g.oracle.sessions[member]; s != nil {
		s.ended = true
	}
	return g.ShareGroup.Leave(ctx, member)
}
