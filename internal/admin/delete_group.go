package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// GroupAliveError is the error for the deletion of a group, or of its topic, that has live members.
type GroupAliveError struct {
	Topic, Group string
	Members      []string
}

// Error names the members, at most five of them.
func (e *GroupAliveError) Error() string {
	names := slices.Clone(e.Members)
	more := ""
	if len(names) > 5 {
		names, more = names[:5], fmt.Sprintf(" and %d more", len(names)-5)
	}
	for i, name := range names {
		names[i] = keys.Visible(name)
	}
	return fmt.Sprintf(
		"group %q of topic %q is in use by %s%s: stop its inputs first; inputs that were killed leave the group "+
			"within "+
			"their session_timeout",
		e.Group,
		e.Topic,
		strings.Join(names, ", "),
		more,
	)
}

// DeletedGroup is the result of DeleteGroup.
type DeletedGroup struct {
	Topic  string `json:"stream_name"`
	Group  string `json:"consumer_group"`
	DryRun bool   `json:"dry_run"`
	// Partitions are the partitions for which something was stored.
	Partitions []DeletedPosition `json:"partitions"`
}

// DeletedPosition is what was stored for one partition.
type DeletedPosition struct {
	Split splits.Split `json:"split"`
	// Committed is the committed offset, nil if there was none.
	Committed *splits.Offset `json:"-"`
	// Foreign is true if the stream has a Redis consumer group of this name that rafka did not
	// create, or that another client reads with. It is not deleted.
	Foreign bool `json:"foreign_redis_group,omitempty"`
}

// MarshalJSON writes the position with its offset as text, null if there was none.
func (p DeletedPosition) MarshalJSON() ([]byte, error) {
	type plain DeletedPosition // without this method
	return json.Marshal(struct {
		plain
		Committed *string `json:"committed"`
	}{plain(p), offsetText(p.Committed)})
}

// DeleteGroup deletes a group with its offsets, and the Redis consumer groups that mirror the
// offsets. With dryRun it only returns what it would delete. A member that joins later starts at
// its start_offset. The error is a *GroupAliveError if the group has live members, and a
// *GroupNotFoundError if nothing of the group is stored. The group's own keys are deleted last, so
// a deletion that failed can be repeated.
func (a *Admin) DeleteGroup(ctx context.Context, topic, group string, dryRun bool) (DeletedGroup, error) {
	for _, err := range []error{keys.ValidateTopic(topic, false), keys.ValidateGroup(group)} {
		if err != nil {
			return DeletedGroup{}, err
		}
	}
	deleted, err := a.deleteGroup(ctx, topic, group, dryRun)
	if err != nil {
		return DeletedGroup{}, fmt.Errorf("deleting group %s of %s: %w", group, topic, err)
	}
	return deleted, nil
}

func (a *Admin) deleteGroup(ctx context.Context, topic, group string, dryRun bool) (DeletedGroup, error) {
	known, err := a.lookUp(ctx, topic, group)
	if err != nil {
		return DeletedGroup{}, err
	}
	// Both are checked before anything is deleted, so that a group in use stays complete.
	stored, err := a.dropGroup(ctx, topic, group, true)
	if err != nil {
		return DeletedGroup{}, err
	}
	found, err := a.dropPositions(ctx, known, group, true)
	if err != nil {
		return DeletedGroup{}, err
	}
	if !stored && known.kind == "" && len(found) == 0 {
		return DeletedGroup{}, &GroupNotFoundError{Topic: topic, Group: group}
	}
	deleted := DeletedGroup{Topic: topic, Group: group, DryRun: dryRun, Partitions: found}
	if dryRun {
		return deleted, nil
	}
	if _, err = a.dropPositions(ctx, known, group, false); err == nil {
		_, err = a.dropGroup(ctx, topic, group, false)
	}
	return deleted, err
}

// dropGroup deletes the plan and the members of a group, unless a member is alive, and takes the
// group off the registry. It returns whether anything was stored.
func (a *Admin) dropGroup(ctx context.Context, topic, group string, dryRun bool) (stored bool, err error) {
	names := []string{keys.Members(topic, group), keys.Plan(topic, group), keys.Groups(topic)}
	value, err := deleteGroupScript.Run(ctx, a.client, names, flag(dryRun), group)
	if err != nil {
		return false, rediserr.Explain(err)
	}
	reply := script.ReplyOf(value)
	switch reply.Word(0) {
	case "OK":
		return reply.Word(1) == "1", nil
	case "ALIVE":
		return false, &GroupAliveError{Topic: topic, Group: group, Members: reply.Words(1)}
	}
	return false, script.Unexpected(deleteGroupScript, value)
}

// dropLeases deletes what is stored for the splits, unless a lease is alive. It returns the splits
// for which something was stored.
func (a *Admin) dropLeases(
	ctx context.Context,
	topic, group string,
	all []splits.Split,
	dryRun bool,
) ([]DeletedPosition, error) {
	calls := make([]script.Call, len(all))
	for i, split := range all {
		names := []string{split.Key, keys.Lease(split.Key, group), keys.Failing(split.Key, group)}
		calls[i] = deleteLeaseScript.Call(names, group, flag(dryRun))
	}
	found := []DeletedPosition{}
	err := eachReply(calls, script.RunAll(ctx, a.client, calls), all, func(i int, words script.Reply) error {
		mirror := words.Word(3)
		if words.Word(1) == "0" && mirror != "ours" && mirror != "shared" {
			return nil
		}
		p := DeletedPosition{Split: all[i], Foreign: mirror == "foreign" || mirror == "shared"}
		if committed, err := splits.ParseOffset(words.Word(2)); err == nil { // a damaged offset is deleted too
			p.Committed = &committed
		}
		found = append(found, p)
		return nil
	})
	if held, ok := errors.AsType[*splits.HeldError](err); ok {
		return nil, &GroupAliveError{Topic: topic, Group: group, Members: []string{held.Owner}}
	}
	return found, err
}
