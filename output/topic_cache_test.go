package output

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
)

func TestTopicCacheForgetsIdleTopics(t *testing.T) {
	clock := &clock{at: time.Unix(1000, 0)}
	r := newTopicCache[int](clock.now)
	r.set("idle", 1)
	r.set("used", 2)
	clock.at = clock.at.Add(topicIdleTime - time.Second)
	_, ok := r.get("used")
	require.True(t, ok)
	clock.at = clock.at.Add(time.Second)
	r.set("new", 3)
	assert.Equal(t, []string{"used", "new"}, r.topics.Keys())
	value, ok := r.get("used")
	assert.True(t, ok)
	assert.Equal(t, 2, value)
}

// A million topic names in messages must not stay in memory.
func TestTopicCacheIsBounded(t *testing.T) {
	const names = 3 * maxTopics
	known, store, _, _ := newFakeTopics(0)
	store.partitions["name-1"] = 4
	turns := newPartitioner(roundRobin)
	o, _, _, _ := newTestObserver()
	for i := range names {
		name := fmt.Sprintf("name-%d", i)
		_, err := known.get(t.Context(), name)
		require.NoError(t, err)
		turns.nextTurn(name, 3)
		o.Gap(appender.Target{Topic: name, Key: name}, appender.Lost{Records: 1})
		o.trimFailed(appender.Target{Topic: name, Key: name}, assert.AnError)
	}
	assert.Equal(t, maxTopics, known.known.topics.Len())
	assert.Equal(t, maxTopics, turns.turns.topics.Len())
	assert.Equal(t, maxTopics, o.gapWarned.topics.Len())
	assert.Equal(t, maxTopics, o.trimWarned.topics.Len())
	topic, err := known.get(t.Context(), "name-1")
	require.NoError(t, err)
	assert.Equal(t, 4, topic.Partitions, "a forgotten topic is looked up again")
}
