package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

// skipPending skips an entry of a share group.
func (a *Admin) skipPending(ctx context.Context, s Skip, result *SkipResult) error {
	if s.Offset == "" {
		return errors.New("offset is not set: no entry of a share group blocks others, so name the entry to skip")
	}
	o, err := splits.ParseOffset(s.Offset)
	if err != nil {
		return fmt.Errorf("offset: %w", err)
	}
	split, id := result.Split, o.String()
	generation := a.client.HGet(ctx, keys.Share(split.Key, s.Group), "generation")
	if err := generation.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return replyError(generation)
	}
	pending := a.client.XPendingExt(ctx, &redis.XPendingExtArgs{
		Stream: split.Key, Group: s.Group, Start: id, End: id, Count: 1,
	})
	if err := pending.Err(); err != nil && !redis.HasErrorPrefix(err, "NOGROUP") { // no stream has the group yet
		return replyError(pending)
	}
	if len(pending.Val()) == 0 {
		return fmt.Errorf(
			"the entry at offset %s of partition %s is not pending: it has been acknowledged, or no member "+
				"has received it",
			o,
			split,
		)
	}
	entry, err := a.existing(ctx, split, o)
	if err != nil {
		return err
	}
	result.Owner, result.Entry = pending.Val()[0].Consumer, *entry
	if s.DryRun {
		return nil
	}
	names := []string{split.Key, keys.Share(split.Key, s.Group), keys.Failing(split.Key, s.Group)}
	value, err := skipShareScript.Run(ctx, a.client, names, s.Group, generation.Val(), id)
	_, err = decodeSkip(skipShareScript, value, err)
	return err
}
