package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script"
)

// GroupSummary is one group of one topic.
type GroupSummary struct {
	Topic string `json:"stream_name"`
	Group string `json:"consumer_group"`
	// Type is ConsumerGroup or ShareGroup.
	Type string `json:"group_type"`
	// Members is the number of live members.
	Members int `json:"members"`
}

// ListGroups returns the groups of a topic, or of all topics if topic is "", in the order of their
// names. It scans all keys. For a topic that does not exist it returns no groups. If some groups
// can't be read, it returns the other groups and a *PartialError.
func (a *Admin) ListGroups(ctx context.Context, topic string) ([]GroupSummary, error) {
	if topic != "" {
		if err := keys.ValidateTopic(topic, false); err != nil {
			return nil, err
		}
	}
	names, err := a.scan(ctx, keys.PlanPattern(topic))
	if err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	now, err := a.now(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	pipe := a.client.Pipeline()
	var replies []groupReplies
	for _, key := range names {
		name, group, ok := keys.ParsePlan(key)
		if !ok || (topic != "" && name != topic) {
			continue
		}
		replies = append(replies, groupReplies{
			topic:   name,
			group:   group,
			plan:    pipe.HMGet(ctx, key, "group_type", "version"),
			members: pipe.ZCount(ctx, keys.Members(name, group), alive(now), "+inf"),
		})
	}
	if err := execEach(ctx, pipe); err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	var found []GroupSummary
	var damaged problemList
	for _, r := range replies {
		summary, err := r.summary()
		damaged.add(fmt.Sprintf("listing group %s of topic %s", r.group, r.topic), err)
		if err == nil && summary.Type != "" {
			found = append(found, summary)
		}
	}
	slices.SortFunc(found, func(a, b GroupSummary) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Group, b.Group))
	})
	return found, damaged.err()
}

// groupReplies are the replies about one group.
type groupReplies struct {
	topic, group string
	plan         *redis.SliceCmd
	members      *redis.IntCmd
}

// summary decodes the replies. Its type is empty if the group was deleted since the scan.
func (g groupReplies) summary() (GroupSummary, error) {
	if err := replyError(g.plan); err != nil {
		return GroupSummary{}, err
	}
	if err := replyError(g.members); err != nil {
		return GroupSummary{}, err
	}
	stored := script.Reply(g.plan.Val())
	kind := stored.Word(0)
	if kind == "" && stored.Word(1) != "" {
		return GroupSummary{}, broker.DamagedField(
			keys.Plan(g.topic, g.group),
			"group_type",
			"",
			broker.ConsumerGroup+" or "+broker.ShareGroup,
		)
	}
	return GroupSummary{Topic: g.topic, Group: g.group, Type: kind, Members: int(g.members.Val())}, nil
}

// topicAndGroup is a topic and a group that reads it.
type topicAndGroup struct {
	// topic has the number of partitions that the group has seen, if the topic lost its metadata.
	topic broker.Topic
	// kind is the type of the group, "" if the group does not exist.
	kind    string
	version uint64
}

// lookUp reads a topic and a group. Neither of them has to exist.
func (a *Admin) lookUp(ctx context.Context, topic, group string) (t topicAndGroup, err error) {
	if t.topic, err = a.topics.Describe(ctx, topic); err != nil {
		return t, err
	}
	fields := a.client.HMGet(ctx, keys.Plan(topic, group), "group_type", "version", "partitions")
	if fields.Err() != nil {
		return t, replyError(fields)
	}
	stored := script.Reply(fields.Val())
	if t.kind = stored.Word(0); t.kind == "" {
		t.kind, err = a.kindOfLost(ctx, t.topic, group)
		return t, err
	}
	if t.version, err = stored.Number(1); err != nil {
		return t, broker.DamagedField(keys.Plan(topic, group), "version", stored.Word(1), "a number")
	}
	if t.topic.Plain() { // or it lost its metadata
		t.topic.Partitions, err = strconv.Atoi(stored.Word(2))
		if err != nil || t.topic.Partitions < 0 || t.topic.Partitions > keys.MaxPartitions {
			return t, broker.DamagedField(keys.Plan(topic, group), "partitions", stored.Word(2), "a number")
		}
	}
	return t, nil
}

// kindOfLost returns the type of a group whose own key does not exist: it is a share group if a
// partition has something of a share group. Otherwise it is "".
func (a *Admin) kindOfLost(ctx context.Context, topic broker.Topic, group string) (string, error) {
	pipe := a.client.Pipeline()
	all := topic.Splits()
	generations := make([]*redis.StringCmd, len(all))
	for i, split := range all {
		generations[i] = pipe.HGet(ctx, keys.Share(split.Key, group), "generation")
	}
	if err := execEach(ctx, pipe); err != nil {
		return "", err
	}
	for _, generation := range generations {
		if err := generation.Err(); err != nil && !errors.Is(err, redis.Nil) {
			return "", replyError(generation)
		} else if err == nil {
			return broker.ShareGroup, nil
		}
	}
	return "", nil
}
