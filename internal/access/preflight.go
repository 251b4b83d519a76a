package access

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// CheckReader checks that the group can read the topic: the server answers and knows all required
// commands, the keys have the right types, and the user has the required permissions. The error
// names the problem and the remedy. A partition on a cluster node that is unavailable is not an
// error: the reader reports it, and reads the other partitions. CheckReader writes nothing.
func CheckReader(ctx context.Context, client redis.UniversalClient, topic, group string) error {
	return checkGroup(ctx, client, topic, group, readerChecks)
}

// CheckSharer is CheckReader for a share group.
func CheckSharer(ctx context.Context, client redis.UniversalClient, topic, group string) error {
	return checkGroup(ctx, client, topic, group, sharerChecks)
}

func checkGroup(
	ctx context.Context,
	client redis.UniversalClient,
	topic, group string,
	checksOf func(redis.UniversalClient, broker.Topic, string) []slotCheck,
) error {
	if err := keys.ValidateGroup(group); err != nil {
		return err
	}
	described, err := checkTopic(ctx, client, topic)
	if err != nil {
		return err
	}
	checks := checksOf(client, described, group)
	checks[0].noopWrites = []command{{"ZREM", 2, ""}} // no member has an empty name
	if err := firstError(runChecks(ctx, client, checks[:1])); err != nil && !rediserr.SlotMoves(err) {
		return err
	}
	if err := firstPermanent(runChecks(ctx, client, checks[1:])); err != nil {
		return err
	}
	return ctx.Err()
}

// readerChecks returns the check of the group, and then one check for each partition.
func readerChecks(client redis.UniversalClient, topic broker.Topic, group string) []slotCheck {
	return groupChecks(client, topic, group, func(split splits.Split) []checkedKey {
		return []checkedKey{
			{keys.Lease(split.Key, group), keys.KindLease},
			{keys.Failing(split.Key, group), keys.KindFailing},
		}
	}, onSplit)
}

// sharerChecks is readerChecks for a share group.
func sharerChecks(client redis.UniversalClient, topic broker.Topic, group string) []slotCheck {
	return groupChecks(client, topic, group, func(split splits.Split) []checkedKey {
		return []checkedKey{
			{keys.Share(split.Key, group), keys.KindShare},
			{keys.Failing(split.Key, group), keys.KindFailing},
		}
	}, onShare)
}

// groupChecks returns the check of a group, and then one check for each partition, which has
// keys of its own.
func groupChecks(
	client redis.UniversalClient,
	topic broker.Topic,
	group string,
	own func(splits.Split) []checkedKey,
	senders []string,
) []slotCheck {
	checks := []slotCheck{{
		keys: []checkedKey{
			{keys.Plan(topic.Name, group), keys.KindPlan},
			{keys.Members(topic.Name, group), keys.KindMembers},
			{keys.Metadata(topic.Name), keys.KindMetadata},
			{keys.Groups(topic.Name), keys.KindGroups},
		},
		permissions: requiredOf(client, onGroup...),
	}}
	if topic.Plain() {
		checks[0].keys = append(checks[0].keys, checkedKey{topic.Name, keys.KindPlain})
	}
	for _, split := range topic.Splits() {
		checks = append(checks, slotCheck{
			keys:        append([]checkedKey{{split.Key, keys.KindStream}}, own(split)...),
			permissions: requiredOf(client, senders...),
		})
	}
	return checks
}

// CheckWriter is CheckReader for writing to the topic. partitions is the number of partitions with
// which the writer creates a topic without metadata, 0 if it uses such a topic as it is. The error
// is a *broker.PlainStreamError if the topic can't be created because a key has its name. On a
// cluster, the node of the topic and at least one node with partitions must be available.
func CheckWriter(ctx context.Context, client redis.UniversalClient, topic string, partitions int) error {
	described, err := checkTopic(ctx, client, topic)
	if err != nil {
		return err
	}
	if described.Plain() && partitions > 0 {
		if err := checkCreation(ctx, client, topic, partitions); err != nil {
			return err
		}
		described.Partitions = partitions
	}
	var checks []slotCheck
	for _, split := range described.Splits() {
		checks = append(checks, appendCheck(client, described, split))
	}
	return firstUnavailable(runChecks(ctx, client, checks))
}

// firstUnavailable returns the first error that a retry would get again, or an error if none of the
// checks passed.
func firstUnavailable(errs []error) error {
	if err := firstPermanent(errs); err != nil {
		return err
	}
	if slices.ContainsFunc(errs, func(err error) bool { return err == nil || rediserr.SlotMoves(err) }) {
		return nil
	}
	return errs[0]
}

// firstPermanent returns the first error that a retry would get again.
func firstPermanent(errs []error) error {
	for _, err := range errs {
		switch rediserr.Classify(err) {
		case rediserr.ClassNone, rediserr.ClassConnection, rediserr.ClassTransient:
		default:
			return err
		}
	}
	return nil
}

// appendCheck returns the check of one partition. It includes the topic's metadata only for a plain
// topic: the metadata of a partitioned topic can be in another slot.
func appendCheck(client redis.UniversalClient, topic broker.Topic, split splits.Split) slotCheck {
	check := slotCheck{
		keys:        []checkedKey{{split.Key, keys.KindStream}, {keys.Producer(split.Key, "check"), keys.KindProducer}},
		permissions: requiredOf(client, onAppend...),
		noopWrites: []command{
			{"XADD", 1, "0-0", "f", "v"},               // no entry can have that ID
			{"XADD", 1, "NOMKSTREAM", "0-1", "f", "v"}, // a stream without IDs left returns another error
		},
	}
	if topic.Plain() {
		check.keys = append(check.keys, checkedKey{keys.Metadata(topic.Name), keys.KindMetadata})
	}
	return check
}

// CheckLetters is CheckReader for writing dead letters to a topic. On a cluster, at least one node
// with partitions must be available.
func CheckLetters(ctx context.Context, client redis.UniversalClient, topic string) error {
	described, err := checkTopic(ctx, client, topic)
	if err != nil {
		return err
	}
	var checks []slotCheck
	for _, split := range described.Splits() {
		checks = append(checks, letterCheck(client, described, split))
	}
	return firstUnavailable(runChecks(ctx, client, checks))
}

// letterCheck is appendCheck for dead letters.
func letterCheck(client redis.UniversalClient, topic broker.Topic, split splits.Split) slotCheck {
	check := appendCheck(client, topic, split)
	check.keys[1] = checkedKey{keys.IDs(split.Key), keys.KindIDs}
	check.permissions = requiredOf(client, onLetter...)
	check.noopWrites = check.noopWrites[:1] // for the other one the check needs XLEN
	return check
}

// CheckPartition is CheckWriter for one partition of a topic that exists.
func CheckPartition(ctx context.Context, client redis.UniversalClient, t appender.Target) error {
	topic := broker.Topic{Name: t.Topic, Partitions: t.Partition + 1}
	if t.Plain {
		topic.Partitions = 0
	}
	split := splits.Split{Topic: t.Topic, Partition: t.Partition, Key: t.Key}
	return firstError(runChecks(ctx, client, []slotCheck{appendCheck(client, topic, split)}))
}

// checkTopic connects to the server, checks its commands and reads the topic's metadata.
func checkTopic(ctx context.Context, client redis.UniversalClient, topic string) (broker.Topic, error) {
	err := client.Ping(ctx).Err()
	answered := err == nil || rediserr.Classify(err) == rediserr.ClassPermission || rediserr.UnknownCommand(err)
	if !answered {
		return broker.Topic{}, fmt.Errorf("connecting to Redis: %w", rediserr.Explain(err))
	}
	if err = CheckServer(ctx, client); err != nil {
		return broker.Topic{}, rediserr.Explain(err)
	}
	described, err := broker.NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return broker.Topic{}, rediserr.Explain(err)
	}
	return described, nil
}

// checkCreation checks that a topic without metadata can be created.
func checkCreation(ctx context.Context, client redis.UniversalClient, topic string, partitions int) error {
	if err := keys.ValidateTopic(topic, true); err != nil {
		return err
	}
	if err := keys.ValidatePartitions(partitions); err != nil {
		return err
	}
	create := slotCheck{
		keys:        []checkedKey{{keys.Metadata(topic), keys.KindMetadata}, {topic, keys.KindPlain}},
		permissions: requiredOf(client, onCreate...),
	}
	if err := firstError(runChecks(ctx, client, []slotCheck{create})); err != nil {
		return err
	}
	switch kind, err := client.Type(ctx, topic).Result(); {
	case err != nil:
		return fmt.Errorf("getting the type of key %s: %w", topic, rediserr.Explain(err))
	case kind != "none":
		return &broker.PlainStreamError{Name: topic, Type: kind}
	}
	return nil
}
