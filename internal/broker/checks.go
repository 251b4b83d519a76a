package broker

import (
	"context"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/splits"
)

// CheckReader makes sure, without writing anything, that the topic can be read by the group: the
// server answers and is new enough, the keys hold what they should, and the user may do what is
// needed. The error says what is missing and the remedy. A partition whose node of a cluster is
// away is no error: the reader reports it and reads the others. What rafka can do without is for
// LacksOfReader.
func CheckReader(ctx context.Context, client redis.UniversalClient, topic, group string) error {
	if err := ValidateGroup(group); err != nil {
		return err
	}
	described, err := checkTopic(ctx, client, topic)
	if err != nil {
		return err
	}
	probes := readerProbes(client, described, group)
	probes[0].trials = []command{{"ZREM", 2, ""}} // no member has an empty name
	if err := firstError(runProbes(ctx, client, probes[:1])); err != nil && !slotMoves(err) {
		return err
	}
	if err := firstLasting(runProbes(ctx, client, probes[1:])); err != nil {
		return err
	}
	return ctx.Err()
}

// readerProbes ask about the group, and then about each partition.
func readerProbes(client redis.UniversalClient, topic Topic, group string) []probe {
	probes := []probe{{
		keys: []probeKey{
			{
				planKey(topic.Name, group),
				planKind,
			},
			{membersKey(topic.Name, group), membersKind},
			{topicKey(topic.Name), metadataKind},
		},
		rights: requiredOf(client, onGroup...),
	}}
	if topic.Plain() {
		probes[0].keys = append(probes[0].keys, probeKey{topic.Name, plainKind})
	}
	for _, split := range topic.Splits() {
		probes = append(probes, probe{
			keys:   []probeKey{{split.Key, streamKind}, {leaseKey(split.Key, group), leaseKind}},
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
	if slices.ContainsFunc(errs, func(err error) bool { return err == nil || slotMoves(err) }) {
		return nil
	}
	return errs[0]
}

// firstLasting is the first error that does not pass by itself.
func firstLasting(errs []error) error {
	for _, err := range errs {
		switch Classify(err) {
		case ClassNone, ClassConnection, ClassTransient:
		default:
			return err
		}
	}
	return nil
}

// appendProbe asks about one partition. The metadata are looked at in the same script for a plain
// topic only: those of another may lie in another slot.
func appendProbe(client redis.UniversalClient, topic Topic, split splits.Split) probe {
	p := probe{
		keys:   []probeKey{{split.Key, streamKind}, {producerKey(split.Key, "check"), producerKind}},
		rights: requiredOf(client, onAppend...),
		trials: []command{
			{"XADD", 1, "0-0", "f", "v"},               // no entry can have that ID
			{"XADD", 1, "NOMKSTREAM", "0-1", "f", "v"}, // refused in other words by a stream that has no ID left
		},
	}
	if topic.Plain() {
		p.keys = append(p.keys, probeKey{topicKey(topic.Name), metadataKind})
	}
	return p
}

// checkTopic reaches the server, checks its version and reads the topic's metadata.
func checkTopic(ctx context.Context, client redis.UniversalClient, topic string) (Topic, error) {
	err := client.Ping(ctx).Err()
	// a refusal is an answer too
	if refused := Classify(err) == ClassPermission || unknownCommand(err); err != nil && !refused {
		return Topic{}, fmt.Errorf("connecting to Redis: %w", Explain(err))
	}
	if err = CheckServer(ctx, client); err != nil {
		return Topic{}, Explain(err)
	}
	described, err := NewTopics(client).Describe(ctx, topic)
	if err != nil {
		return Topic{}, Explain(err)
	}
	return described, nil
}

func checkCreation(ctx context.Context, client redis.UniversalClient, topic string, partitions int) error {
	if err := ValidateTopic(topic, true); err != nil {
		return err
	}
	if err := validatePartitions(partitions); err != nil {
		return err
	}
	create := probe{
		keys:   []probeKey{{topicKey(topic), metadataKind}, {topic, plainKind}},
		rights: requiredOf(client, onCreate...),
	}
	if err := firstError(runProbes(ctx, client, []probe{create})); err != nil {
		return err
	}
	switch kind, err := client.Type(ctx, topic).Result(); {
	case err != nil:
		return fmt.Errorf("asking for the type of key %s: %w", topic, Explain(err))
	case kind != "none":
		return &PlainStreamError{Name: topic, Type: kind}
	}
	return nil
}
