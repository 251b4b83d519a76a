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

// TopicDeletion says what is to be deleted.
type TopicDeletion struct {
	Topic string
	// Force deletes the topic though groups have live members.
	Force bool
	// DryRun only tells what would be deleted.
	DryRun bool
}

// DeletedTopic is a topic that was deleted, or would be.
type DeletedTopic struct {
	Topic      string             `json:"stream_name"`
	DryRun     bool               `json:"dry_run"`
	Partitions []DeletedPartition `json:"partitions"`
	Groups     []DeletedMembers   `json:"groups"`
	// Keys counts what rafka itself stored beside the streams.
	Keys int `json:"rafka_keys"`
}

// DeletedPartition is one stream of a topic.
type DeletedPartition struct {
	Partition int    `json:"partition_id"`
	Key       string `json:"key"`
	Entries   int64  `json:"entries"`
	// Bytes is the memory that the stream takes, as Redis estimates it; -1 if it does not tell.
	Bytes int64 `json:"bytes"`
}

// DeletedMembers is a group of a topic, and those of its members that are alive.
type DeletedMembers struct {
	Group   string   `json:"consumer_group"`
	Members []string `json:"members"`
}

// DeleteTopic deletes a topic, plain or partitioned: its streams, and all that rafka stores of it,
// of its groups and of its producers. It scans all keys for those that can't be told from the
// topic.
//
// Partitions go one by one, each with its leases at once, and the metadata go last, with the
// groups: a deletion that failed midway can be repeated. The error is a *TopicNotFoundError if
// there is nothing of the topic, and a *GroupAliveError if one of its groups has live members,
// unless it is forced; members that go on then wait for the topic to come back. Outputs that write
// to the topic can't be seen: they bring it back.
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
		return DeletedTopic{}, err // a key of another type among them
	}
	r := residueOf(topic, a.withoutMarks(ctx, names))
	deleted.Keys = r.size()
	if topic.Plain() && !states[0].Exists && deleted.Keys == 0 {
		return DeletedTopic{}, &TopicNotFoundError{Topic: d.Topic}
	}
	deleted.Partitions = a.partitionsOf(ctx, all, states)
	if d.DryRun {
		return deleted, nil
	}
	return deleted, a.unlink(ctx, topic, r)
}

// wholeTopic looks the topic up. The partition of another one is an error.
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
				"it is partition %d of topic %s: only the whole topic can be deleted",
				i,
				whole,
			)
		}
	}
	return topic, nil
}

// fillGroups finds the groups among the keys, and their members that are alive. It returns the
// topic with as many partitions as a group knows of, should it have lost its metadata.
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
	if err := send(ctx, pipe); err != nil {
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

// partitionsOf describes the streams. What memory they take is asked for by the way: whoever may
// not know that may delete them nevertheless.
func (a *Admin) partitionsOf(ctx context.Context, all []splits.Split, states []splits.State) []DeletedPartition {
	pipe := a.client.Pipeline()
	partitions := make([]DeletedPartition, len(all))
	usage := make([]*redis.IntCmd, len(all))
	for i, split := range all {
		partitions[i] = DeletedPartition{Partition: i, Key: split.Key, Entries: states[i].Length}
		usage[i] = pipe.MemoryUsage(ctx, split.Key)
	}
	_, _ = pipe.Exec(ctx) // each command has its error
	for i, asked := range usage {
		if err := asked.Err(); err == nil {
			partitions[i].Bytes = asked.Val()
		} else if !errors.Is(err, redis.Nil) {
			partitions[i].Bytes = -1
		}
	}
	return partitions
}
