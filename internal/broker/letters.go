package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/rafka-streams/rafka/internal/appender"
)

// LetterWindow is how long a dead-letter topic knows the letters that were written to it, and a
// topic the letters that were replayed to it. None of them is written twice in this time.
const LetterWindow = 7 * 24 * time.Hour

// Letters writes dead letters to one topic. It is safe for concurrent use and does not close its
// client.
type Letters struct {
	topic   string
	topics  *Topics
	appends *Appends
}

// NewLetters returns Letters that write to a topic. The caller keeps ownership of the client.
func NewLetters(client redis.UniversalClient, topic string) *Letters {
	l := &Letters{
		topic:   topic,
		topics:  NewTopics(client),
		appends: NewAppends(client, AppendOptions{IDWindow: LetterWindow}),
	}
	l.appends.maxFields += letterFields // an entry with MaxFields can become a letter
	return l
}

// Write writes the letter, unless it was written within LetterWindow. A topic without metadata is a
// plain topic, whose stream Write creates. Letters with a key are partitioned by the key, as the
// output does it, and other letters by their ID. After an error, the letter may have been written:
// the caller repeats the call until it succeeds. Write blocks while the client waits for replies.
func (l *Letters) Write(ctx context.Context, letter Letter) error {
	if letter.Origin.Topic == l.topic {
		return fmt.Errorf(
			"writing a dead letter to %s: it comes from this topic: use another dead-letter topic",
			l.topic,
		)
	}
	err := l.write(ctx, letter)
	if errors.Is(err, errPartitioned) { // since the topic was looked up
		err = l.write(ctx, letter)
	}
	if err != nil {
		return fmt.Errorf("writing a dead letter to %s: %w", l.topic, err)
	}
	return nil
}

func (l *Letters) write(ctx context.Context, letter Letter) error {
	topic, err := l.topics.Describe(ctx, l.topic)
	if err != nil {
		return err
	}
	id, fields := letter.ID(), letter.Encode()
	result := l.appends.Append(ctx, []appender.Request{{
		Target:  targetOf(topic, fields, id),
		Records: []appender.Record{{Fields: fields, ID: id}},
	}})[0]
	return result.Err
}

// targetOf returns the partition of an entry: by its key, or by its message ID if it has no key.
func targetOf(topic Topic, fields []string, id string) appender.Target {
	key, _ := fieldOf(fields, KeyField)
	if key == "" {
		key = id
	}
	var keys KeyPartitioner
	split := topic.Split(keys.Choose(key, max(topic.Partitions, 1)))
	return appender.Target{Topic: topic.Name, Partition: split.Partition, Key: split.Key, Plain: topic.Plain()}
}
