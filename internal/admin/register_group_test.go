package admin

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
)

// registered returns the groups of the topic of the tests.
func (s testServer) registered(t *testing.T) []string {
	t.Helper()
	names, err := s.Client.SMembers(t.Context(), keys.Groups("orders")).Result()
	require.NoError(t, err)
	return names
}

func TestGroupsAreRegisteredUntilTheyAreDeleted(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		topic := written(t, s.Client, "orders", 2)
		leave(t, s.Client, "orders", "billing", used(t, s.Client, topic, "billing", "m1"))
		leave(t, s.Client, "orders", "shipping", used(t, s.Client, topic, "shipping", "m1"))
		_, err := a.GrowTopic(t.Context(), "orders", 3)
		require.NoError(t, err)
		_, err = a.ConvertGroup(t.Context(), Conversion{Topic: "orders", Group: "billing", To: broker.ShareGroup})
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"billing", "shipping"}, s.registered(t))
		_, err = a.DeleteGroup(t.Context(), "orders", "billing", true)
		require.NoError(t, err)
		assert.ElementsMatch(t, []string{"billing", "shipping"}, s.registered(t), "a dry run")
		_, err = a.DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
		assert.Equal(t, []string{"shipping"}, s.registered(t))
		_, err = a.DeleteTopic(t.Context(), TopicDeletion{Topic: "orders"})
		require.NoError(t, err)
		assert.Empty(t, s.registered(t))
	})
}

// The keys of a group that was not used for a month have expired. Its name still keeps entries from
// being deleted, so it can be deleted.
func TestGroupThatIsOnlyRegisteredCanBeDeleted(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		written(t, s.Client, "orders", 2)
		require.NoError(t, s.Client.SAdd(t.Context(), keys.Groups("orders"), "old").Err())
		deleted, err := New(s.Client).DeleteGroup(t.Context(), "orders", "old", false)
		require.NoError(t, err)
		assert.Empty(t, deleted.Partitions)
		assert.Empty(t, s.registered(t))
		_, err = New(s.Client).DeleteGroup(t.Context(), "orders", "old", false)
		require.ErrorAs(t, err, new(*GroupNotFoundError))
	})
}

func TestSeekAndAdoptionRegisterTheGroup(t *testing.T) {
	s := onRedis(t)
	s.withOldGroup(t, "old")
	_, err := New(s.Client).SeekGroup(t.Context(), Seek{Topic: "orders", Group: "new", To: "latest", DryRun: true})
	require.NoError(t, err)
	_, err = s.adopt(t, Adoption{From: "old", DryRun: true})
	require.NoError(t, err)
	assert.Empty(t, s.registered(t), "a dry run")
	_, err = New(s.Client).SeekGroup(t.Context(), Seek{Topic: "orders", Group: "new", To: "latest"})
	require.NoError(t, err)
	_, err = s.adopt(t, Adoption{From: "old"})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"new", "billing"}, s.registered(t))
}

// The topic "orders:0" is a plain topic that has the stream of a partition.
func TestDeletedTopicKeepsTheGroupsOfAPlainTopic(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		written(t, s.Client, "orders", 2)
		beat(t, broker.NewGroup(s.Client, "orders:0", "billing"), "m1")
		_, err := New(s.Client).DeleteTopic(t.Context(), TopicDeletion{Topic: "orders"})
		require.NoError(t, err)
		assert.Equal(t, []string{"billing"}, s.Client.SMembers(t.Context(), keys.Groups("orders:0")).Val())
		assert.Negative(t, s.Client.PTTL(t.Context(), keys.Groups("orders:0")).Val())
	})
}
