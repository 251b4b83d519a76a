package pipelines

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// look judges a running stream: over if everything is committed.
func (r *run) look(ctx context.Context) (over bool, v *verdict, err error) {
	committed, err := r.committed(ctx)
	if err != nil {
		return false, nil, err
	}
	if v, err := r.weigh(ctx, committed); v != nil || err != nil {
		return false, v, err
	}
	left := r.world.uncommitted(committed)
	writes, _ := r.world.took()
	if left != r.left || writes != r.writes {
		r.left, r.writes, r.moved = left, writes, time.Now()
	}
	if left > 0 && (time.Since(r.moved) > patience || time.Since(r.began) > longestRun) {
		what := fmt.Sprintf("%d messages are not committed after %v", left, time.Since(r.began).Round(time.Second))
		return false, &verdict{kind: "stuck", what: what}, nil
	}
	return left == 0, nil, nil
}

// judge judges a stream that was stopped. The run is over too if everything happens to be
// committed.
func (r *run) judge(ctx context.Context, wasOver bool) (over bool, v *verdict, err error) {
	committed, err := r.committed(ctx)
	if err != nil {
		return false, nil, err
	}
	if v, err := r.weigh(ctx, committed); v != nil || err != nil {
		return false, v, err
	}
	left := r.world.uncommitted(committed)
	if wasOver && !r.plan.doomed && left > 0 {
		return false, &verdict{
			kind: "lost",
			what: fmt.Sprintf("%d messages were committed and are not any more", left),
		}, nil
	}
	return wasOver || left == 0, nil, nil
}

// weigh compares what is committed with what the sinks have. What is committed was read before, so
// nothing that the sinks are getting just now is missed.
func (r *run) weigh(ctx context.Context, committed map[position]splits.Offset) (*verdict, error) {
	if what := r.world.misordered(); what != "" {
		return &verdict{kind: "order", what: what}, nil
	}
	lost := r.world.lost(committed)
	if len(lost) > 0 && len(r.plan.copies) > 0 {
		if err := r.collect(ctx); err != nil {
			return nil, err
		}
		lost = r.world.lost(committed)
	}
	// An input that passes over what failed promises no more than to deliver everything as long as
	// nothing fails.
	if _, failures := r.world.took(); len(lost) == 0 || r.plan.passes && failures > 0 {
		return nil, nil
	}
	return &verdict{kind: "lost", what: "committed, and not with the sinks: " + strings.Join(lost, ", ")}, nil
}

// committed reads how far the group has committed.
func (r *run) committed(ctx context.Context) (map[position]splits.Offset, error) {
	admin := broker.NewAdmin(r.client)
	found := map[position]splits.Offset{}
	for i := range r.plan.topics {
		d, err := admin.DescribeGroup(ctx, fmt.Sprintf("%s-t%d", r.name, i), "g")
		if missing := (*broker.GroupNotFoundError)(nil); errors.As(err, &missing) {
			continue // the input has not begun
		}
		if err != nil {
			return nil, err
		}
		for _, p := range d.Partitions {
			if p.Committed != nil {
				found[position{i, p.Split.Partition}] = *p.Committed
			}
		}
	}
	return found, nil
}

// collect gives the sinks that are topics what these hold.
func (r *run) collect(ctx context.Context) error {
	for _, c := range r.plan.copies {
		names := []string{r.name + "-" + c.sink}
		for p := range c.partitions {
			names = append(names, fmt.Sprintf("%s-%s:%d", r.name, c.sink, p))
		}
		for _, name := range names {
			entries, err := r.client.XRange(ctx, name, "-", "+").Result()
			if err != nil {
				return err
			}
			r.world.mu.Lock()
			for _, entry := range entries {
				body, _ := entry.Values["body"].(string)
				r.world.keep(c.sink, tokensIn([]byte(body)))
			}
			r.world.mu.Unlock()
		}
	}
	return nil
}
