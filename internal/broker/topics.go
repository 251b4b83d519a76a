package broker

import (
	"context"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script"
	"github.com/rafka-streams/rafka/splits"
)

// Topic is a logical stream. If Partitions is 0, the topic is plain: a Redis stream without
// metadata.
type Topic struct {
	Name string `json:"stream_name"`
	// Partitions is the number of partitions, 0 for a plain topic.
	Partitions int `json:"partitions"`
	// CreatedMS is when the topic was created, in Unix milliseconds by the server's clock. It is 0
	// for a plain topic.
	CreatedMS int64 `json:"created_ms,omitempty"`
}

// Plain reports whether the topic is a single stream without metadata.
func (t Topic) Plain() bool { return t.Partitions == 0 }

// Split returns partition i of the topic. A plain topic has only partition 0.
func (t Topic) Split(i int) splits.Split {
	if t.Plain() {
		return PlainSplit(t.Name)
	}
	return PartitionSplit(t.Name, i)
}

// Splits returns all partitions in ascending order.
func (t Topic) Splits() []splits.Split {
	all := make([]splits.Split, max(t.Partitions, 1))
	for i := range all {
		all[i] = t.Split(i)
	}
	return all
}

// PlainStreamError is the error of Create if a Redis key with the name of the topic already exists.
type PlainStreamError struct {
	Name string
	// Type is the Redis type of the key: "stream" or another type.
	Type string
}

// Error names the key, the type of the key, and the remedies.
func (e *PlainStreamError) Error() string {
	if e.Type == "stream" {
		return fmt.Sprintf(
			"stream_name %q is a plain stream already, which partitions would hide: leave partitions out to use it "+
				"as it is, use another stream_name, or rename the stream",
			e.Name,
		)
	}
	return fmt.Sprintf("stream_name %q is a key of type %s: use another stream_name or remove the key", e.Name, e.Type)
}

// Topics reads and creates the metadata of topics. It is safe for concurrent use and does not close
// its client.
type Topics struct {
	client redis.UniversalClient
}

// NewTopics returns Topics that use the client. The caller keeps ownership of the client.
func NewTopics(client redis.UniversalClient) *Topics { return &Topics{client: client} }

// Describe returns the topic as its metadata describes it. A topic without metadata is plain,
// whether or not its stream exists. If the metadata is invalid, Describe returns an error that
// names the key of the metadata.
func (t *Topics) Describe(ctx context.Context, name string) (Topic, error) {
	if err := keys.ValidateTopic(name, false); err != nil {
		return Topic{}, err
	}
	key := keys.Metadata(name)
	metadata, err := t.client.HGetAll(ctx, key).Result()
	if err != nil {
		return Topic{}, fmt.Errorf("reading topic %s, key %s: %w", name, key, rediserr.Explain(err))
	}
	return ParseTopic(name, metadata)
}

// Create creates a partitioned topic. If the topic already exists, Create returns the existing
// topic with created false. The number of partitions of an existing topic can differ from the
// argument. The error is a *PlainStreamError if a key with the name of the topic exists.
func (t *Topics) Create(ctx context.Context, name string, partitions int) (topic Topic, created bool, err error) {
	if err := keys.ValidateTopic(name, true); err != nil {
		return Topic{}, false, err
	}
	if err := keys.ValidatePartitions(partitions); err != nil {
		return Topic{}, false, err
	}
	value, err := createTopicScript.Run(
		ctx,
		t.client,
		[]string{keys.Metadata(name), name},
		partitions,
		keys.TopicChannel(name),
	)
	if err != nil {
		return Topic{}, false, fmt.Errorf("creating topic %s: %w", name, rediserr.Explain(err))
	}
	reply := script.ReplyOf(value)
	switch reply.Word(0) {
	case "PLAIN":
		return Topic{}, false, &PlainStreamError{Name: name, Type: reply.Word(1)}
	case "CREATED":
		created = true
	case "EXISTS":
	default:
		return Topic{}, false, fmt.Errorf("creating topic %s: %w", name, script.Unexpected(createTopicScript, value))
	}
	topic, err = t.Describe(ctx, name)
	return topic, created, err
}

// ParseTopic decodes the metadata of a topic.
func ParseTopic(name string, metadata map[string]string) (Topic, error) {
	topic := Topic{Name: name}
	if len(metadata) == 0 {
		return topic, nil
	}
	var err error
	topic.Partitions, err = strconv.Atoi(metadata["partitions"])
	if err != nil || keys.ValidatePartitions(topic.Partitions) != nil {
		return Topic{}, DamagedField(
			keys.Metadata(name),
			"partitions",
			metadata["partitions"],
			"a number from 1 to "+strconv.Itoa(keys.MaxPartitions),
		)
	}
	if text, ok := metadata["created_ms"]; ok {
		if topic.CreatedMS, err = strconv.ParseInt(text, 10, 64); err != nil {
			return Topic{}, DamagedField(keys.Metadata(name), "created_ms", text, "a time in Unix milliseconds")
		}
	}
	return topic, nil
}

// DamagedField returns the error for a field of a rafka key whose value rafka cannot have written.
func DamagedField(key, field, value, want string) error {
	return fmt.Errorf("field %s of key %s is %.100q, want %s: correct it with HSET", field, key, value, want)
}

// PlainSplit returns the only split of a topic without metadata.
func PlainSplit(topic string) splits.Split {
	return splits.Split{Topic: topic, Partition: 0, Key: topic}
}

// PartitionSplit returns split i of a partitioned topic.
func PartitionSplit(topic string, i int) splits.Split {
	return splits.Split{Topic: topic, Partition: i, Key: keys.Partition(topic, i)}
}
