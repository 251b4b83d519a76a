package splits

import (
	"context"
	"errors"
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
	for {
		most := r.set.roomToTake(from.former)
		if most == 0 {
			return false, nil
		}
		r.set.beginTake(from.split)
		taken, err := r.take(ctx, ShareTake{Split: from.split, From: from.name, To: name, Most: most})
		if err != nil {
			r.set.auditNow(from.split) // the entries may be pending at this member now
			return false, err
		}
		if n := r.set.took(from.split, name, taken); n > 0 && !from.former {
			r.cfg.Observer.Reclaimed(from.split, n)
		}
		if len(taken.Lost) > 0 {
			r.reportLost(from.split, taken.Lost)
		}
		if !taken.More {
			return true, nil
		}
	}
}

func (r *shareReader) take(ctx context.Context, t ShareTake) (ShareTaken, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Heartbeat)
	defer cancel()
	return r.cfg.Shares.Take(ctx, t)
}
