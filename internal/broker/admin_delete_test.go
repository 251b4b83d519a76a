package broker

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// used makes a group have read everything of the topic, with a member that is alive. It returns the
// lease that the member has on each split.
func used(t *testing.T, client redis.UniversalClient, topic Topic, group, member string) []splits.Lease {
	t.Helper()
	beat(t, NewGroup(client, topic.Name, group), member)
	l := NewLeases(client, LeasesOptions{Topic: topic.Name, Group: group})
	var leases []splits.Lease
	for _, split := range topic.Splits() {
		g := l.Claim(t.Context(), member, testTTL, []splits.Claim{{Split: split, Start: splits.Latest()}})[0]
		require.NoError(t, g.Err)
		leases = append(leases, splits.Lease{Split: split, Member: member, Epoch: g.Epoch})
	}
	return leases
}

// leave is a graceful exit.
func leave(t *testing.T, client redis.UniversalClient, topic, group string, leases []splits.Lease) {
	t.Helper()
	for _, err := range NewLeases(client, LeasesOptions{Topic: topic, Group: group}).Release(t.Context(), leases) {
		require.NoError(t, err)
	}
	require.NoError(t, NewGroup(client, topic, group).Leave(t.Context(), leases[0].Member))
}

// written creates a topic and writes to all its partitions as a producer does.
func written(t *testing.T, client redis.UniversalClient, name string, partitions int) Topic {
	t.Helper()
	topic, _, err := NewTopics(client).Create(t.Context(), name, partitions)
	require.NoError(t, err)
	producer := NewAppends(client, AppendOptions{})
	for _, split := range topic.Splits() {
		p := part(1, 1, "a", "b")
		p.Target.Key = split.Key
		require.Equal(t, appender.Written, appendOne(t, producer, p).Status)
	}
	return topic
}

func keysOf(t *testing.T, client redis.Cmdable) []string {
	t.Helper()
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	return keys
}

func TestDeletedGroupLeavesNothingAndBeginsAnew(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		admin := NewAdmin(s.client)
		topic := written(t, s.client, "orders", 3)
		before := keysOf(t, s.client)
		other := used(t, s.client, topic, "shipping", "m9")
		kept := keysOf(t, s.client)
		leases := used(t, s.client, topic, "billing", "m1")

		_, err := admin.DeleteGroup(t.Context(), "orders", "billing", false)
		var inUse *GroupAliveError
		require.ErrorAs(t, err, &inUse)
		assert.Equal(t, []string{"m1"}, inUse.Members)
		leave(t, s.client, "orders", "billing", leases)

		all := keysOf(t, s.client)
		dry, err := admin.DeleteGroup(t.Context(), "orders", "billing", true)
		require.NoError(t, err)
		assert.ElementsMatch(t, all, keysOf(t, s.client))
		deleted, err := admin.DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
		dry.DryRun = false
		assert.Equal(t, dry, deleted)
		require.Len(t, deleted.Partitions, 3)
		assert.NotNil(t, deleted.Partitions[0].Committed)
		assert.ElementsMatch(t, kept, keysOf(t, s.client))
		if !s.embedded {
			groups, err := s.client.XInfoGroups(t.Context(), "orders:0").Result()
			require.NoError(t, err)
			require.Len(t, groups, 1)
			assert.Equal(t, "shipping", groups[0].Name, "the mirror went with its group")
		}

		late := NewLeases(s.client, LeasesOptions{Topic: "orders", Group: "billing"})
		commit := splits.Commit{Lease: leases[0], Position: position(1, 0, 1)}
		require.ErrorIs(t, late.Commit(t.Context(), testTTL, []splits.Commit{commit})[0], splits.ErrFenced)
		require.ErrorIs(t, late.Renew(t.Context(), testTTL, leases[:1])[0], splits.ErrFenced)
		require.ErrorIs(t, late.Reset(t.Context(), testTTL, commit), splits.ErrFenced)
		assert.ElementsMatch(
			t,
			kept,
			keysOf(t, s.client),
			"what a dead member still had on its way brings nothing back",
		)
		_, err = admin.DeleteGroup(t.Context(), "orders", "billing", false)
		require.ErrorAs(t, err, new(*GroupNotFoundError))

		g := late.Claim(t.Context(), "m2", testTTL, []splits.Claim{{Split: topic.Split(0)}})[0]
		require.NoError(t, g.Err)
		assert.Equal(t, splits.Offset{}, g.Position.Offset, "a new group of the name begins where it is told")
		leave(t, s.client, "orders", "shipping", other)
		_, err = admin.DeleteGroup(t.Context(), "orders", "shipping", false)
		require.NoError(t, err)
		require.NoError(t, s.client.Del(t.Context(), leaseKey("orders:0", "billing")).Err())
		assert.ElementsMatch(t, before, keysOf(t, s.client))
	})
}

func TestGroupIsInUseAsLongAsALeaseLives(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topic := written(t, s.client, "orders", 4)
		leases := used(t, s.client, topic, "billing", "m1")
		require.NoError(t, s.client.Del(t.Context(), membersKey("orders", "billing")).Err())
		require.NoError(t, s.leases().Release(t.Context(), leases[:3])[0])
		all := keysOf(t, s.client)
		_, err := NewAdmin(s.client).DeleteGroup(t.Context(), "orders", "billing", false)
		var inUse *GroupAliveError
		require.ErrorAs(t, err, &inUse)
		assert.Equal(t, []string{"m1"}, inUse.Members)
		require.ErrorContains(t, err, "stop its inputs first")
		assert.ElementsMatch(t, all, keysOf(t, s.client), "it is whole")
		s.expire(t)
		_, err = NewAdmin(s.client).DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
	})
}

func TestGroupWithoutItsPlanCanBeDeleted(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topic := written(t, s.client, "orders", 3)
		before := keysOf(t, s.client)
		leave(t, s.client, "orders", "billing", used(t, s.client, topic, "billing", "m1"))
		require.NoError(
			t,
			s.client.Del(t.Context(), planKey("orders", "billing"), leaseKey("orders:1", "billing")).Err(),
		)
		deleted, err := NewAdmin(s.client).DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
		found := 2
		if !s.embedded {
			found = 3 // of partition 1 the mirror was left, which would be taken for a backup
		}
		assert.Len(t, deleted.Partitions, found)
		assert.ElementsMatch(t, before, keysOf(t, s.client))
	})
}

func TestForeignRedisGroupOutlivesTheGroup(t *testing.T) {
	s := onRedis(t)
	topic := written(t, s.client, "orders", 1)
	require.NoError(t, s.client.XGroupCreate(t.Context(), "orders:0", "billing", "0").Err())
	leave(t, s.client, "orders", "billing", used(t, s.client, topic, "billing", "m1"))
	deleted, err := NewAdmin(s.client).DeleteGroup(t.Context(), "orders", "billing", false)
	require.NoError(t, err)
	assert.True(t, deleted.Partitions[0].Foreign)
	assert.Len(t, s.client.XInfoGroups(t.Context(), "orders:0").Val(), 1)
	_, err = NewAdmin(s.client).DeleteGroup(t.Context(), "orders", "billing", false)
	require.ErrorAs(t, err, new(*GroupNotFoundError), "somebody else's is none of ours")
}

func TestDeletedTopicLeavesNothingAndOthersAlone(t *testing.T) {
	for _, name := range []string{"orders", "{eu}:orders", "{orders}", "o[r*d]?e\\rs"} {
		onBothServers(t, func(t *testing.T, s testServer) {
			admin := NewAdmin(s.client)
			for _, other := range []string{name + "s", "x" + name, name + ":more"} {
				topic := written(t, s.client, other, 2)
				used(t, s.client, topic, "billing", "m1")
			}
			plain := Topic{Name: name + ":3"} // which is no partition of a topic of two
			s.add(t, plain.Name, "5-0")
			used(t, s.client, plain, "billing", "m1")
			kept := keysOf(t, s.client)
			topic := written(t, s.client, name, 2)
			var leases []splits.Lease
			for _, group := range []string{"billing", "a:{b}", "topic"} {
				leases = used(t, s.client, topic, group, "m1")
			}
			ids, _ := idsKeys(topic.Split(1).Key)
			require.NoError(t, s.client.SAdd(t.Context(), ids, "x").Err())
			all := keysOf(t, s.client)

			_, err := admin.DeleteTopic(t.Context(), TopicDeletion{Topic: name, DryRun: true})
			require.ErrorAs(t, err, new(*GroupAliveError))
			dry, err := admin.DeleteTopic(t.Context(), TopicDeletion{Topic: name, Force: true, DryRun: true})
			require.NoError(t, err)
			assert.ElementsMatch(t, all, keysOf(t, s.client), "a dry run")
			require.Len(t, dry.Partitions, 2)
			assert.Equal(t, int64(2), dry.Partitions[1].Entries)
			assert.NotZero(t, dry.Partitions[1].Bytes)
			assert.Len(t, dry.Groups, 3)
			assert.Equal(t, len(all)-len(kept)-2, dry.Keys)

			_, err = admin.DeleteTopic(t.Context(), TopicDeletion{Topic: name})
			require.ErrorContains(t, err, "force")
			assert.ElementsMatch(t, all, keysOf(t, s.client), "in use")
			deleted, err := admin.DeleteTopic(t.Context(), TopicDeletion{Topic: name, Force: true})
			require.NoError(t, err)
			dry.DryRun = false
			assert.Equal(t, dry, deleted)
			left := keysOf(t, s.client)
			assert.Subset(t, left, kept)
			for _, key := range left {
				if !slices.Contains(kept, key) { // which tells the owner of a lease
					assert.Equal(t, leaseKind, kindOf(key), key)
					assert.Equal(t, []string{"moved"}, s.client.HKeys(t.Context(), key).Val())
					assert.InDelta(t, markTTL, s.client.PTTL(t.Context(), key).Val(), float64(time.Minute))
				}
			}

			late := NewLeases(s.client, LeasesOptions{Topic: name, Group: "topic"})
			require.ErrorIs(t, late.Renew(t.Context(), testTTL, leases)[0], splits.ErrFenced)
			_, err = admin.DeleteTopic(t.Context(), TopicDeletion{Topic: name})
			require.ErrorAs(t, err, new(*TopicNotFoundError))
		})
	}
}

func TestDeletedPlainTopicLeavesNothing(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.add(t, "orders", "5-0")
		leave(t, s.client, "orders", "billing", used(t, s.client, Topic{Name: "orders"}, "billing", "m1"))
		deleted, err := NewAdmin(s.client).DeleteTopic(t.Context(), TopicDeletion{Topic: "orders"})
		require.NoError(t, err)
		assert.Len(t, deleted.Partitions, 1)
		assert.Equal(t, []DeletedMembers{{Group: "billing", Members: []string{}}}, deleted.Groups)
		assert.Empty(t, keysOf(t, s.client))
	})
}

// A deletion that was interrupted has removed some partitions, and one that met live members leaves
// a group that remembers how many there were.
func TestHalfDeletedTopicCanBeDeleted(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topic := written(t, s.client, "orders", 3)
		leave(t, s.client, "orders", "billing", used(t, s.client, topic, "billing", "m1"))
		require.NoError(
			t,
			s.client.Del(t.Context(), "orders:0", "rafka:{orders:0}:lease:billing", topicKey("orders")).Err(),
		)
		deleted, err := NewAdmin(s.client).DeleteTopic(t.Context(), TopicDeletion{Topic: "orders"})
		require.NoError(t, err)
		assert.Len(t, deleted.Partitions, 3)
		assert.Empty(t, keysOf(t, s.client))
	})
}

func TestTopicDeletionSaysWhatIsWrong(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		admin := NewAdmin(s.client)
		written(t, s.client, "orders", 3)
		require.NoError(t, s.client.Del(t.Context(), "orders:1").Err())
		require.NoError(t, s.client.Set(t.Context(), "orders:1", "precious", 0).Err())
		require.NoError(t, s.client.Set(t.Context(), "text", "precious", 0).Err())
		all := keysOf(t, s.client)
		for name, says := range map[string]string{
			"orders":   "orders:1", // and not the key of another type
			"text":     "WRONGTYPE",
			"orders:2": "it is partition 2 of topic orders",
			"orders:3": `there is no topic "orders:3"`,
			"nowhere":  `there is no topic "nowhere"`,
			"":         "stream_name is empty",
		} {
			_, err := admin.DeleteTopic(t.Context(), TopicDeletion{Topic: name})
			require.ErrorContains(t, err, says, name)
		}
		assert.ElementsMatch(t, all, keysOf(t, s.client))
	})
}

func TestMissingPermissionOfAnAdminIsNamed(t *testing.T) {
	server := redistest.Start(t)
	s := testServer{client: server.Client(t)}
	actions := map[string]func(a *Admin) error{
		"grow": func(a *Admin) error { _, err := a.GrowTopic(t.Context(), "orders", 100); return err },
		"seek": func(a *Admin) error {
			_, err := a.SeekGroup(t.Context(), Seek{Topic: "orders", Group: "billing", To: "earliest"})
			return err
		},
		"delete group": func(a *Admin) error { _, err := a.DeleteGroup(t.Context(), "orders", "billing", false); return err },
		"delete topic": func(a *Admin) error { _, err := a.DeleteTopic(t.Context(), TopicDeletion{Topic: "orders"}); return err },
	}
	for action, commands := range map[string][]string{
		"grow":         {"evalsha", "eval", "hget", "hset", "hgetall"},
		"seek":         {"evalsha", "eval", "hmget", "hset", "hgetall", "pexpire", "xinfo", "time"},
		"delete group": {"evalsha", "eval", "hmget", "hgetall", "unlink", "exists", "zrangebyscore", "xgroup", "time"},
		"delete topic": {"hgetall", "hmget", "unlink", "exists", "zrangebyscore", "xinfo", "time", "scan"},
	} {
		for _, missing := range commands {
			name := fmt.Sprintf("%s without %s", action, missing)
			require.NoError(t, s.client.FlushAll(t.Context()).Err())
			require.NoError(t, s.client.ScriptFlush(t.Context()).Err())
			topic := written(t, s.client, "orders", 2)
			leave(t, s.client, "orders", "billing", used(t, s.client, topic, "billing", "m1"))
			rules := []any{"acl", "setuser", "admin", "reset", "on", "nopass", "~*", "&*", "+@all", "-" + missing}
			require.NoError(t, s.client.Do(t.Context(), rules...).Err())
			limited := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "admin", "any" })
			err := actions[action](NewAdmin(limited))
			if assert.Error(t, err, name) {
				assert.Equal(t, ClassPermission, Classify(err), "%s: %v", name, err)
				assert.ErrorContains(t, err, "ACL SETUSER", name)
			}
			require.NoError(t, actions[action](NewAdmin(s.client)), name)
		}
	}
}
