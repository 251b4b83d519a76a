package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

// TopicNotFoundError is the error for a topic that has neither metadata nor a stream.
type TopicNotFoundError struct{ Topic string }

// Error names the topic.
func (e *TopicNotFoundError) Error() string {
	return fmt.Sprintf(
		"there is no topic %q: nothing was written to it yet, or it is on another server or in another database",
		e.Topic,
	)
}

// TopicDescription is a topic and the state of its partitions.
type TopicDescription struct {
	broker.Topic
	Partitions []PartitionDescription `json:"partitions"`
}

// PartitionDescription is the state of the stream of one partition.
type PartitionDescription struct {
	Partition int    `json:"partition_id"`
	Key       string `json:"key"`
	// Exists is false until something is written to the partition.
	Exists bool  `json:"exists"`
	Length int64 `json:"length"`
	// Added counts the entries ever added; -1 if the server does not report it.
	Added int64 `json:"added"`
	// First is the offset of the first entry, Last the last offset ever generated; zero if there is
	// none.
	First splits.Offset `json:"-"`
	Last  splits.Offset `json:"-"`
	// Error is why the state can't be read; the fields before it have no meaning then.
	Error string `json:"error,omitempty"`
}

// The JSON of descriptions is for people and for jq: offsets as "ms-seq", durations in
// milliseconds.

// MarshalJSON writes the description with its offsets as text.
func (p PartitionDescription) MarshalJSON() ([]byte, error) {
	type plain PartitionDescription // without this method
	return json.Marshal(struct {
		plain
		First string `json:"first"`
		Last  string `json:"last"`
	}{plain(p), p.First.String(), p.Last.String()})
}

// ListTopics returns the partitioned topics in the order of their names. It scans all keys, and
// does not find plain topics, because they have no metadata. If the metadata of some topics can't
// be read, it returns the other topics and a *PartialError.
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
	if err := execEach(ctx, pipe); err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	var topics []broker.Topic
	var damaged problemList
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		err := replyError(metadata[name])
		var topic broker.Topic
		if err == nil {
			topic, err = broker.ParseTopic(name, metadata[name].Val())
		}
		damaged.add("listing topic "+name, err)
		if err == nil && !topic.Plain() { // it can have been deleted since the scan
			topics = append(topics, topic)
		}
	}
	return topics, damaged.err()
}

// DescribeTopic describes a topic, plain or partitioned. The error is a *TopicNotFoundError if the
// topic does not exist. If the state of some partitions can't be read, it describes the others and
// returns a *PartialError.
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
	var damaged problemList
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

// errorText returns the text of an error, empty for nil.
func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// states returns the states of all splits. It fails if one of them can't be read.
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
