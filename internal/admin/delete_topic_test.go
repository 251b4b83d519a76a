package admin

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

func TestDeleteTopicRemovesOnlyKeysOfTheTopic(t *testing.T) {
	for _, name := range []string{"orders", "{eu}:orders", "{orders}", "o[r*d]?e\\rs"} {
		onBothServers(t, func(t *testing.T, s testServer) {
			a := New(s.Client)
			for _, other := range []string{name + "s", "x" + name, name + ":more"} {
				topic := written(t, s.Client, other, 2)
				used(t, s.Client, topic, "billing", "m1")
			}
			plain := broker.Topic{Name: name + ":3"} // not a partition of the topic, which has two
			s.Add(t, plain.Name, "5-0")
			used(t, s.Client, plain, "billing", "m1")
			kept := keysOf(t, s.Client)
			topic := written(t, s.Client, name, 2)
			var leases []splits.Lease
			for _, group := range []string{"billing", "a:{b}", "topic"} {
				leases = used(t, s.Client, topic, group, "m1")
			}
			all := keysOf(t, s.Client)

			_, err := a.DeleteTopic(t.Context(), TopicDeletion{Topic: name, DryRun: true})
			require.ErrorAs(t, err, new(*GroupAliveError))
			dry, err := a.DeleteTopic(t.Context(), TopicDeletion{Topic: name, Force: true, DryRun: true})
			require.NoError(t, err)
			assert.ElementsMatch(t, all, keysOf(t, s.Client), "a dry run")
			require.Len(t, dry.Partitions, 2)
			assert.Equal(t, int64(2), dry.Partitions[1].Entries)
			assert.NotZero(t, dry.Partitions[1].Bytes)
			assert.Len(t, dry.Groups, 3)
			assert.Equal(t, len(all)-len(kept)-2, dry.Keys)

			_, err = a.DeleteTopic(t.Context(), TopicDeletion{Topic: name})
			require.ErrorContains(t, err, "force")
			assert.ElementsMatch(t, all, keysOf(t, s.Client), "in use")
			deleted, err := a.DeleteTopic(t.Context(), TopicDeletion{Topic: name, Force: true})
			require.NoError(t, err)
			dry.DryRun = false
			assert.Equal(t, dry, deleted)
			left := keysOf(t, s.Client)
			assert.Subset(t, left, kept)
			for _, key := range left {
				if !slices.Contains(kept, key) { // a mark for the owner of a lease
					assert.Equal(t, keys.KindLease, keys.KindOf(key), key)
					assert.Equal(t, []string{"moved"}, s.Client.HKeys(t.Context(), key).Val())
					assert.InDelta(t, markTTL, s.Client.PTTL(t.Context(), key).Val(), float64(time.Minute))
				}
			}

			late := broker.NewLeases(s.Client, broker.LeasesOptions{Topic: name, Group: "topic"})
			require.ErrorIs(t, late.Renew(t.Context(), testTTL, leases)[0], splits.ErrFenced)
			_, err = a.DeleteTopic(t.Context(), TopicDeletion{Topic: name})
			require.ErrorAs(t, err, new(*TopicNotFoundError))
		})
	}
}

func TestDeleteTopicRemovesAllKeysOfAPlainTopic(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.Add(t, "orders", "5-0")
		leave(t, s.Client, "orders", "billing", used(t, s.Client, broker.Topic{Name: "orders"}, "billing", "m1"))
		deleted, err := New(s.Client).DeleteTopic(t.Context(), TopicDeletion{Topic: "orders"})
		require.NoError(t, err)
		assert.Len(t, deleted.Partitions, 1)
		assert.Equal(t, []DeletedMembers{{Group: "billing", Members: []string{}}}, deleted.Groups)
		assert.Empty(t, keysOf(t, s.Client))
	})
}

// An interrupted deletion has removed some partitions. The group still has their number in its
// plan.
func TestDeleteTopicCompletesInterruptedDeletions(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topic := written(t, s.Client, "orders", 3)
		leave(t, s.Client, "orders", "billing", used(t, s.Client, topic, "billing", "m1"))
		require.NoError(
			t,
			s.Client.Del(t.Context(), "orders:0", "rafka:{orders:0}:lease:billing", keys.Metadata("orders")).Err(),
		)
		deleted, err := New(s.Client).DeleteTopic(t.Context(), TopicDeletion{Topic: "orders"})
		require.NoError(t, err)
		assert.Len(t, deleted.Partitions, 3)
		assert.Empty(t, keysOf(t, s.Client))
	})
}

func TestDeleteTopicReportsInvalidTopics(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		written(t, s.Client, "orders", 3)
		require.NoError(t, s.Client.Del(t.Context(), "orders:1").Err())
		require.NoError(t, s.Client.Set(t.Context(), "orders:1", "precious", 0).Err())
		require.NoError(t, s.Client.Set(t.Context(), "text", "precious", 0).Err())
		all := keysOf(t, s.Client)
		for name, says := range map[string]string{
			"orders":   "orders:1", // the key has another type
			"text":     "WRONGTYPE",
			"orders:2": "it is partition 2 of topic orders",
			"orders:3": `there is no topic "orders:3"`,
			"nowhere":  `there is no topic "nowhere"`,
			"":         "stream_name is empty",
		} {
			_, err := a.DeleteTopic(t.Context(), TopicDeletion{Topic: name})
			require.ErrorContains(t, err, says, name)
		}
		assert.ElementsMatch(t, all, keysOf(t, s.Client))
	})
}
