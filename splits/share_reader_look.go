package splits

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
)

// suspect is a name in one split that might belong to a dead member.
type suspect struct {
	split  Split
	name   string
	former bool // it is an earlier name of this member
}

// lookOnce takes over what is pending at dead members, as far as this member has room. complete
// reports whether nothing is left. The order matters: the names are read first, and only a name
// that is missing in the answer to a later beat is dead. Otherwise a member that joined in between
// would be taken for dead.
func (r *shareReader) lookOnce(ctx context.Context, name string, former []string) (complete bool, err error) {
	suspects, err := r.suspects(ctx, name, former)
	if err != nil || len(suspects) == 0 {
		return err == nil, err
	}
	if !r.member.awaitBeat(ctx) {
		return false, nil // the loop of the member reports why
	}
	complete = true
	for _, s := range suspects {
		if current, _ := r.set.names(); current != name {
			return false, nil
		}
		if !s.former && !r.member.dead(s.name) {
			continue
		}
		all, err := r.takeOver(ctx, name, s)
		if err != nil && !errors.Is(err, ErrNoGroup) {
			return false, err
		}
		complete = complete && all
	}
	return complete, nil
}

// suspects returns the names in the splits of this fetch group that might belong to dead members.
func (r *shareReader) suspects(ctx context.Context, name string, former []string) (all []suspect, err error) {
	splits := r.set.openSplits(r.group)
	if len(splits) == 0 {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Heartbeat)
	defer cancel()
	for i, answer := range r.cfg.Shares.Holders(ctx, splits) {
		if errors.Is(answer.Err, ErrNoGroup) {
			r.set.groupGone(splits[i])
			continue
		}
		if answer.Err != nil {
			return nil, answer.Err
		}
		for _, h := range answer.Holders {
			own := slices.Contains(former, h.Member)
			if h.Member != name && (own || r.member.suspicious(h.Member)) {
				all = append(all, suspect{splits[i], h.Member, own})
			}
		}
	}
	return all, nil
}

// takeOver takes over what is pending at a dead member in one split, as far as there is room. all
// reports whether nothing is left.
func (r *shareReader) takeOver(ctx context.Context, name string, from suspect) (all bool, err error) {
	return r.takeAll(ctx, name, from.split, taking{
		room: func() int { return r.set.roomToTake(from.former) },
		take: func(ctx context.Context, most int) (ShareTaken, error) {
			return r.cfg.Shares.Take(ctx, ShareTake{
				Split: from.split, From: from.name, To: name, Died: !from.former, Most: most,
			})
		},
		took: func(n int) {
			if !from.former {
				r.cfg.Observer.Reclaimed(from.split, n)
			}
		},
	})
}

// lookIdle takes over idle entries of other programs, if that is configured and due, as far as this
// member has room.
func (r *shareReader) lookIdle(ctx context.Context, name string) error {
	now := r.cfg.Now()
	if r.cfg.AdoptIdle == 0 || now.Before(r.idleDue) {
		return nil
	}
	complete := true
	for _, split := range r.set.openSplits(r.group) {
		all, err := r.takeAll(ctx, name, split, taking{
			room: func() int { return r.set.roomToTake(false) },
			take: func(ctx context.Context, most int) (ShareTaken, error) {
				t := ShareTakeIdle{Split: split, To: name, Idle: r.cfg.AdoptIdle, Most: most}
				return r.cfg.Shares.TakeIdle(ctx, t)
			},
			took: func(n int) { r.cfg.Observer.TookIdle(split, n) },
		})
		if err != nil && !errors.Is(err, ErrNoGroup) {
			return err
		}
		complete = complete && all
	}
	if r.idleDue = now.Add(r.cfg.Heartbeat / 4); complete {
		every := min(r.cfg.AdoptIdle, r.cfg.AuditEvery)
		r.idleDue = now.Add(every/2 + rand.N(every/2+1))
	}
	return nil
}

// taking is how entries of one split are taken over.
type taking struct {
	room func() int // how many there is room for
	take func(ctx context.Context, most int) (ShareTaken, error)
	took func(n int) // called with the number of entries that this member did not have
}

// takeAll takes over entries of one split, as far as there is room. all reports whether nothing is
// left.
func (r *shareReader) takeAll(ctx context.Context, name string, split Split, t taking) (all bool, err error) {
	for {
		most := t.room()
		if most == 0 {
			return false, nil
		}
		r.set.beginTake(split)
		taken, err := r.bounded(ctx, t.take, most)
		if err != nil {
			r.set.auditNow(split) // the entries may be pending at this member now
			return false, err
		}
		if n := r.set.took(split, name, taken); n > 0 {
			t.took(n)
		}
		if len(taken.Lost) > 0 {
			r.reportLost(split, taken.Lost)
		}
		if !taken.More {
			return true, nil
		}
	}
}

// bounded takes over up to n entries within a heartbeat.
func (r *shareReader) bounded(
	ctx context.Context,
	take func(ctx context.Context, most int) (ShareTaken, error),
	n int,
) (ShareTaken, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Heartbeat)
	defer cancel()
	return take(ctx, n)
}
