package input

import (
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// allow gives ann the permissions of a reader and no others.
func allow(t *testing.T, client *redis.Client, reader access.ACL) {
	t.Helper()
	reader.Role, reader.Topic, reader.Group = access.RoleReader, "orders", "g"
	rules, err := reader.Rules()
	require.NoError(t, err)
	acl(t, client, append([]string{"reset", "on", ">pw"}, rules...)...)
}

func owned(t *testing.T, in *input, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return in.current().consumer.Owned() == n }, time.Minute, 5*time.Millisecond)
}

// A group works with the permissions that `rafka acl` prints, and also with the minimal ones.
func TestGroupWorksWithAReadersPermissions(t *testing.T) {
	for name, reader := range map[string]access.ACL{"all": {}, "minimal": {Minimal: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			allow(t, client, reader)
			createTopic(t, client, 4)
			for p := range 4 {
				write(t, client, fmt.Sprintf("orders:%d", p), "k", numbers(10*p, 10*p+10)...)
			}
			fields := ann
			if reader.Minimal {
				fields += "client_name: ''"
			}
			first, journal := openInput(t, server.URL(), fields)
			owned(t, first, 4)
			assert.ElementsMatch(t, numbers(0, 40), consume(t, first, 40))

			second, _ := openInput(t, server.URL(), fields)
			owned(t, second, 2)
			owned(t, first, 2)
			for p := range 4 {
				write(t, client, fmt.Sprintf("orders:%d", p), "k", fmt.Sprint(100+p))
			}
			assert.ElementsMatch(t, numbers(100, 104), append(consume(t, first, 2), consume(t, second, 2)...))
			require.NoError(t, second.Close(t.Context()))
			owned(t, first, 4)
			require.NoError(t, first.Close(t.Context()))
			assert.Zero(t, client.ZCard(t.Context(), "rafka:{orders}:members:g").Val(), "both have left")
			last, err := client.XRevRangeN(t.Context(), "orders:3", "+", "-", 1).Result()
			require.NoError(t, err)
			assert.Equal(t, last[0].ID, committed(t, client, "orders:3"))

			assert.Empty(t, journal.Lines("unavailable"))
			groups := client.XInfoGroups(t.Context(), "orders:0").Val()
			if reader.Minimal {
				assert.Len(t, journal.Lines("level=WARN"), 1)
				assert.Len(
					t,
					journal.Lines("level=WARN", "PUBLISH", "SUBSCRIBE", "XGROUP CREATE", "ACL SETUSER <username> +"),
					1,
				)
				assert.Empty(t, groups)
				return
			}
			assert.Empty(t, journal.Lines("level=WARN"))
			assert.Empty(t, server.Denied(t))
			assert.Len(t, groups, 1, "the mirror")
		})
	}
}

// The same for a topic without partitions, whose keys differ.
func TestPlainTopicIsReadWithAReadersPermissions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	allow(t, client, access.ACL{})
	for _, start := range []string{"earliest", "latest"} { // the second continues where the first stopped
		in, journal := openInput(t, server.URL(), ann+"start_offset: "+start)
		owned(t, in, 1)
		write(t, client, "orders", "", "a")
		assert.Equal(t, []string{"a"}, consume(t, in, 1))
		require.NoError(t, in.Close(t.Context()))
		assert.Empty(t, journal.Lines("level=WARN"))
	}
	assert.Empty(t, server.Denied(t))
}

// Without permissions for channels, members lose notifications and nothing else, and nothing is
// logged.
func TestRevokedChannelsLoseOnlyHints(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	allow(t, client, access.ACL{})
	in, journal := openInput(t, server.URL(), ann)
	owned(t, in, 1)
	acl(t, client, "resetchannels", "-publish", "-subscribe", "-xgroup", "-xinfo|groups")
	require.Eventually(t, func() bool { return len(server.Denied(t)) > 0 }, time.Minute, 10*time.Millisecond)
	for i := range 5 {
		write(t, client, "orders", "", fmt.Sprint(i))
		assert.Equal(t, []string{fmt.Sprint(i)}, consume(t, in, 1))
	}
	second, _ := openInput(t, server.URL(), ann)
	require.Eventually(t, func() bool {
		return client.ZCard(t.Context(), "rafka:{orders}:members:g").Val() == 2
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, in.Close(t.Context()))
	owned(t, second, 1)
	assert.Empty(t, journal.Lines("unavailable"))
}

// An input without a required permission returns the permission and the remedy and does not join
// the group. It joins automatically when the permission is granted.
func TestInputWaitsForItsPermissions(t *testing.T) {
	t.Parallel()
	for missing, want := range map[string][]string{
		"+hset":                            {"may not run HSET", "+hset"},
		"+xread":                           {"may not run XREAD", "+xread"},
		"+evalsha":                         {"'evalsha'", "+evalsha"},
		"+eval":                            {"'eval'", "+eval"},
		"~rafka:{orders}:members:g":        {"may not read and write rafka:{orders}:members:g"},
		"~rafka:{orders:[0-9]}:lease:g":    {"may not read and write rafka:{orders:0}:lease:g"},
		"~rafka:{orders}:topic":            {"rafka:{orders}:topic", "~<key>"},
		"the user may do nothing at first": {"'hgetall'", "+hgetall"},
	} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			createTopic(t, client, 2)
			rules, err := access.ACL{Role: access.RoleReader, Topic: "orders", Group: "g"}.Rules()
			require.NoError(t, err)
			require.NoError(t, client.ScriptFlush(t.Context()).Err())
			acl(t, client, "reset", "on", ">pw")
			if missing[0] == '+' || missing[0] == '~' {
				for _, rule := range rules {
					if rule != missing {
						acl(t, client, rule)
					}
				}
			}
			in, _ := closedInput(t, server.URL(), ann+"client_name: ''")
			err = in.Connect(patient(t))
			for _, word := range append(want, "ACL SETUSER <username> ") {
				require.ErrorContains(t, err, word)
			}
			var later *service.ErrBackOff
			require.ErrorAs(t, err, &later)
			assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(later.Err))
			assert.Equal(
				t,
				[]string{"rafka:{orders}:topic"},
				client.Keys(t.Context(), "*").Val(),
				"nothing was written",
			)
			acl(t, client, rules...)
			require.NoError(t, reconnect(patient(t), in))
			owned(t, in, 2)
		})
	}
}
