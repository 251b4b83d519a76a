package admin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// GroupAliveError is the answer to a deletion of a group, or of its topic, that members are using.
type GroupAliveError struct {
	Topic, Group string
	Members      []string
}

// Error names the members, the first of them if there are many.
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
		"group %q of topic %q is in use by %s%s: stop its inputs first, those that were killed are gone within their "+
			"session_timeout",
		e.Group,
		e.Topic,
		strings.Join(names, ", "),
		more,
	)
}

// DeletedGroup is a group that was deleted, or would be.
type DeletedGroup struct {
	Topic  string `json:"stream_name"`
	Group  string `json:"consumer_group"`
	DryRun bool   `json:"dry_run"`
	// Partitions are those that the group knew something of.
	Partitions []DeletedPosition `json:"partitions"`
}

// DeletedPosition is what was stored of one partition.
type DeletedPosition struct {
	Split splits.Split `json:"split"`
	// Committed is the offset that was committed, nil if none was.
	Committed *splits.Offset `json:"-"`
	// Foreign says that the stream has a Redis consumer group of the group's name that rafka did
	// not create: it stays.
	Foreign bool `json:"foreign_redis_group,omitempty"`
}

// DeleteGroup deletes a group of a topic with its offsets, and the Redis consumer groups that
// mirrored them; dryRun only tells what would be deleted. A member that starts later begins at its
// start_offset. The error is a *GroupAliveError if the group has live members, and a
// *GroupNotFoundError if there is nothing of it. A deletion that failed midway can be repeated: the
// group itself goes last.
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
	target, err := a.target(ctx, topic, group)
	if err != nil {
		return DeletedGroup{}, err
	}
	// First all is asked and nothing is changed, so that a group in use stays whole.
	if err := a.dropGroup(ctx, topic, group, true); err != nil {
		return DeletedGroup{}, err
	}
	all := target.topic.Splits()
	found, err := a.dropLeases(ctx, topic, group, all, true)
	if err != nil {
		return DeletedGroup{}, err
	}
	if target.kind == "" && len(found) == 0 {
		return DeletedGroup{}, &GroupNotFoundError{Topic: topic, Group: group}
	}
	deleted := DeletedGroup{Topic: topic, Group: group, DryRun: dryRun, Partitions: found}
	if dryRun {
		return deleted, nil
	}
	if _, err = a.dropLeases(ctx, topic, group, all, false); err == nil {
		err = a.dropGroup(ctx, topic, group, false)
	}
	return deleted, err
}

// dropGroup deletes the plan and the members of a group, unless one is alive.
func (a *Admin) dropGroup(ctx context.Context, topic, group string, dryRun bool) error {
	keys := []string{keys.Members(topic, group), keys.Plan(topic, group)}
	value, err := deleteGroupScript.Run(ctx, a.client, keys, flag(dryRun))
	if err != nil {
		return rediserr.Explain(err)
	}
	reply := script.ReplyOf(value)
	switch reply.Word(0) {
	case "OK":
		return nil
	case "ALIVE":
		return &GroupAliveError{Topic: topic, Group: group, Members: reply.Words(1)}
	}
	return script.Unexpected(deleteGroupScript, value)
}

// dropLeases deletes what is stored of the splits, unless a lease lives, and returns those of which
// there is something.
func (a *Admin) dropLeases(
	ctx context.Context,
	topic, group string,
	all []splits.Split,
	dryRun bool,
) ([]DeletedPosition, error) {
	calls := make([]script.Call, len(all))
	for i, split := range all {
		calls[i] = deleteLeaseScript.Call([]string{split.Key, keys.Lease(split.Key, group)}, group, flag(dryRun))
	}
	found := []DeletedPosition{}
	err := everyAnswer(calls, script.RunAll(ctx, a.client, calls), all, func(i int, words script.Reply) error {
		mirror := words.Word(3)
		if words.Word(1) == "0" && mirror != "ours" {
			return nil
		}
		p := DeletedPosition{Split: all[i], Foreign: mirror == "foreign"}
		if committed, err := splits.ParseOffset(words.Word(2)); err == nil { // a damaged one is deleted too
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
