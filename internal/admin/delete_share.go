package admin

import (
	"cmp"
	"context"
	"slices"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// dropPositions deletes what is stored of a group for the splits, as a consumer group and as a
// share group: a group can have been both. It returns the splits for which something was stored.
func (a *Admin) dropPositions(
	ctx context.Context,
	known topicAndGroup,
	group string,
	dryRun bool,
) ([]DeletedPosition, error) {
	found, err := a.dropLeases(ctx, known.topic.Name, group, known.topic.Splits(), dryRun)
	if err != nil {
		return nil, err
	}
	shares, err := a.dropShares(ctx, known, group, dryRun)
	for _, share := range shares {
		found = slices.DeleteFunc(found, func(p DeletedPosition) bool { return p.Split == share.Split })
		found = append(found, share)
	}
	slices.SortFunc(found, func(a, b DeletedPosition) int { return cmp.Compare(a.Split.Partition, b.Split.Partition) })
	return found, err
}

// dropShares deletes what is stored of a share group for the splits, with the Redis consumer group
// that it is and everything that is pending in it. It returns the splits for which something was
// stored.
func (a *Admin) dropShares(
	ctx context.Context,
	known topicAndGroup,
	group string,
	dryRun bool,
) ([]DeletedPosition, error) {
	all := known.topic.Splits()
	calls := make([]script.Call, len(all))
	for i, split := range all {
		names := []string{split.Key, keys.Share(split.Key, group), keys.Failing(split.Key, group)}
		calls[i] = deleteShareScript.Call(names,
			group, flag(dryRun), flag(known.kind == broker.ShareGroup))
	}
	found := []DeletedPosition{}
	err := eachReply(calls, script.RunAll(ctx, a.client, calls), all, func(i int, words script.Reply) error {
		if words.Word(1) != "1" {
			return nil
		}
		p := DeletedPosition{Split: all[i]}
		if low, err := splits.ParseOffset(words.Word(2)); err == nil {
			p.Committed = &low
		}
		found = append(found, p)
		return nil
	})
	return found, err
}
