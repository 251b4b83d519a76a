package admin

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Admin looks at topics and groups for people and tools, and changes those that are there. It is
// safe for concurrent use and does not close its client.
type Admin struct {
	client redis.UniversalClient
	topics *broker.Topics
	log    *broker.Log
}

// New returns an Admin on the client, which stays the caller's.
func New(client redis.UniversalClient) *Admin {
	return &Admin{client: client, topics: broker.NewTopics(client), log: broker.NewLog(client, client)}
}

// TopicNotFoundError is the answer for a topic that has neither metadata nor a stream.
type TopicNotFoundError struct{ Topic string }

// Error names the topic.
func (e *TopicNotFoundError) Error() string {
	return fmt.Sprintf(
		"there is no topic %q: nothing was written to it yet, or it is on another server or database",
		e.Topic,
	)
}

// TopicDescription is a topic and what its partitions hold.
type TopicDescription struct {
	broker.Topic
	Partitions []PartitionDescription `json:"partitions"`
}

// PartitionDescription is what the stream of one partition looks like.
type PartitionDescription struct {
	Partition int    `json:"partition_id"`
	Key       string `json:"key"`
	// Exists is false as long as nothing was written to the partition.
	Exists bool  `json:"exists"`
	Length int64 `json:"length"`
	// Added counts the entries ever added; -1 if the server does not tell.
	Added int64 `json:"added"`
	// First is the offset of the first entry that is there, Last the last one ever generated; zero
	// if there is none.
	First splits.Offset `json:"-"`
	Last  splits.Offset `json:"-"`
	// Error says why the partition can't be looked at; the fields before it say nothing then.
	Error string `json:"error,omitempty"`
}

// ListTopics returns the partitioned topics in the order of their names. It scans all keys; plain
// topics have no metadata to be found by. The error is a *PartialError if topics are missing since
// their metadata can't be read: the others are returned.
func (a *Admin) ListTopics(ctx context.Context) ([]broker.Topic, error) {
	names, err := a.scan(ctx, keys.MetadataPattern)
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	pipe := a.client.Pipeline()
	metadata := map[string]*redis.MapStringStringCmd{}
	for _, key := range names {
		if name, ok := keys.ParseMetadata(key); ok {
			metadata[name] = pipe.HGetAll(ctx, key)
		}
	}
	if err := ask(ctx, pipe); err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	var topics []broker.Topic
	var damaged problems
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		err := answerOf(metadata[name])
		var topic broker.Topic
		if err == nil {
			topic, err = broker.ParseTopic(name, metadata[name].Val())
		}
		damaged.add("listing topic "+name, err)
		if err == nil && !topic.Plain() { // it may have gone since the scan
			topics = append(topics, topic)
		}
	}
	return topics, damaged.err()
}

// DescribeTopic describes a topic, plain or partitioned. The error is a *TopicNotFoundError if
// there is no such topic, and a *PartialError if partitions can't be looked at: the others are
// described.
func (a *Admin) DescribeTopic(ctx context.Context, name string) (TopicDescription, error) {
	topic, err := a.topics.Describe(ctx, name)
	if err != nil {
		return TopicDescription{}, err
	}
	all := topic.Splits()
	states, err := a.log.State(ctx, all)
	if err == nil && topic.Plain() {
		err = states[0].Err
	}
	if err != nil {
		return TopicDescription{}, fmt.Errorf("describing topic %s: %w", name, err)
	}
	if topic.Plain() && !states[0].Exists {
		return TopicDescription{}, &TopicNotFoundError{Topic: name}
	}
	d := TopicDescription{Topic: topic, Partitions: make([]PartitionDescription, len(all))}
	var damaged problems
	for i, s := range states {
		d.Partitions[i] = PartitionDescription{
			Partition: i,
			Key:       all[i].Key,
			Exists:    s.Exists,
			Length:    s.Length,
			Added:     s.EntriesAdded,
			First:     s.First,
			Last:      s.Last,
			Error:     errorText(s.Err),
		}
		damaged.add("describing topic "+name, s.Err)
	}
	return d, damaged.err()
}

// errorText is the text of an error, empty if there is none.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// states asks for the states of all splits; one that cannot be asked is an error.
func (a *Admin) states(ctx context.Context, all []splits.Split) ([]splits.State, error) {
	states, err := a.log.State(ctx, all)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		if s.Err != nil {
			return nil, s.Err
		}
	}
	return states, nil
}

// GroupSummary is one group of one topic.
type GroupSummary struct {
	Topic string `json:"stream_name"`
	Group string `json:"consumer_group"`
	// Type is ConsumerGroup or ShareGroup.
	Type string `json:"group_type"`
	// Members counts those that are alive.
	Members int `json:"members"`
}

// ListGroups returns the groups of a topic, or of all topics if topic is "", in the order of their
// names. It scans all keys. A topic without groups has an empty list, and so has one that does not
// exist. The error is a *PartialError if groups are missing since they can't be read: the others
// are returned.
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
	var asked []groupAnswers
	for _, key := range names {
		name, group, ok := keys.ParsePlan(key)
		if !ok || (topic != "" && name != topic) {
			continue
		}
		asked = append(asked, groupAnswers{
			topic: name,
			group: group,
			plan: pipe.HMGet(
				ctx,
				key,
				"group_type",
				"version",
			),
			members: pipe.ZCount(ctx, keys.Members(name, group), alive(now), "+inf"),
		})
	}
	if err := ask(ctx, pipe); err != nil {
		return nil, fmt.Errorf("listing groups: %w", err)
	}
	var found []GroupSummary
	var damaged problems
	for _, answers := range asked {
		summary, err := answers.summary()
		damaged.add(fmt.Sprintf("listing group %s of topic %s", answers.group, answers.topic), err)
		if err == nil && summary.Type != "" {
			found = append(found, summary)
		}
	}
	slices.SortFunc(found, func(a, b GroupSummary) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Group, b.Group))
	})
	return found, damaged.err()
}

// groupAnswers are the answers to what is asked of one group.
type groupAnswers struct {
	topic, group string
	plan         *redis.SliceCmd
	members      *redis.IntCmd
}

// summary makes one of the answers. It has no type if the group has gone since the scan.
func (g groupAnswers) summary() (GroupSummary, error) {
	if err := answerOf(g.plan); err != nil {
		return GroupSummary{}, err
	}
	if err := answerOf(g.members); err != nil {
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

// scan returns the keys that match, on a cluster those of all masters. They may hold anything: a
// key of ours that another program has overwritten is to be named, and not passed over.
func (a *Admin) scan(ctx context.Context, pattern string) ([]string, error) {
	var mu sync.Mutex // masters are scanned at the same time
	found := map[string]struct{}{}
	scanNode := func(ctx context.Context, node redis.Cmdable) error {
		names := node.Scan(ctx, 0, pattern, 1000).Iterator()
		for names.Next(ctx) {
			mu.Lock()
			found[names.Val()] = struct{}{} // SCAN may return a key twice
			mu.Unlock()
		}
		return names.Err()
	}
	var err error
	if cluster, ok := a.client.(*redis.ClusterClient); ok {
		err = cluster.ForEachMaster(
			ctx,
			func(ctx context.Context, node *redis.Client) error { return scanNode(ctx, node) },
		)
	} else {
		err = scanNode(ctx, a.client)
	}
	if err != nil {
		return nil, rediserr.Explain(err)
	}
	return slices.Sorted(maps.Keys(found)), nil
}

// now is the server's time in Unix milliseconds.
func (a *Admin) now(ctx context.Context) (int64, error) {
	now, err := a.client.Time(ctx).Result()
	if err != nil {
		return 0, rediserr.Explain(err)
	}
	return now.UnixMilli(), nil
}

// alive is the lower bound of the deadlines of members that are alive.
func alive(now int64) string { return "(" + strconv.FormatInt(now, 10) }

// send sends a pipeline, if there is anything in it; the error is that of the first command that
// failed.
func send(ctx context.Context, pipe redis.Pipeliner) error {
	if pipe.Len() == 0 {
		return nil
	}
	commands, err := pipe.Exec(ctx)
	for _, c := range commands {
		if class := rediserr.Classify(c.Err()); class == rediserr.ClassPermission || class == rediserr.ClassWrongType {
			return answerOf(c)
		}
	}
	return rediserr.Explain(err)
}

// answerOf is the error of a command that has its keys first, or nothing but keys. A server that
// denies a key, or finds another type there, does not say which key it is.
func answerOf(c redis.Cmder) error {
	err := rediserr.Explain(c.Err())
	args := c.Args()
	if class := rediserr.Classify(
		err,
	); class != rediserr.ClassPermission && class != rediserr.ClassWrongType ||
		len(args) < 2 {
		return err
	}
	if c.Name() == "unlink" && len(args) > 2 {
		return fmt.Errorf("keys %v: %w", args[1:], err)
	}
	return fmt.Errorf("key %v: %w", args[1], err)
}
