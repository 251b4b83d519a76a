package pipelines

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/splits"
)

// checkRunning checks a running stream. over: everything is committed.
func (r *run) checkRunning(ctx context.Context) (over bool, v *violation, err error) {
	committed, err := r.committed(ctx)
	if err != nil {
		return false, nil, err
	}
	if v, err := r.compare(ctx, committed); v != nil || err != nil {
		return false, v, err
	}
	left := r.results.uncommitted(committed)
	writes, _ := r.results.progress()
	if left != r.left || writes != r.writes {
		r.left, r.writes, r.progressAt = left, writes, time.Now()
	}
	if left > 0 && (time.Since(r.progressAt) > idleLimit || time.Since(r.began) > runLimit) {
		what := fmt.Sprintf("%d messages are not committed after %v", left, time.Since(r.began).Round(time.Second))
		return false, &violation{kind: "stuck", what: what}, nil
	}
	return left == 0, nil, nil
}

// checkStopped checks a stopped stream. The run is also over if everything is committed by chance.
func (r *run) checkStopped(ctx context.Context, wasOver bool) (over bool, v *violation, err error) {
	committed, err := r.committed(ctx)
	if err != nil {
		return false, nil, err
	}
	if v, err := r.compare(ctx, committed); v != nil || err != nil {
		return false, v, err
	}
	left := r.results.uncommitted(committed)
	if wasOver && !r.plan.blocked && left > 0 {
		return false, &violation{
			kind: "lost",
			what: fmt.Sprintf("%d messages were committed before and are not committed now", left),
		}, nil
	}
	return wasOver || left == 0, nil, nil
}

// compare compares the commits with what the sinks have. The commits were read before, so a message
// that the sinks are receiving now is not missed.
func (r *run) compare(ctx context.Context, committed map[partitionID]position) (*violation, error) {
	if what := r.results.firstOrderViolation(); what != "" {
		return &violation{kind: "order", what: what}, nil
	}
	lost := r.results.lost(committed)
	if len(lost) > 0 && len(r.plan.outputTopics) > 0 {
		if err := r.readOutputTopics(ctx); err != nil {
			return nil, err
		}
		lost = r.results.lost(committed)
	}
	// An input that skips rejected messages promises to deliver everything only as long as nothing
	// fails.
	if _, failures := r.results.progress(); len(lost) == 0 || r.plan.skipsRejected && failures > 0 {
		return nil, nil
	}
	return &violation{kind: "lost", what: "committed, but missing at the sinks: " + strings.Join(lost, ", ")}, nil
}

// committed returns how far the groups have got.
func (r *run) committed(ctx context.Context) (map[partitionID]position, error) {
	found := map[partitionID]position{}
	for i, t := range r.plan.topics {
		name, add := fmt.Sprintf("%s-t%d", r.name, i), r.addCommitted
		if t.share {
			add = r.addAcknowledged
		}
		if err := add(ctx, name, i, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// addCommitted adds the offsets that the consumer group of a topic has committed.
func (r *run) addCommitted(ctx context.Context, name string, topic int, found map[partitionID]position) error {
	d, err := admin.New(r.client).DescribeGroup(ctx, name, "g")
	if missing := (*admin.GroupNotFoundError)(nil); errors.As(err, &missing) {
		return nil // the input has not started
	}
	if err != nil {
		return err
	}
	for _, p := range d.Partitions {
		if p.Committed != nil {
			found[partitionID{topic, p.Split.Partition}] = position{upTo: *p.Committed}
		}
	}
	return nil
}

// addAcknowledged adds what the share group of a topic has acknowledged: what was delivered and is
// not pending.
func (r *run) addAcknowledged(ctx context.Context, name string, topic int, found map[partitionID]position) error {
	for i := range r.plan.topics[topic].partitions {
		key := fmt.Sprintf("%s:%d", name, i)
		var groups *redis.XInfoGroupsCmd
		var pending *redis.XPendingExtCmd
		_, err := r.client.TxPipelined(ctx, func(pipe redis.Pipeliner) error { // both of one moment
			all := &redis.XPendingExtArgs{Stream: key, Group: "g", Start: "-", End: "+", Count: 1000}
			groups, pending = pipe.XInfoGroups(ctx, key), pipe.XPendingExt(ctx, all)
			return nil
		})
		if redis.HasErrorPrefix(err, "NOGROUP") || err != nil && strings.Contains(err.Error(), "no such key") {
			continue // the partition is empty, or the input has not started
		}
		if err != nil {
			return err
		}
		p := position{open: map[splits.Offset]bool{}}
		if p.upTo, err = splits.ParseOffset(groups.Val()[0].LastDeliveredID); err != nil {
			return err
		}
		for _, entry := range pending.Val() {
			o, err := splits.ParseOffset(entry.ID)
			if err != nil {
				return err
			}
			p.open[o] = true
		}
		found[partitionID{topic, i}] = p
	}
	return nil
}

// readOutputTopics adds the content of topics to the sinks that write to them.
func (r *run) readOutputTopics(ctx context.Context) error {
	for _, c := range r.plan.outputTopics {
		names := []string{r.name + "-" + c.sink}
		for p := range c.partitions {
			names = append(names, fmt.Sprintf("%s-%s:%d", r.name, c.sink, p))
		}
		for _, name := range names {
			entries, err := r.client.XRange(ctx, name, "-", "+").Result()
			if err != nil {
				return err
			}
			r.results.mu.Lock()
			for _, entry := range entries {
				body, _ := entry.Values["body"].(string)
				r.results.addDelivered(c.sink, tokensIn([]byte(body)))
			}
			r.results.mu.Unlock()
		}
	}
	return nil
}
