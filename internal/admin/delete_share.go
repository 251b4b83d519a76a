package admin

import (
	"context"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// dropShares deletes what is stored of a share group for the splits, with the Redis consumer group
// that it is and everything that is pending in it. It returns the splits for which something was
// stored.
func (a *Admin) dropShares(
	ctx context.Context,
	_, group string,
	all []splits.Split,
	dryRun bool,
) ([]DeletedPosition, error) {
	calls := make([]script.Call, len(all))
	for i, split := range all {
		names := []string{split.Key, keys.Share(split.Key, group), keys.Failing(split.Key, group)}
		calls[i] = deleteShareScript.Call(names, group, flag(dryRun))
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
