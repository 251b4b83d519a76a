package input

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// durable holds the arguments of a server that loses no acknowledged write.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// ann holds the credentials of a user with all permissions.
const ann = "username: ann\npassword: pw\n"

// acl changes the permissions of ann.
func acl(t *testing.T, client *redis.Client, rules ...string) {
	t.Helper()
	args := []any{"ACL", "SETUSER", "ann", "on", ">pw"}
	for _, rule := range rules {
		args = append(args, rule)
	}
	require.NoError(t, client.Do(t.Context(), args...).Err())
}

// lost requires that ReadBatch returns ErrNotConnected and that Connect does not succeed.
func lost(t *testing.T, in *input) {
	t.Helper()
	ctx := patient(t)
	for {
		d, err := nextOnce(ctx, in)
		if err == nil {
			require.NoError(t, d.ack(ctx, nil)) // fetched before the outage
			continue
		}
		require.ErrorIs(t, err, service.ErrNotConnected)
		first := in.current() == nil // then Connect returns its first failure, which a busy machine can delay
		if err := in.Connect(brief(t, 300*time.Millisecond)); !first {
			require.Error(t, err)
			return
		}
	}
}

func nextOnce(ctx context.Context, in *input) (delivery, error) {
	batch, ack, err := in.ReadBatch(ctx)
	return delivery{batch, ack}, err
}

// failureLine is a log line about what is unavailable, with the cause.
var failureLine = regexp.MustCompile(`(Redis|Partition \S+|Member \S+) unavailable, retrying: (.*)|` +
	`still unavailable, for another reason now, retrying: (.*)`)

// oneLine requires that the log reports a failure with these words, in one line for each part that
// fails and one for another reason.
func oneLine(t *testing.T, j *journal, words ...string) {
	t.Helper()
	logged := map[string]bool{}
	clear := len(words) == 0
	for _, line := range j.Lines("unavailable, ") {
		match := failureLine.FindStringSubmatch(line)
		// UNBLOCKED is the reply to a blocked read when its server becomes a replica.
		if match == nil || strings.Contains(match[2]+match[3], "UNBLOCKED") {
			continue
		}
		assert.False(t, logged[match[1]], "a second line: %s", line)
		logged[match[1]] = true
		assert.Contains(t, line, "level=ERROR")
		clear = clear || !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
	}
	assert.NotEmpty(t, logged)
	assert.True(t, clear, "no line has all of %q: %v", words, j.Lines("unavailable"))
}

// During an outage the log has one line with the remedy, and the input is not connected. After the
// repair it continues automatically and loses nothing.
func TestOutageIsLoggedOnceAndRecovered(t *testing.T) {
	type action func(t *testing.T, s *redistest.Server, c *redis.Client)
	grant := func(rules ...string) action {
		return func(t *testing.T, _ *redistest.Server, c *redis.Client) {
			t.Helper()
			acl(t, c, rules...)
		}
	}
	do := func(args ...any) action {
		return func(t *testing.T, _ *redistest.Server, c *redis.Client) {
			t.Helper()
			require.NoError(t, c.Do(t.Context(), args...).Err())
		}
	}
	for what, c := range map[string]struct {
		fields         string
		damage, repair action
		want           []string // parts of the log line
	}{
		"killed": {
			damage: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Kill(t) },
			repair: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Restart(t) },
			want:   []string{"cannot be reached"},
		},
		"frozen": {
			damage: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Pause(t) },
			repair: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Resume(t) },
			want:   []string{"did not answer in time"},
		},
		"user removed": {
			ann, do("ACL", "DELUSER", "ann"), grant("~*", "&*", "+@all"),
			[]string{"check `username` and `password`"},
		},
		"XREAD withdrawn":   {ann, grant("-xread"), grant("+xread"), []string{"xread", "ACL SETUSER"}},
		"EVALSHA withdrawn": {ann, grant("-evalsha"), grant("+evalsha"), []string{"evalsha", "ACL SETUSER"}},
		"HSET withdrawn": {
			ann, grant("-hset"), grant("+hset"),
			[]string{"may not run HSET", "rafka:{orders", "ACL SETUSER <username> +hset"},
		},
		"ZADD withdrawn": {
			ann, grant("-zadd"), grant("+zadd"),
			[]string{"may not run ZADD", "rafka:{orders}:members:g", "+zadd"},
		},
		"TIME withdrawn": {ann, grant("-time"), grant("+time"), []string{"may not run TIME", "+time"}},
		"members withdrawn": {
			ann,
			grant("resetkeys", "~orders*", "~rafka:{orders:*", "~rafka:{orders}:plan:g", "~rafka:{orders}:topic"),
			grant("resetkeys", "~*"),
			[]string{"may not read and write rafka:{orders}:members:g", "~rafka:{orders}:members:g"},
		},
		"everything withdrawn": {ann, grant("-@all"), grant("+@all"), []string{"ACL SETUSER"}},
		"keys withdrawn":       {ann, grant("resetkeys"), grant("~*"), []string{"ACL SETUSER"}},
		"replica": {
			"", do("REPLICAOF", "127.0.0.1", "1"), do("REPLICAOF", "NO", "ONE"),
			[]string{"read-only replica"},
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, durable...)
			client := server.Client(t)
			acl(t, client, "~*", "&*", "+@all")
			createTopic(t, client, 3)
			fill := func(from int) {
				t.Helper()
				for p := range 3 {
					write(t, client, fmt.Sprintf("orders:%d", p), "", numbers(from+10*p, from+10*p+10)...)
				}
			}
			fill(0)
			in, journal := openInput(t, server.URL(), c.fields)
			consume(t, in, 30)

			c.damage(t, server, client)
			lost(t, in)
			oneLine(t, journal, c.want...)
			c.repair(t, server, client)
			start := time.Now()
			fill(30)
			require.NoError(t, reconnect(patient(t), in))
			assert.Less(t, time.Since(start), promptly)
			fresh := map[string]bool{}
			for len(fresh) < 30 {
				for _, body := range consume(t, in, 1) {
					if slices.Contains(numbers(30, 60), body) { // others can arrive twice
						fresh[body] = true
					}
				}
			}
			oneLine(t, journal)
			assert.Empty(t, journal.Lines("was recreated"))
			members, err := client.ZCard(t.Context(), "rafka:{orders}:members:g").Result()
			require.NoError(t, err)
			assert.EqualValues(t, 1, members, "it is the same member")
		})
	}
}

// On a server without memory, a member processes and commits existing entries; a new one can't
// start.
func TestServerWithoutMemory(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	in, journal := openInput(t, server.URL(), "")
	write(t, client, "orders", "", numbers(0, 10)...)
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	consume(t, in, 10)
	last, err := client.XRevRangeN(t.Context(), "orders", "+", "-", 1).Result()
	require.NoError(t, err)
	assert.Eventually(
		t,
		func() bool { return committed(t, client, "orders") == last[0].ID },
		time.Minute,
		10*time.Millisecond,
	)
	assert.Empty(t, journal.Lines("unavailable"))

	other, journal := closedInput(t, server.URL(), "consumer_group: another")
	lost(t, other)
	oneLine(t, journal, "OOM", "maxmemory")
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	assert.Equal(t, numbers(0, 10), consume(t, other, 10))
	oneLine(t, journal)
}

func TestNoScriptReloadsScripts(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	in, journal := openInput(t, server.URL(), "")
	for i := range 10 {
		require.NoError(t, client.ScriptFlush(t.Context()).Err())
		write(t, client, "orders", "", fmt.Sprint(i))
		assert.Equal(t, []string{fmt.Sprint(i)}, consume(t, in, 1))
	}
	last, err := client.XRevRangeN(t.Context(), "orders", "+", "-", 1).Result()
	require.NoError(t, err)
	assert.Eventually(
		t,
		func() bool { return committed(t, client, "orders") == last[0].ID },
		time.Minute,
		10*time.Millisecond,
	)
	assert.Empty(t, journal.Lines("unavailable"))
	assert.Empty(t, journal.Lines("Lost the lease"))
}
