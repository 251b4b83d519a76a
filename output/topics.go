package output

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/internal/broker"
)

const (
	// topicTTL is how long the state of a topic is used without looking it up again.
	topicTTL = 10 * time.Second
	// refreshTimeout limits the lookup of a known topic, because messages wait for it.
	refreshTimeout = time.Second
)

// topicStore looks up and creates topics in Redis.
type topicStore interface {
	Describe(ctx context.Context, name string) (broker.Topic, error)
	Create(ctx context.Context, name string, partitions int) (broker.Topic, bool, error)
}

// topics caches the state of the topics that were written to. A topic that was partitioned once is
// never treated as plain again: if its metadata is missing in Redis, topics writes the metadata
// back.
type topics struct {
	store topicStore
	// partitions is the field partitions: topics without metadata are created with this many
	// partitions, or stay plain if it is 0.
	partitions int
	log        *service.Logger
	now        func() time.Time

	mu sync.Mutex
	// known forgets idle topics. A forgotten topic is handled like a new one, even if it was
	// partitioned.
	known *topicCache[*knownTopic]
}

// knownTopic is guarded by topics.mu.
type knownTopic struct {
	topic broker.Topic
	// checked is when the topic was last looked up. If it is zero, the topic must be looked up
	// before it is used again.
	checked time.Time
	// warned is true if a difference to the field partitions was logged. orphaned is true if it was
	// logged that the metadata can't be written back.
	warned, orphaned bool
}

func newTopics(store topicStore, partitions int, log *service.Logger) *topics {
	t := &topics{store: store, partitions: partitions, log: log, now: time.Now}
	t.known = newTopicCache[*knownTopic](func() time.Time { return t.now() })
	return t
}

// get returns the topic. It looks up the topic if that is not known or has not been looked up for
// topicTTL. If looking up a known topic fails, get returns what is known.
func (t *topics) get(ctx context.Context, name string) (broker.Topic, error) {
	t.mu.Lock()
	k, _ := t.known.get(name)
	if k != nil && !k.checked.IsZero() {
		topic, fresh := k.topic, t.now().Sub(k.checked) < topicTTL
		if !fresh {
			k.checked = t.now() // concurrent calls use what is known meanwhile
		}
		t.mu.Unlock()
		if fresh {
			return topic, nil
		}
		looking, cancel := context.WithTimeout(ctx, refreshTimeout)
		defer cancel()
		seen, err := t.refresh(looking, name)
		if err != nil {
			t.log.Debugf("Using what is known of topic %q, because looking it up failed: %v", name, err)
			return topic, nil
		}
		return seen, nil
	}
	t.mu.Unlock()
	return t.refresh(ctx, name)
}

// expire makes the next use of the topic look it up.
func (t *topics) expire(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k, ok := t.known.get(name); ok {
		k.checked = time.Time{}
	}
}

// refresh looks up the topic and stores the result. If the topic has no metadata, refresh writes
// back the known metadata, or creates the topic with the configured partitions.
func (t *topics) refresh(ctx context.Context, name string) (broker.Topic, error) {
	topic, err := t.store.Describe(ctx, name)
	if err != nil {
		return broker.Topic{}, fmt.Errorf("looking up topic %q: %w", name, err)
	}
	if !topic.Plain() {
		t.clearOrphaned(name)
		return t.update(topic), nil
	}
	remembered, lost := t.lastPartitioned(name)
	switch {
	case lost:
		return t.restore(ctx, remembered)
	case t.partitions > 0:
		return t.create(ctx, name)
	}
	return t.update(topic), nil
}

// partitions returns a number of partitions in words.
func partitions(n int) string {
	if n == 1 {
		return "1 partition"
	}
	return fmt.Sprintf("%d partitions", n)
}

func (t *topics) create(ctx context.Context, name string) (broker.Topic, error) {
	topic, created, err := t.store.Create(ctx, name, t.partitions)
	if err != nil {
		return broker.Topic{}, fmt.Errorf("creating topic %q with %s, as the field partitions says: %w",
			name, partitions(t.partitions), err)
	}
	if created {
		t.log.Infof("Created topic %q with %s", name, partitions(topic.Partitions))
	}
	return t.update(topic), nil
}

// restore writes back the metadata of a topic that lost it (FLUSHALL, a deleted key), so that
// readers find its partitions again.
func (t *topics) restore(ctx context.Context, lost broker.Topic) (broker.Topic, error) {
	topic, created, err := t.store.Create(ctx, lost.Name, lost.Partitions)
	if plain := (*broker.PlainStreamError)(nil); errors.As(err, &plain) {
		if t.markOrphaned(lost.Name) {
			t.log.Warnf(
				"The metadata of topic %q is gone from Redis, flushed or deleted, and can't be written back. "+
					"Writing continues with %s: %v",
				lost.Name,
				partitions(lost.Partitions),
				err,
			)
		}
		return t.update(lost), nil
	}
	if err != nil {
		return broker.Topic{}, fmt.Errorf("writing back the metadata of topic %q: %w", lost.Name, err)
	}
	if created {
		t.log.Warnf("The metadata of topic %q was gone from Redis, flushed or deleted: wrote it back with %s",
			topic.Name, partitions(topic.Partitions))
	}
	return t.update(topic), nil
}

// markOrphaned records that the metadata can't be written back. It returns true the first time
// since clearOrphaned.
func (t *topics) markOrphaned(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.known.get(name)
	if !ok {
		return true
	}
	first := !k.orphaned
	k.orphaned = true
	return first
}

// clearOrphaned records that the topic has metadata.
func (t *topics) clearOrphaned(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if k, ok := t.known.get(name); ok {
		k.orphaned = false
	}
}

// lastPartitioned returns the known topic if it has partitions.
func (t *topics) lastPartitioned(name string) (broker.Topic, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k, ok := t.known.get(name)
	if !ok || k.topic.Plain() {
		return broker.Topic{}, false
	}
	return k.topic, true
}

// update stores the topic. It warns once if the number of partitions differs from the field
// partitions.
func (t *topics) update(topic broker.Topic) broker.Topic {
	t.mu.Lock()
	k, ok := t.known.get(topic.Name)
	if !ok {
		k = &knownTopic{}
		t.known.set(topic.Name, k)
	}
	k.topic, k.checked = topic, t.now()
	differs := t.partitions > 0 && !topic.Plain() && topic.Partitions != t.partitions
	warn := differs && !k.warned
	k.warned = differs
	t.mu.Unlock()
	if warn {
		t.log.Warnf(
			"Topic %q has %s and keeps this number: the field partitions (%d) applies only when a topic is created",
			topic.Name,
			partitions(topic.Partitions),
			t.partitions,
		)
	}
	return topic
}
