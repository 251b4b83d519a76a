package admin

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

// used makes a group have read everything of the topic, with a member that is alive. It returns the
// lease that the member has on each split.
func used(t *testing.T, client redis.UniversalClient, topic broker.Topic, group, member string) []splits.Lease {
	t.Helper()
	beat(t, broker.NewGroup(client, topic.Name, group), member)
	l := broker.NewLeases(client, broker.LeasesOptions{Topic: topic.Name, Group: group})
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
	owned := broker.NewLeases(client, broker.LeasesOptions{Topic: topic, Group: group})
	for _, err := range owned.Release(t.Context(), leases) {
		require.NoError(t, err)
	}
	require.NoError(t, broker.NewGroup(client, topic, group).Leave(t.Context(), leases[0].Member))
}

// written creates a topic and writes to all its partitions as a producer does.
func written(t *testing.T, client redis.UniversalClient, name string, partitions int) broker.Topic {
	t.Helper()
	topic, _, err := broker.NewTopics(client).Create(t.Context(), name, partitions)
	require.NoError(t, err)
	producer := broker.NewAppends(client, broker.AppendOptions{})
	for _, split := range topic.Splits() {
		result := producer.Append(t.Context(), []appender.Request{{
			Target:   appender.Target{Topic: name, Partition: split.Partition, Key: split.Key},
			Producer: "p1",
			Epoch:    1,
			Seq:      1,
			Records:  []appender.Record{{Fields: []string{"body", "a"}}, {Fields: []string{"body", "b"}}},
		}})[0]
		require.Equal(t, appender.Written, result.Status)
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
		a := New(s.Client)
		topic := written(t, s.Client, "orders", 3)
		before := keysOf(t, s.Client)
		other := used(t, s.Client, topic, "shipping", "m9")
		kept := keysOf(t, s.Client)
		leases := used(t, s.Client, topic, "billing", "m1")

		_, err := a.DeleteGroup(t.Context(), "orders", "billing", false)
		var inUse *GroupAliveError
		require.ErrorAs(t, err, &inUse)
		assert.Equal(t, []string{"m1"}, inUse.Members)
		leave(t, s.Client, "orders", "billing", leases)

		all := keysOf(t, s.Client)
		dry, err := a.DeleteGroup(t.Context(), "orders", "billing", true)
		require.NoError(t, err)
		assert.ElementsMatch(t, all, keysOf(t, s.Client))
		deleted, err := a.DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
		dry.DryRun = false
		assert.Equal(t, dry, deleted)
		require.Len(t, deleted.Partitions, 3)
		assert.NotNil(t, deleted.Partitions[0].Committed)
		assert.ElementsMatch(t, kept, keysOf(t, s.Client))
		if !s.Embedded {
			groups, err := s.Client.XInfoGroups(t.Context(), "orders:0").Result()
			require.NoError(t, err)
			require.Len(t, groups, 1)
			assert.Equal(t, "shipping", groups[0].Name, "the mirror went with its group")
		}

		late := broker.NewLeases(s.Client, broker.LeasesOptions{Topic: "orders", Group: "billing"})
		commit := splits.Commit{Lease: leases[0], Position: position(1, 0, 1)}
		require.ErrorIs(t, late.Commit(t.Context(), testTTL, []splits.Commit{commit})[0], splits.ErrFenced)
		require.ErrorIs(t, late.Renew(t.Context(), testTTL, leases[:1])[0], splits.ErrFenced)
		require.ErrorIs(t, late.Reset(t.Context(), testTTL, commit), splits.ErrFenced)
		assert.ElementsMatch(
			t,
			kept,
			keysOf(t, s.Client),
			"what a dead member still had on its way brings nothing back",
		)
		_, err = a.DeleteGroup(t.Context(), "orders", "billing", false)
		require.ErrorAs(t, err, new(*GroupNotFoundError))

		g := late.Claim(t.Context(), "m2", testTTL, []splits.Claim{{Split: topic.Split(0)}})[0]
		require.NoError(t, g.Err)
		assert.Equal(t, splits.Offset{}, g.Position.Offset, "a new group of the name begins where it is told")
		leave(t, s.Client, "orders", "shipping", other)
		_, err = a.DeleteGroup(t.Context(), "orders", "shipping", false)
		require.NoError(t, err)
		require.NoError(t, s.Client.Del(t.Context(), keys.Lease("orders:0", "billing")).Err())
		assert.ElementsMatch(t, before, keysOf(t, s.Client))
	})
}

func TestGroupIsInUseAsLongAsALeaseLives(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topic := written(t, s.Client, "orders", 4)
		leases := used(t, s.Client, topic, "billing", "m1")
		require.NoError(t, s.Client.Del(t.Context(), keys.Members("orders", "billing")).Err())
		require.NoError(t, s.leases().Release(t.Context(), leases[:3])[0])
		all := keysOf(t, s.Client)
		_, err := New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
		var inUse *GroupAliveError
		require.ErrorAs(t, err, &inUse)
		assert.Equal(t, []string{"m1"}, inUse.Members)
		require.ErrorContains(t, err, "stop its inputs first")
		assert.ElementsMatch(t, all, keysOf(t, s.Client), "it is whole")
		s.expire(t)
		_, err = New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
	})
}

func TestGroupWithoutItsPlanCanBeDeleted(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		topic := written(t, s.Client, "orders", 3)
		before := keysOf(t, s.Client)
		leave(t, s.Client, "orders", "billing", used(t, s.Client, topic, "billing", "m1"))
		require.NoError(
			t,
			s.Client.Del(t.Context(), keys.Plan("orders", "billing"), keys.Lease("orders:1", "billing")).Err(),
		)
		deleted, err := New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
		require.NoError(t, err)
		found := 2
		if !s.Embedded {
			found = 3 // of partition 1 the mirror was left, which would be taken for a backup
		}
		assert.Len(t, deleted.Partitions, found)
		assert.ElementsMatch(t, before, keysOf(t, s.Client))
	})
}

func TestForeignRedisGroupOutlivesTheGroup(t *testing.T) {
	s := onRedis(t)
	topic := written(t, s.Client, "orders", 1)
	require.NoError(t, s.Client.XGroupCreate(t.Context(), "orders:0", "billing", "0").Err())
	leave(t, s.Client, "orders", "billing", used(t, s.Client, topic, "billing", "m1"))
	deleted, err := New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
	require.NoError(t, err)
	assert.True(t, deleted.Partitions[0].Foreign)
	assert.Len(t, s.Client.XInfoGroups(t.Context(), "orders:0").Val(), 1)
	_, err = New(s.Client).DeleteGroup(t.Context(), "orders", "billing", false)
	require.ErrorAs(t, err, new(*GroupNotFoundError), "somebody else's is none of ours")
}

func TestDeletedTopicLeavesNothingAndOthersAlone(t *testing.T) {
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
				if !slices.Contains(kept, key) { // which tells the owner of a lease
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

func TestDeletedPlainTopicLeavesNothing(t *testing.T) {
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

// A deletion that was interrupted has removed some partitions, and one that met live members leaves
// a group that remembers how many there were.
func TestHalfDeletedTopicCanBeDeleted(t *testing.T) {
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

func TestTopicDeletionSaysWhatIsWrong(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		written(t, s.Client, "orders", 3)
		require.NoError(t, s.Client.Del(t.Context(), "orders:1").Err())
		require.NoError(t, s.Client.Set(t.Context(), "orders:1", "precious", 0).Err())
		require.NoError(t, s.Client.Set(t.Context(), "text", "precious", 0).Err())
		all := keysOf(t, s.Client)
		for name, says := range map[string]string{
			"orders":   "orders:1", // and not the key of another type
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

func TestMissingPermissionOfAnAdminIsNamed(t *testing.T) {
	server := redistest.Start(t)
	s := testServer{scripttest.Server{Client: server.Client(t)}}
	actions := map[string]func(a *Admin) error{
		"grow": func(a *Admin) error { _, err := a.GrowTopic(t.Context(), "orders", 100); return err },
		"seek": func(a *Admin) error {
			_, err := a.SeekGroup(t.Context(), Seek{Topic: "orders", Group: "billing", To: "earliest"})
			return err
		},
		"delete group": func(a *Admin) error {
			_, err := a.DeleteGroup(t.Context(), "orders", "billing", false)
			return err
		},
		"delete topic": func(a *Admin) error {
			_, err := a.DeleteTopic(t.Context(), TopicDeletion{Topic: "orders"})
			return err
		},
	}
	for action, commands := range map[string][]string{
		"grow":         {"evalsha", "eval", "hget", "hset", "hgetall"},
		"seek":         {"evalsha", "eval", "hmget", "hset", "hgetall", "pexpire", "xinfo", "time"},
		"delete group": {"evalsha", "eval", "hmget", "hgetall", "unlink", "exists", "zrangebyscore", "xgroup", "time"},
		"delete topic": {"hgetall", "hmget", "unlink", "exists", "zrangebyscore", "xinfo", "time", "scan"},
	} {
		for _, missing := range commands {
			name := fmt.Sprintf("%s without %s", action, missing)
			require.NoError(t, s.Client.FlushAll(t.Context()).Err())
			require.NoError(t, s.Client.ScriptFlush(t.Context()).Err())
			topic := written(t, s.Client, "orders", 2)
			leave(t, s.Client, "orders", "billing", used(t, s.Client, topic, "billing", "m1"))
			rules := []any{"acl", "setuser", "admin", "reset", "on", "nopass", "~*", "&*", "+@all", "-" + missing}
			require.NoError(t, s.Client.Do(t.Context(), rules...).Err())
			limited := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "admin", "any" })
			err := actions[action](New(limited))
			if assert.Error(t, err, name) {
				assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(err), "%s: %v", name, err)
				assert.ErrorContains(t, err, "ACL SETUSER", name)
			}
			require.NoError(t, actions[action](New(s.Client)), name)
		}
	}
}
