package splits

import (
	"context"
	"errors"
)

// withoutDeleted returns the losses without the streams that an operator deleted with their topic.
// A stream that was recreated looks the same in both cases, so the leases are renewed: their errors
// show the difference.
func (f *fetcher) withoutDeleted(ctx context.Context, losses []Loss, leases []Lease) (all []Loss) {
	var recreated []Lease
	for i, l := range losses {
		if l.Recreated {
			recreated = append(recreated, leases[i])
		}
	}
	if len(recreated) == 0 {
		return losses
	}
	ctx, cancel := context.WithTimeout(ctx, f.cfg.Heartbeat)
	defer cancel()
	answers := f.cfg.Leases.Renew(ctx, f.cfg.TTL, recreated)
	for _, l := range losses {
		if !l.Recreated {
			all = append(all, l)
			continue
		}
		lease, err := recreated[0], answers[0]
		recreated, answers = recreated[1:], answers[1:]
		if errors.Is(err, ErrFenced) {
			f.set.fenced(lease, causeOf(err))
		}
		if errors.Is(err, ErrDeleted) {
			continue
		}
		l.FullyRead = l.FullyRead && err == nil // otherwise the store has lost more than the stream
		all = append(all, l)
	}
	return all
}
