package admin

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

func TestAllScriptsAndAdminCommandsRunOnACluster(t *testing.T) {
	server := redistest.Start(t, "--cluster-enabled", "yes")
	require.NoError(t, server.Client(t).ClusterAddSlotsRange(t.Context(), 0, 16383).Err())
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{server.Addr()}})
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	require.Eventually(
		t,
		func() bool { return client.Set(t.Context(), "x", "x", 0).Err() == nil },
		time.Minute,
		20*time.Millisecond,
	)

	for _, name := range []string{"orders", "{eu}:orders", "{orders}"} {
		topic, _, err := broker.NewTopics(client).Create(t.Context(), name, 50)
		require.NoError(t, err)
		g := broker.NewGroup(client, name, "billing")
		view := beat(t, g, "m1")
		stored, err := g.Propose(
			t.Context(),
			splits.Plan{Version: view.Version, Assignments: map[string][]int{"m1": {0, 1}}},
		)
		require.NoError(t, err)
		require.True(t, stored)
		l := broker.NewLeases(client, broker.LeasesOptions{Topic: name, Group: "billing"})
		var claims []splits.Claim
		for _, split := range topic.Splits() {
			require.NoError(
				t,
				client.XAdd(
					t.Context(),
					&redis.XAddArgs{Stream: split.Key, ID: "1-0", Values: []string{"a", "b"}},
				).Err(),
			)
			claims = append(claims, splits.Claim{Split: split})
		}
		var commits []splits.Commit
		var leases []splits.Lease
		for i, granted := range l.Claim(t.Context(), "m1", testTTL, claims) {
			require.NoError(t, granted.Err)
			leases = append(leases, splits.Lease{Split: claims[i].Split, Member: "m1", Epoch: granted.Epoch})
			commits = append(commits, splits.Commit{Lease: leases[i], Position: position(1, 0, 1), Accounted: 1})
		}
		for _, errs := range [][]error{
			l.Commit(t.Context(), testTTL, commits),
			{l.Reset(t.Context(), testTTL, commits[0])},
			l.Release(t.Context(), leases),
		} {
			for _, err := range errs {
				require.NoError(t, err)
			}
		}
		d, err := New(client).DescribeGroup(t.Context(), name, "billing")
		require.NoError(t, err)
		require.Len(t, d.Partitions, 50)
		for _, p := range d.Partitions {
			assert.Zero(t, p.Lag)
		}
		listed, err := New(client).ListGroups(t.Context(), name)
		require.NoError(t, err)
		assert.Len(t, listed, 1)
		require.NoError(t, g.Leave(t.Context(), "m1"))
	}
	topics, err := New(client).ListTopics(t.Context())
	require.NoError(t, err)
	assert.Len(t, topics, 3)
}

func TestMissingPermissionsAreReportedWithARemedy(t *testing.T) {
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
