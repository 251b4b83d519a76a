package admin

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
)

func TestMarksOfTrimmedLettersAreRemoved(t *testing.T) {
	s := onRedis(t)
	s.Add(t, "orders", "1-0")
	for i := range 60 {
		lettered(t, s.Client, letter(i, "billing"))
	}
	replayAll(t, s.Client)
	require.EqualValues(t, 60, s.Client.HLen(t.Context(), keys.Replayed("orders-dead")).Val())
	require.NoError(t, s.Client.XTrimMaxLen(t.Context(), "orders-dead", 0).Err())
	for i := range 40 {
		lettered(t, s.Client, letter(100+i, "billing"))
		replayAll(t, s.Client)
	}
	assert.Less(t, s.Client.HLen(t.Context(), keys.Replayed("orders-dead")).Val(), int64(60))
}

func TestPurgeDeletesSelectedLettersAndTheirMarks(t *testing.T) {
	s := onRedis(t)
	s.Add(t, "orders", "1-0")
	other := s.Add(t, "orders-dead", "*")
	for i := range 6 {
		lettered(t, s.Client, letter(i, []string{"billing", "shipping"}[i%2]))
	}
	replayAll(t, s.Client)
	q := all
	q.Group = "shipping"
	page := selected(t, s.Client, q)
	n, err := New(s.Client).PurgeLetters(t.Context(), page)
	require.NoError(t, err)
	assert.Equal(t, 3, n)
	n, err = New(s.Client).PurgeLetters(t.Context(), page)
	require.NoError(t, err)
	assert.Zero(t, n)
	assert.Equal(t, []string{"0", "2", "4"}, bodiesOf(selected(t, s.Client, all)))
	assert.EqualValues(t, 3, s.Client.HLen(t.Context(), keys.Replayed("orders-dead")).Val())
	assert.Len(t, s.Client.XRange(t.Context(), "orders-dead", other, other).Val(), 1, "other entries stay")
}

func TestKeysOfDeadLettersAreDeletedWithTheTopic(t *testing.T) {
	for _, partitions := range []int{0, 3} {
		s := onRedis(t)
		a, ctx := New(s.Client), context.Background()
		s.Add(t, "orders", "1-0")
		kept := keysOf(t, s.Client)
		if partitions > 0 {
			_, _, err := broker.NewTopics(s.Client).Create(ctx, "orders-dead", partitions)
			require.NoError(t, err)
		}
		for i := range 20 {
			lettered(t, s.Client, letter(i, "billing"))
		}
		replayAll(t, s.Client)
		if partitions > 0 {
			_, err := a.GrowTopic(ctx, "orders-dead", partitions+1)
			require.NoError(t, err)
		}
		assert.Len(t, selected(t, s.Client, all), 20, "a topic keeps its letters when it grows")
		_, err := a.DeleteTopic(ctx, TopicDeletion{Topic: "orders-dead"})
		require.NoError(t, err)
		assert.ElementsMatch(t, append(kept, keys.IDs("orders")), keysOf(t, s.Client))
		_, err = a.DeleteTopic(ctx, TopicDeletion{Topic: "orders"})
		require.NoError(t, err)
		assert.Empty(t, keysOf(t, s.Client))
	}
}
