package output

import (
	"fmt"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/access"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
)

const ann = "username: ann\npassword: pw\n"

// acl changes the permissions of the user ann.
func acl(t *testing.T, client *redis.Client, rules ...string) {
	t.Helper()
	args := []any{"ACL", "SETUSER", "ann", "on", ">pw"}
	for _, rule := range rules {
		args = append(args, rule)
	}
	require.NoError(t, client.Do(t.Context(), args...).Err())
}

// writerRules returns the rules that `rafka acl writer` prints.
func writerRules(t *testing.T, minimal, creates bool) []string {
	t.Helper()
	rules, err := access.ACL{Role: access.RoleWriter, Topic: "orders", Minimal: minimal, Creates: creates}.Rules()
	require.NoError(t, err)
	return rules
}

// With the permissions that `rafka acl` prints, an output creates its topic, writes and trims it,
// and writes its metadata back.
func TestOutputWorksWithWriterPermissions(t *testing.T) {
	for _, partitions := range []int{0, 4} {
		t.Run(fmt.Sprint(partitions, " partitions"), func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			acl(t, client, writerRules(t, false, partitions > 0)...)
			fields := ann + "key: ${! @id }\nmax_length: 10\nmax_age: 1h\n"
			streams := []string{"orders"}
			if partitions > 0 {
				fields += fmt.Sprintf("partitions: %d\n", partitions)
				streams = []string{"orders:0", "orders:1", "orders:2", "orders:3"}
			}
			out, journal := openOutput(t, server, fields)
			require.NoError(t, client.ConfigSet(t.Context(), "stream-node-max-entries", "5").Err())
			for i := range 10 {
				require.NoError(t, deliver(t.Context(), out, numbered(100*i, 100*i+100, 20)))
			}
			for _, stream := range streams {
				assert.Less(t, client.XLen(t.Context(), stream).Val(), int64(100), "%s was trimmed", stream)
			}
			if partitions > 0 {
				require.NoError(t, client.Del(t.Context(), "rafka:{orders}:topic").Err())
				require.NoError(t, out.Connect(t.Context()))
				assert.Equal(t, "4", client.HGet(t.Context(), "rafka:{orders}:topic", "partitions").Val())
			}
			require.NoError(t, out.Close(t.Context()))
			assert.Empty(t, journal.Lines("ACL"))
			assert.Empty(t, server.Denied(t))
		})
	}
}

// Without optional permissions an output logs that once, and works.
func TestOutputWorksWithMinimalPermissions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	acl(t, client, writerRules(t, true, true)...)
	out, journal := openOutput(
		t,
		server,
		ann+"client_name: ''\npartitions: 2\npartitioner: round_robin\nmax_length: 10\n",
	)
	require.NoError(t, deliver(t.Context(), out, numbered(0, 100, 1)))
	require.NoError(t, out.Connect(t.Context()))
	assert.EqualValues(t, 100, client.XLen(t.Context(), "orders:0").Val()+client.XLen(t.Context(), "orders:1").Val())
	assert.Len(t, journal.Lines("level=WARN", "Optional permissions are missing", "XTRIM (", "PUBLISH (", "+xtrim"), 1)
	assert.Len(t, journal.Lines("level=WARN", "old entries are not trimmed", "by XTRIM"), 1, "the consequence")
}

// An output without a required permission reports the permission and the remedy, writes nothing,
// and continues when the permission is granted. This holds at the start and while it runs.
func TestOutputWaitsForItsPermissions(t *testing.T) {
	for missing, says := range map[string][]string{
		"+xadd":                            {"may not run XADD", "+xadd"},
		"+set":                             {"may not run SET", "+set"},
		"+time":                            {"may not run TIME", "+time"},
		"+hgetall":                         {"'hgetall'", "+hgetall"},
		"+evalsha":                         {"'evalsha'", "+evalsha"},
		"~orders:[0-9]":                    {"may not read and write orders:", "~orders:"},
		"~rafka:{orders:[0-9]}:producer:*": {"may not read and write rafka:{orders:", "}:producer:*"},
	} {
		t.Run(missing, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			rules := writerRules(t, false, true)
			withdraw := func() {
				acl(t, client, "reset", "on", ">pw")
				for _, rule := range rules {
					if rule != missing {
						acl(t, client, rule)
					}
				}
			}
			withdraw()
			out, _ := closedOutput(t, server, ann+"partitions: 2\nmax_age: 1h\n")
			refused := func() {
				t.Helper()
				err := out.Connect(t.Context())
				for _, word := range append(says, "ACL SETUSER <username> ") {
					require.ErrorContains(t, err, word)
				}
				var later *service.ErrBackOff
				require.ErrorAs(t, err, &later)
				assert.Equal(t, rediserr.ClassPermission, rediserr.Classify(later.Err))
			}
			refused()
			assert.Empty(t, client.Keys(t.Context(), "*").Val(), "nothing was written")
			acl(t, client, rules...)
			require.NoError(t, reconnect(t.Context(), out))
			require.NoError(t, deliver(t.Context(), out, numbered(0, 10, 1)))

			withdraw()
			if missing != "+hgetall" { // the cached topic is used
				err := out.WriteBatch(t.Context(), numbered(10, 20, 1))
				for _, word := range append(says, "ACL SETUSER <username> ") {
					require.ErrorContains(t, err, word)
				}
				require.ErrorIs(t, out.WriteBatch(t.Context(), numbered(10, 20, 1)), service.ErrNotConnected)
			}
			refused()
			acl(t, client, rules...)
			require.NoError(t, deliver(t.Context(), out, numbered(10, 20, 1)))
			assert.Len(t, append(bodies(t, client, "orders:0"), bodies(t, client, "orders:1")...), 20)
		})
	}
}
