package access

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

// CheckReader makes sure, without writing anything, that the topic can be read by the group: the
// server answers and is new enough, the keys hold what they should, and the user may do what is
// needed. The error says what is missing and the remedy. A partition whose node of a cluster is
// away is no error: the reader reports it and reads the others. What rafka can do without is for
// LacksOfReader.
func CheckReader(ctx context.Context, client redis.UniversalClient, topic, group string) error {
	if err := keys.ValidateGroup(group); err != nil {
		return err
	}
	described, err := checkTopic(ctx, client, topic)
	if err != nil {
		return err
	}
	probes := readerProbes(client, described, group)
	probes[0].trials = []command{{"ZREM", 2, ""}} // no member has an empty name
	if err := firstError(runProbes(ctx, client, probes[:1])); err != nil && !rediserr.SlotMoves(err) {
		return err
	}
	if err := firstLasting(runProbes(ctx, client, probes[1:])); err != nil {
		return err
	}
	return ctx.Err()
}

// readerProbes ask about the group, and then about each partition.
func readerProbes(client redis.UniversalClient, topic broker.Topic, group string) []probe {
	probes := []probe{{
		keys: []probeKey{
			{
				keys.Plan(topic.Name, group),
				keys.KindPlan,
			},
			{keys.Members(topic.Name, group), keys.KindMembers},
			{keys.Metadata(topic.Name), keys.KindMetadata},
		},
		rights: requiredOf(client, onGroup...),
	}}
	if topic.Plain() {
		probes[0].keys = append(probes[0].keys, probeKey{topic.Name, keys.KindPlain})
	}
	for _, split := range topic.Splits() {
		probes = append(probes, probe{
			keys:   []probeKey{{split.Key, keys.KindStream}, {keys.Lease(split.Key, group), keys.KindLease}},
			rights: requiredOf(client, onSplit...),
		})
	}
	return probes
}

// CheckWriter makes sure, without writing anything, that the topic can be written, as CheckReader
// does for reading. partitions is the number with which the topic is to be created if it has no
// metadata, 0 if it is to be used as it is. A plain stream in the way is a *PlainStreamError. Of
// the nodes of a cluster that have partitions one at least must be within reach, besides that of
// the topic.
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
	var probes []probe
	for _, split := range described.Splits() {
		probes = append(probes, appendProbe(client, described, split))
	}
	errs := runProbes(ctx, client, probes)
	if err := firstLasting(errs); err != nil {
		return err
	}
	if slices.ContainsFunc(errs, func(err error) bool { return err == nil || rediserr.SlotMoves(err) }) {
		return nil
	}
	return errs[0]
}

// firstLasting is the first error that does not pass by itself.
func firstLasting(errs []error) error {
	for _, err := range errs {
		switch rediserr.Classify(err) {
		case rediserr.ClassNone, rediserr.ClassConnection, rediserr.ClassTransient:
		default:
			return err
		}
	}
	return nil
}

// appendProbe asks about one partition. The metadata are looked at in the same script for a plain
// topic only: those of another may lie in another slot.
func appendProbe(client redis.UniversalClient, topic broker.Topic, split splits.Split) probe {
	p := probe{
		keys:   []probeKey{{split.Key, keys.KindStream}, {keys.Producer(split.Key, "check"), keys.KindProducer}},
		rights: requiredOf(client, onAppend...),
		trials: []command{
			{"XADD", 1, "0-0", "f", "v"},               // no entry can have that ID
			{"XADD", 1, "NOMKSTREAM", "0-1", "f", "v"}, // refused in other words by a stream that has no ID left
		},
	}
	if topic.Plain() {
		p.keys = append(p.keys, probeKey{keys.Metadata(topic.Name), keys.KindMetadata})
	}
	return p
}

// checkTopic reaches the server, checks its version and reads the topic's metadata.
func checkTopic(ctx context.Context, client redis.UniversalClient, topic string) (broker.Topic, error) {
	err := client.Ping(ctx).Err()
	// a refusal is an answer too
	if refused := rediserr.Classify(err) == rediserr.ClassPermission ||
		rediserr.UnknownCommand(err); err != nil &&
		!refused {
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

func checkCreation(ctx context.Context, client redis.UniversalClient, topic string, partitions int) error {
	if err := keys.ValidateTopic(topic, true); err != nil {
		return err
	}
	if err := keys.ValidatePartitions(partitions); err != nil {
		return err
	}
	create := probe{
		keys:   []probeKey{{keys.Metadata(topic), keys.KindMetadata}, {topic, keys.KindPlain}},
		rights: requiredOf(client, onCreate...),
	}
	if err := firstError(runProbes(ctx, client, []probe{create})); err != nil {
		return err
	}
	switch kind, err := client.Type(ctx, topic).Result(); {
	case err != nil:
		return fmt.Errorf("asking for the type of key %s: %w", topic, rediserr.Explain(err))
	case kind != "none":
		return &broker.PlainStreamError{Name: topic, Type: kind}
	}
	return nil
}
