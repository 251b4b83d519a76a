package output

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/rediserr"
)

// fakeTopics is a topicStore that the test changes.
type fakeTopics struct {
	partitions map[string]int
	plain      map[string]bool
	err        error
	described  int
}

func (f *fakeTopics) Describe(_ context.Context, name string) (broker.Topic, error) {
	f.described++
	return broker.Topic{Name: name, Partitions: f.partitions[name]}, f.err
}

func (f *fakeTopics) Create(_ context.Context, name string, partitions int) (broker.Topic, bool, error) {
	if f.plain[name] {
		return broker.Topic{}, false, &broker.PlainStreamError{Name: name, Type: "stream"}
	}
	_, exists := f.partitions[name]
	if !exists {
		f.partitions[name] = partitions
	}
	return broker.Topic{Name: name, Partitions: f.partitions[name]}, !exists, nil
}

func newFakeTopics(partitions int) (*topics, *fakeTopics, *clock, *journal) {
	store := &fakeTopics{partitions: map[string]int{}, plain: map[string]bool{}}
	j, c := &journal{}, &clock{at: time.Unix(1000, 0)}
	known := newTopics(store, partitions, j.Resources().Logger())
	known.now = c.now
	return known, store, c, j
}

func TestTopicIsLookedUpEveryTenSeconds(t *testing.T) {
	known, store, clock, _ := newFakeTopics(0)
	store.partitions["a"] = 3
	for range 5 {
		topic, err := known.get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 3, topic.Partitions)
	}
	assert.Equal(t, 1, store.described)
	store.partitions["a"] = 5
	clock.at = clock.at.Add(topicTTL)
	topic, err := known.get(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, 5, topic.Partitions)
}

func TestKnownTopicSurvivesFailedLookups(t *testing.T) {
	known, store, clock, _ := newFakeTopics(0)
	store.partitions["a"] = 3
	_, err := known.get(t.Context(), "a")
	require.NoError(t, err)
	store.err = errors.New("away")
	clock.at = clock.at.Add(topicTTL)
	topic, err := known.get(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, 3, topic.Partitions)
	_, err = known.get(t.Context(), "b")
	require.Error(t, err)
	known.expire("a")
	_, err = known.get(t.Context(), "a")
	require.Error(t, err, "an expired topic is not used from the cache")
}

func TestPartitionedTopicNeverBecomesPlainAgain(t *testing.T) {
	known, store, _, journal := newFakeTopics(0)
	store.partitions["a"] = 3
	_, err := known.get(t.Context(), "a")
	require.NoError(t, err)

	delete(store.partitions, "a")
	known.expire("a")
	topic, err := known.get(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, 3, topic.Partitions)
	assert.Equal(t, 3, store.partitions["a"])
	assert.Len(t, journal.Lines("wrote it back with 3 partitions"), 1)

	// Another client has written a plain stream of that name before.
	delete(store.partitions, "a")
	store.plain["a"] = true
	for range 3 {
		known.expire("a")
		topic, err = known.get(t.Context(), "a")
		require.NoError(t, err)
		assert.Equal(t, 3, topic.Partitions)
	}
	assert.Len(t, journal.Lines("can't be written back"), 1)
}

func TestTopicIsCreatedOnceWithTheFieldsPartitions(t *testing.T) {
	known, store, _, journal := newFakeTopics(4)
	topic, err := known.get(t.Context(), "a")
	require.NoError(t, err)
	assert.Equal(t, 4, topic.Partitions)
	assert.Len(t, journal.Lines("Created topic"), 1)

	store.plain["b"] = true
	_, err = known.get(t.Context(), "b")
	var plain *broker.PlainStreamError
	require.ErrorAs(t, err, &plain)
	require.True(t, isPermanent(err))
	assert.NotContains(t, rediserr.Explain(err).Error(), "cannot be reached")
}

func TestDifferentNumberOfPartitionsWarnsOnce(t *testing.T) {
	known, store, _, journal := newFakeTopics(4)
	store.partitions["a"] = 2
	for range 3 {
		known.expire("a")
		topic, err := known.get(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 2, topic.Partitions)
	}
	assert.Len(t, journal.Lines("has 2 partitions"), 1)
}
