package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// CheckAdoptable returns an *AdoptionError if a group can't continue the Redis consumer groups of its
// name because a partition has neither such a group nor an offset of the group: the group would begin
// in some partitions only. It does not check partitions that were added after the group was created,
// since they are read from their first entry.
func CheckAdoptable(ctx context.Context, client redis.UniversalClient, topic, group string) error {
	described, err := NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return err
	}
	all := described.Splits()
	initial, err := client.HGet(ctx, keys.Plan(topic, group), "initial").Result()
	if n, parseErr := strconv.Atoi(initial); err == nil && parseErr == nil {
		all = all[:min(max(n, 0), len(all))]
	}
	pipe := client.Pipeline()
	offsets, groups := make([]*redis.StringCmd, len(all)), make([]*redis.XInfoGroupsCmd, len(all))
	for i, split := range all {
		offsets[i] = pipe.HGet(ctx, keys.Lease(split.Key, group), "offset")
		groups[i] = pipe.XInfoGroups(ctx, split.Key)
	}
	if len(all) > 0 {
		_, _ = pipe.Exec(ctx) // each command has its error
	}
	for i, split := range all {
		if err := checkAdoptable(split, group, offsets[i], groups[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkAdoptable(split splits.Split, group string, offset *redis.StringCmd, groups *redis.XInfoGroupsCmd) error {
	if offset.Val() != "" {
		return nil
	}
	err := groups.Err()
	if err != nil && !strings.Contains(err.Error(), "no such key") {
		return fmt.Errorf("looking for the Redis consumer groups of %s: %w", split.Key, rediserr.Explain(err))
	}
	for _, g := range groups.Val() {
		if g.Name == group {
			return nil
		}
	}
	return &AdoptionError{Reason: AdoptionNoGroup, Stream: split.Key, Group: group}
}
