package admin

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// TopicDeletion are the arguments of DeleteTopic.
type TopicDeletion struct {
	Topic string
	// Force deletes the topic even if groups have live members.
	Force bool
	// DryRun deletes nothing and only returns the result.
	DryRun bool
}

// DeletedTopic is the result of DeleteTopic.
type DeletedTopic struct {
	Topic      string             `json:"stream_name"`
	DryRun     bool               `json:"dry_run"`
	Partitions []DeletedPartition `json:"partitions"`
	Groups     []DeletedMembers   `json:"groups"`
	// Keys is the number of keys next to the streams.
	Keys int `json:"rafka_keys"`
}

// DeletedPartition is one stream of a topic.
type DeletedPartition struct {
	Partition int    `json:"partition_id"`
	Key       string `json:"key"`
	Entries   int64  `json:"entries"`
	// Bytes is the memory of the stream, as Redis estimates it; -1 if Redis does not report it.
	Bytes int64 `json:"bytes"`
}

// DeletedMembers is a group of the topic and its live members.
type DeletedMembers struct {
	Group   string   `json:"consumer_group"`
	Members []string `json:"members"`
}

// DeleteTopic deletes a topic, plain or partitioned: its streams, and all keys of the topic, its
// groups and its producers. It scans all keys, because the topic's metadata do not name groups and
// producers.
//
// Partitions are deleted one by one, each together with its leases. The metadata and the groups are
// deleted last, so a deletion that failed can be repeated. The error is a *TopicNotFoundError if
// nothing of the topic is stored, and a *GroupAliveError if a group has live members and Force is
// false. With Force, live members wait until the topic exists again. DeleteTopic does not detect
// outputs that write to the topic: they create it again.
func (a *Admin) DeleteTopic(ctx context.Context, d TopicDeletion) (DeletedTopic, error) {
	if err := keys.ValidateTopic(d.Topic, false); err != nil {
		return DeletedTopic{}, err
	}
	deleted, err := a.deleteTopic(ctx, d)
	if err != nil {
		return DeletedTopic{}, fmt.Errorf("deleting topic %s: %w", d.Topic, err)
	}
	return deleted, nil
}

func (a *Admin) deleteTopic(ctx context.Context, d TopicDeletion) (DeletedTopic, error) {
	topic, err := a.wholeTopic(ctx, d.Topic)
	if err != nil {
		return DeletedTopic{}, err
	}
	names, err := a.scan(ctx, keys.OwnPattern(d.Topic))
	if err != nil {
		return DeletedTopic{}, err
	}
	deleted := DeletedTopic{Topic: d.Topic, DryRun: d.DryRun}
	if topic, err = a.fillGroups(ctx, &deleted, topic, names); err != nil {
		return DeletedTopic{}, err
	}
	if !d.Force {
		for _, g := range deleted.Groups {
			if len(g.Members) > 0 {
				return DeletedTopic{}, fmt.Errorf(
					"%w, or force it",
					&GroupAliveError{Topic: d.Topic, Group: g.Group, Members: g.Members},
				)
			}
		}
	}
	all := topic.Splits()
	states, err := a.states(ctx, all)
	if err != nil {
		return DeletedTopic{}, err // for example, a key has another type
	}
	leftover := leftoverKeysOf(topic, a.withoutMarks(ctx, names))
	deleted.Keys = leftover.size()
	if topic.Plain() && !states[0].Exists && deleted.Keys == 0 {
		return DeletedTopic{}, &TopicNotFoundError{Topic: d.Topic}
	}
	deleted.Partitions = a.partitionsOf(ctx, all, states)
	if d.DryRun {
		return deleted, nil
	}
	return deleted, a.unlink(ctx, topic, leftover)
}

// wholeTopic returns the topic. It fails if the name is a partition of another topic.
func (a *Admin) wholeTopic(ctx context.Context, name string) (broker.Topic, error) {
	topic, err := a.topics.Describe(ctx, name)
	if err != nil || !topic.Plain() {
		return topic, err
	}
	if whole, i, ok := keys.ParsePartition(name); ok && keys.ValidateTopic(whole, false) == nil {
		other, err := a.topics.Describe(ctx, whole)
		if err != nil {
			return broker.Topic{}, err
		}
		if i < other.Partitions {
			return broker.Topic{}, fmt.Errorf(
				"it is partition %d of topic %s: delete the whole topic instead",
				i,
				whole,
			)
		}
	}
	return topic, nil
}

// fillGroups finds the groups among the keys, and their live members. It returns the topic with the
// number of partitions that a group has seen, if the topic lost its metadata.
func (a *Admin) fillGroups(
	ctx context.Context,
	d *DeletedTopic,
	topic broker.Topic,
	names []string,
) (broker.Topic, error) {
	now, err := a.now(ctx)
	if err != nil {
		return topic, err
	}
	pipe := a.client.Pipeline()
	exists := pipe.Exists(ctx, topic.Name)
	var members []*redis.StringSliceCmd
	var counts []*redis.SliceCmd
	d.Groups = []DeletedMembers{}
	for _, key := range names {
		name, group, ok := keys.ParsePlan(key)
		if !ok || name != topic.Name {
			continue
		}
		d.Groups = append(d.Groups, DeletedMembers{Group: group})
		members = append(
			members,
			pipe.ZRangeByScore(ctx, keys.Members(name, group), &redis.ZRangeBy{Min: alive(now), Max: "+inf"}),
		)
		counts = append(counts, pipe.HMGet(ctx, key, "partitions"))
	}
	if err := exec(ctx, pipe); err != nil {
		return topic, err
	}
	orphaned := topic.Plain() && exists.Val() == 0
	for i := range d.Groups {
		d.Groups[i].Members = members[i].Val()
		if known, err := strconv.Atoi(script.Reply(counts[i].Val()).Word(0)); err == nil && orphaned {
			topic.Partitions = min(max(topic.Partitions, known), keys.MaxPartitions)
		}
	}
	return topic, nil
}

// partitionsOf describes the streams. It is not an error if the user may not run MEMORY USAGE.
func (a *Admin) partitionsOf(ctx context.Context, all []splits.Split, states []splits.State) []DeletedPartition {
	pipe := a.client.Pipeline()
	partitions := make([]DeletedPartition, len(all))
	usage := make([]*redis.IntCmd, len(all))
	for i, split := range all {
		partitions[i] = DeletedPartition{Partition: i, Key: split.Key, Entries: states[i].Length}
		usage[i] = pipe.MemoryUsage(ctx, split.Key)
	}
	_, _ = pipe.Exec(ctx) // each command has its error
	for i, used := range usage {
		if err := used.Err(); err == nil {
			partitions[i].Bytes = used.Val()
		} else if !errors.Is(err, redis.Nil) {
			partitions[i].Bytes = -1
		}
	}
	return partitions
}
