package broker

import (
	"context"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Sharers is the membership of one share group of one topic. It implements splits.ShareGroup on
// Redis, with the keys and scripts of Group. It is safe for concurrent use and does not close its
// client.
type Sharers struct{ group *Group }

var _ splits.ShareGroup = (*Sharers)(nil)

// NewShareGroup returns the share group of this name on the topic. The client should be the client
// for control requests.
func NewShareGroup(client redis.UniversalClient, topic, group string, options ...GroupOption) *Sharers {
	return &Sharers{newGroup(client, topic, group, ShareGroup, options)}
}

// Enroll is the same as Group.Enroll.
func (s *Sharers) Enroll(ctx context.Context, member, unique string) (owner string, err error) {
	return s.group.Enroll(ctx, member, unique)
}

// Beat implements splits.ShareGroup. The error is a *GroupTypeError if the group is stored with
// another type.
func (s *Sharers) Beat(ctx context.Context, b splits.ShareBeat) (splits.ShareView, error) {
	g := s.group
	beat := splits.Beat{Member: b.Member, Owner: b.Owner, TTL: b.TTL, Planned: b.Known, Rejoin: b.Rejoin}
	value, err := g.heartbeat(ctx, g.heartbeatArgs(beat, b.Continues))
	if err != nil {
		return splits.ShareView{}, g.wrap("beating in", rediserr.Explain(err))
	}
	r := script.ReplyOf(value)
	switch r.Word(0) {
	case "OK":
		view, err := s.view(r, b.Known)
		if err == nil && g.registry != nil {
			err = g.registry.learn(r, b.TTL)
		}
		return view, g.wrap("beating in", err)
	case "GONE":
		return splits.ShareView{}, g.wrap("beating in", splits.ErrGone)
	case "SUPERSEDED":
		return splits.ShareView{}, &splits.SupersededError{Member: b.Member, By: keys.Visible(r.Word(1))}
	case "TYPE":
		return splits.ShareView{}, &GroupTypeError{Topic: g.topic, Group: g.group, Want: g.kind, Stored: r.Word(1)}
	}
	return splits.ShareView{}, g.wrap("beating in", script.Unexpected(heartbeatScript, value))
}

// view decodes the reply of heartbeat.lua for a share group.
func (s *Sharers) view(r script.Reply, known uint64) (splits.ShareView, error) {
	numbers, err := s.group.viewNumbers(r)
	if err != nil {
		return splits.ShareView{}, err
	}
	view := splits.ShareView{
		Version: uint64(numbers[0]),
		Next:    time.Duration(numbers[2]) * time.Millisecond,
		Splits:  s.group.splitsOf(int(numbers[3])),
		Initial: int(numbers[4]),
	}
	if view.Version != known {
		view.Members, view.Departed = r.Words(6), r.Words(7)
		slices.Sort(view.Members) // the reply orders members by deadline
	}
	return view, nil
}

// Leave implements splits.ShareGroup.
func (s *Sharers) Leave(ctx context.Context, member string) error { return s.group.Leave(ctx, member) }

// Wake implements splits.ShareGroup.
func (s *Sharers) Wake(ctx context.Context, notify func()) error { return s.group.Wake(ctx, notify) }
