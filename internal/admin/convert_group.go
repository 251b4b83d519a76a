package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Conversion are the arguments of ConvertGroup.
type Conversion struct {
	Topic, Group string
	// To is the new type: broker.ConsumerGroup or broker.ShareGroup.
	To string
	// KeepUnused is the same as in Seek. DryRun changes nothing and only returns the result.
	KeepUnused, DryRun bool
}

// ConvertResult is the result of ConvertGroup.
type ConvertResult struct {
	Topic string `json:"stream_name"`
	Group string `json:"consumer_group"`
	// From is the type before the call: broker.Converting if an earlier call was interrupted.
	From       string             `json:"from"`
	To         string             `json:"to"`
	DryRun     bool               `json:"dry_run"`
	Partitions []ConvertPartition `json:"partitions"`
}

// ConvertPartition is the result for one partition.
type ConvertPartition struct {
	Split splits.Split `json:"split"`
	// Offset is the offset after which the group continues; nil if nothing is stored of the
	// partition, which then begins at the start_offset of its inputs.
	Offset *splits.Offset `json:"-"`
}

// MarshalJSON writes the partition with its offset as text, null if there is none.
func (p ConvertPartition) MarshalJSON() ([]byte, error) {
	type plain ConvertPartition // without this method
	return json.Marshal(struct {
		plain
		Offset *string `json:"offset"`
	}{plain(p), offsetText(p.Offset)})
}

// ConvertGroup makes a share group of a consumer group, or the other way round. The group keeps its
// place: it continues after the committed offset, or after the last entry that was delivered. What
// was processed behind a committed offset is processed again.
//
// All partitions are checked before anything is changed. The error is a *GroupAliveError if the
// group has live members, a *GroupNotFoundError if there is no such group, and a *PendingError if
// entries of a share group are pending. After another error the call can be repeated: until a call
// succeeds, no input can join the group.
func (a *Admin) ConvertGroup(ctx context.Context, c Conversion) (ConvertResult, error) {
	for _, err := range []error{keys.ValidateTopic(c.Topic, false), keys.ValidateGroup(c.Group)} {
		if err != nil {
			return ConvertResult{}, err
		}
	}
	result, err := a.convertGroup(ctx, c)
	if err != nil {
		return ConvertResult{}, fmt.Errorf("converting group %s of %s: %w", c.Group, c.Topic, err)
	}
	return result, nil
}

func (a *Admin) convertGroup(ctx context.Context, c Conversion) (result ConvertResult, err error) {
	result = ConvertResult{Topic: c.Topic, Group: c.Group, To: c.To, DryRun: c.DryRun}
	if c.To != broker.ConsumerGroup && c.To != broker.ShareGroup {
		return result, fmt.Errorf("to is %q: set it to %s or %s", c.To, broker.ConsumerGroup, broker.ShareGroup)
	}
	found, err := a.lookUp(ctx, c.Topic, c.Group)
	if err != nil {
		return result, err
	}
	if result.From, err = a.setType(ctx, c, ""); err != nil {
		return result, err
	}
	switch result.From {
	case "":
		return result, &GroupNotFoundError{Topic: c.Topic, Group: c.Group}
	case c.To:
		return result, fmt.Errorf("it is a %s group already", c.To)
	}
	all := found.topic.Splits()
	// All are checked first: a group must not be of one type in some partitions only.
	if result.Partitions, err = a.convertEach(ctx, c, all, true); err != nil || c.DryRun {
		return result, err
	}
	if _, err = a.setType(ctx, c, broker.Converting); err != nil {
		return result, err
	}
	if result.Partitions, err = a.convertEach(ctx, c, all, false); err != nil {
		return result, err
	}
	_, err = a.setType(ctx, c, c.To)
	return result, err
}

// setType stores the type of a group that has no live members, unless kind is "". It returns the
// type before that, "" if the group does not exist.
func (a *Admin) setType(ctx context.Context, c Conversion, kind string) (before string, err error) {
	names := []string{keys.Members(c.Topic, c.Group), keys.Plan(c.Topic, c.Group)}
	value, err := convertGroupScript.Run(ctx, a.client, names, kind)
	if err != nil {
		return "", rediserr.Explain(err)
	}
	switch reply := script.ReplyOf(value); reply.Word(0) {
	case "OK":
		return reply.Word(1), nil
	case "ALIVE":
		return "", &GroupAliveError{Topic: c.Topic, Group: c.Group, Members: reply.Words(1)}
	}
	return "", script.Unexpected(convertGroupScript, value)
}

// convertEach converts the splits, and returns the results in their order.
func (a *Admin) convertEach(
	ctx context.Context,
	c Conversion,
	all []splits.Split,
	dryRun bool,
) ([]ConvertPartition, error) {
	convert := convertToShareScript
	if c.To == broker.ConsumerGroup {
		convert = convertToConsumerScript
	}
	calls := make([]script.Call, len(all))
	for i, split := range all {
		calls[i] = convert.Call(
			[]string{split.Key, keys.Lease(split.Key, c.Group), keys.Share(split.Key, c.Group)},
			c.Group, broker.ForgetAfter(c.KeepUnused), flag(dryRun))
	}
	results := script.RunAll(ctx, a.client, calls)
	for i := range results {
		results[i].Err = errors.Join(results[i].Err, c.refusal(all[i], script.ReplyOf(results[i].Value)))
	}
	partitions := make([]ConvertPartition, len(all))
	err := eachReply(calls, results, all, func(i int, words script.Reply) error {
		partitions[i].Split = all[i]
		if words.Word(1) == "" {
			return nil
		}
		offset, err := splits.ParseOffset(words.Word(1))
		partitions[i].Offset = &offset
		return err
	})
	if held, ok := errors.AsType[*splits.HeldError](err); ok {
		return nil, &GroupAliveError{Topic: c.Topic, Group: c.Group, Members: []string{held.Owner}}
	}
	return partitions, err
}

// refusal returns why a partition can't be converted, nil if it was.
func (c Conversion) refusal(split splits.Split, words script.Reply) error {
	switch words.Word(0) {
	case "PENDING":
		pending, _ := words.Signed(1)
		return &PendingError{Topic: c.Topic, Group: c.Group, Pending: pending}
	case "ADOPTING":
		return fmt.Errorf("it continues the Redis consumer group %s, and entries are still pending there: run its "+
			"inputs until they are acknowledged", keys.Visible(words.Word(1)))
	case "FOREIGN":
		return fmt.Errorf("stream %s has a Redis consumer group %s that another client created or uses, and a share "+
			"group needs this name: delete it with XGROUP DESTROY, or choose another consumer_group",
			split.Key, c.Group)
	}
	return nil
}

// errConverting is the error for other changes of a group while it is being converted.
var errConverting = errors.New("it is being converted: repeat rafka group convert first")

// PendingError is the error for the conversion of a share group in which entries are pending: a
// consumer group has only one offset, and would skip them or process others again.
type PendingError struct {
	Topic, Group string
	Pending      int64
}

// Error names the two ways to go on.
func (e *PendingError) Error() string {
	return fmt.Sprintf("%d entries are pending in share group %s: run its inputs until they are acknowledged, or "+
		"continue it under another name, pending entries first: rafka group adopt NEW_GROUP --topic %s --from %s "+
		"--yes (as start_offset: group does for the Redis consumer group of another program)",
		e.Pending, e.Group, e.Topic, e.Group)
}
