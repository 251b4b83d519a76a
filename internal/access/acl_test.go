package access

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
)

// The patterns match all keys of a topic and a group, whatever their names, and no keys of other
// topics and groups.
func TestRulesCoverOneTopicAndGroup(t *testing.T) {
	l := scripttest.StartLimited(t)
	ctx := t.Context()
	for _, c := range []struct{ topic, group, otherTopic, otherGroup string }{
		{"orders", "billing", "orders:eu", "billing2"},
		{"orders", "billing", "orders2", "%62illing"},
		{"{eu}:orders", "topic", "{eu}:orders2", "%74opic"},
		{"{x}", "{g}:1%", "x", "{g}:2%"},
		{`a*[1]?\ 'b"`, `* ?[2]"`, `aa1x\ 'b"`, `x ?2"`},
		{"rafka:x", "g", "rafka:y", "G"},
	} {
		require.NoError(t, l.Admin.FlushAll(ctx).Err())
		for round := range 2 { // first a plain topic, then a partitioned topic
			for _, role := range []Role{RoleReader, RoleWriter} {
				rules, err := ACL{Role: role, Topic: c.topic, Group: c.group, Creates: true}.Rules()
				require.NoError(t, err)
				l.As(t, rules, func(client *redis.Client) {
					if role == RoleWriter {
						assert.NoError(t, CheckWriter(ctx, client, c.topic, 2))
						assert.Empty(t, MissingOptionalForWriter(ctx, client, c.topic, true))
						assert.Equal(
							t,
							rediserr.ClassPermission,
							rediserr.Classify(CheckWriter(ctx, client, c.otherTopic, 0)),
							c,
						)
						return
					}
					assert.NoError(t, CheckReader(ctx, client, c.topic, c.group))
					assert.Empty(t, MissingOptionalForReader(ctx, client, c.topic, c.group))
					assert.Equal(
						t,
						rediserr.ClassPermission,
						rediserr.Classify(CheckReader(ctx, client, c.topic, c.otherGroup)),
						c,
					)
					assert.Equal(
						t,
						rediserr.ClassPermission,
						rediserr.Classify(CheckReader(ctx, client, c.otherTopic, c.group)),
						c,
					)
				})
			}
			if round == 0 {
				_, _, err := broker.NewTopics(l.Admin).Create(ctx, c.topic, 12)
				require.NoError(t, err)
			}
		}
	}
}

func TestMinimalRulesLackOnlyOptionalPermissions(t *testing.T) {
	l := scripttest.StartLimited(t)
	for _, s := range stages {
		a := acl(s.role)
		a.Minimal = true
		rules, err := a.Rules()
		require.NoError(t, err)
		s.prepare(t, l)
		l.As(t, rules, func(client *redis.Client) {
			warning, err := s.try(t.Context(), client)
			require.NoError(t, err)
			if s.role != RoleAdmin {
				assert.Contains(t, warning, "Optional permissions are missing: ")
				assert.Contains(t, warning, "ACL SETUSER <username> ")
			}
		})
	}
}

func TestRulesNameTheInvalidField(t *testing.T) {
	for _, c := range []struct {
		acl  ACL
		want string
	}{
		{ACL{Role: RoleReader, Group: "g"}, "stream_name"},
		{ACL{Role: RoleReader, Topic: "t"}, "consumer_group"},
		{ACL{Role: RoleWriter, Topic: "a{b"}, "stream_name"},
		{ACL{Role: RoleAdmin, Topic: "a{b"}, "stream_name"},
	} {
		_, err := c.acl.Rules()
		assert.ErrorContains(t, err, c.want)
	}
	rules, err := ACL{Role: RoleAdmin}.Rules()
	require.NoError(t, err)
	assert.Contains(t, rules, "~*")
}

// Regression: the pattern for partitions matched every key that began like a partition:
// orders:[0-9]* matches orders:2024:secret.
func TestPartitionPatternsMatchPartitionsOnly(t *testing.T) {
	l := scripttest.StartLimited(t)
	ctx := t.Context()
	inside := []string{"orders", "orders:0", "orders:7", "orders:10", "orders:99", "orders:2024", "orders:99999"}
	outside := []string{
		"orders:",
		"orders:2024:secret",
		"orders:7x",
		"orders:0:0",
		"orders:00",
		"orders:07",
		"orders:100000",
		"orders:1 ",
		"orders:x",
		"orders:-1",
		"orders2",
		"order",
		"rafka:{orders:7:x}:lease:billing",
		"rafka:{orders:7x}:lease:billing",
		"rafka:{orders:7}:lease:other",
	}
	for _, role := range []Role{RoleReader, RoleWriter, RoleAdmin} {
		rules, err := ACL{Role: role, Topic: "orders", Group: "billing"}.Rules()
		require.NoError(t, err)
		if role == RoleAdmin {
			outside = outside[:len(outside)-1] // an admin has all groups
		}
		l.As(t, append(rules, "+exists"), func(client *redis.Client) {
			for _, key := range inside {
				assert.NoError(t, client.Exists(ctx, key).Err(), "%s %q", role, key)
			}
			for _, key := range outside {
				assert.Equal(
					t,
					rediserr.ClassPermission,
					rediserr.Classify(client.Exists(ctx, key).Err()),
					"%s %q",
					role,
					key,
				)
			}
		})
	}
	for partitions, last := range map[int]string{
		1: "9", 10: "9", 11: "99", 100: "99", 101: "999", keys.MaxPartitions: "99999",
	} {
		rules, err := ACL{Role: RoleReader, Topic: "orders", Group: "billing", Partitions: partitions}.Rules()
		require.NoError(t, err)
		l.As(t, append(rules, "+exists"), func(client *redis.Client) {
			assert.NoError(
				t,
				client.Exists(ctx, "orders:"+last, keys.Lease("orders:"+last, "billing")).Err(),
				partitions,
			)
			assert.Error(t, client.Exists(ctx, "orders:1"+last).Err(), partitions)
		})
	}
	_, err := ACL{Role: RoleAdmin, Topic: "orders", Partitions: keys.MaxPartitions + 1}.Rules()
	assert.ErrorContains(t, err, "partitions is 100001")
}
