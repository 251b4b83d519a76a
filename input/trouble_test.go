package input

import (
	"context"
	"errors"
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

	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// durable are the arguments of a server that loses nothing it acknowledged.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// ann is a user who may do everything.
const ann = "username: ann\npassword: pw\n"

// acl changes what ann may do.
func acl(t *testing.T, client *redis.Client, rules ...string) {
	t.Helper()
	args := []any{"ACL", "SETUSER", "ann", "on", ">pw"}
	for _, rule := range rules {
		args = append(args, rule)
	}
	require.NoError(t, client.Do(t.Context(), args...).Err())
}

// lost requires that ReadBatch says that the input is not connected, and that Connect does not find
// that it is.
func lost(t *testing.T, in *Input) {
	t.Helper()
	ctx := patient(t)
	for {
		d, err := nextOnce(ctx, in)
		if err == nil {
			require.NoError(t, d.ack(ctx, nil)) // what had been fetched before
			continue
		}
		require.ErrorIs(t, err, service.ErrNotConnected)
		first := in.current() == nil // then it says so in any case, and a busy machine may not have got far
		if err := in.Connect(brief(t, 300*time.Millisecond)); !first {
			require.Error(t, err)
			return
		}
	}
}

func nextOnce(ctx context.Context, in *Input) (delivery, error) {
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

// What can go wrong while the input runs: the log says so once, with the remedy, nothing is
// connected meanwhile, and it goes on by itself once it is mended, with nothing lost.
func TestTroubleWhileRunningIsToldOnceAndRecoveredFrom(t *testing.T) {
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
		fields      string
		spoil, mend action
		says        []string
	}{
		"killed": {
			spoil: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Kill(t) },
			mend:  func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Restart(t) },
			says:  []string{"cannot be reached"},
		},
		"frozen": {
			spoil: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Pause(t) },
			mend:  func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Resume(t) },
			says:  []string{"did not answer in time"},
		},
		"user removed":      {ann, do("ACL", "DELUSER", "ann"), grant("~*", "&*", "+@all"), []string{"check `username` and `password`"}},
		"XREAD withdrawn":   {ann, grant("-xread"), grant("+xread"), []string{"xread", "ACL SETUSER"}},
		"EVALSHA withdrawn": {ann, grant("-evalsha"), grant("+evalsha"), []string{"evalsha", "ACL SETUSER"}},
		"HSET withdrawn":    {ann, grant("-hset"), grant("+hset"), []string{"may not run HSET", "rafka:{orders", "ACL SETUSER <username> +hset"}},
		"ZADD withdrawn":    {ann, grant("-zadd"), grant("+zadd"), []string{"may not run ZADD", "rafka:{orders}:members:g", "+zadd"}},
		"TIME withdrawn":    {ann, grant("-time"), grant("+time"), []string{"may not run TIME", "+time"}},
		"members withdrawn": {
			ann, grant("resetkeys", "~orders*", "~rafka:{orders:*", "~rafka:{orders}:plan:g", "~rafka:{orders}:topic"), grant("resetkeys", "~*"),
			[]string{"may not read and write rafka:{orders}:members:g", "~rafka:{orders}:members:g"},
		},
		"everything withdrawn": {ann, grant("-@all"), grant("+@all"), []string{"ACL SETUSER"}},
		"keys withdrawn":       {ann, grant("resetkeys"), grant("~*"), []string{"ACL SETUSER"}},
		"replica":              {"", do("REPLICAOF", "127.0.0.1", "1"), do("REPLICAOF", "NO", "ONE"), []string{"read-only replica"}},
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

			c.spoil(t, server, client)
			lost(t, in)
			oneLine(t, journal, c.says...)
			c.mend(t, server, client)
			start := time.Now()
			fill(30)
			require.NoError(t, reconnect(patient(t), in))
			assert.Less(t, time.Since(start), promptly)
			fresh := map[string]bool{}
			for len(fresh) < 30 {
				for _, body := range consume(t, in, 1) {
					if slices.Contains(numbers(30, 60), body) { // others may come twice
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

// On a server without memory a member finishes and commits what there is; a new one can't begin.
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

// Whatever is wrong with one partition, the others flow.
func TestPartitionOfAnotherTypeStopsNoOther(t *testing.T) {
	for _, when := range []string{"at the start", "while running"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			createTopic(t, client, 4)
			spoil := func() { require.NoError(t, client.Set(t.Context(), "orders:3", "x", 0).Err()) }
			if when == "at the start" {
				spoil()
			}
			in, journal := closedInput(t, server.URL(), "")
			if when == "while running" {
				require.NoError(t, in.Connect(patient(t)))
				require.Eventually(
					t,
					func() bool { return in.current().consumer.Owned() == 4 },
					time.Minute,
					time.Millisecond,
				)
				spoil()
			}
			for range 3 {
				for p := range 3 {
					write(t, client, fmt.Sprintf("orders:%d", p), "", numbers(10*p, 10*p+10)...)
				}
				consume(t, in, 30)
			}
			lost(t, in)
			oneLine(t, journal, "orders:3", "WRONGTYPE", "rename or delete that key")

			require.NoError(t, client.Del(t.Context(), "orders:3").Err())
			write(t, client, "orders:3", "", "mended")
			assert.Equal(t, []string{"mended"}, consume(t, in, 1))
			require.NoError(t, in.Connect(patient(t)))
			oneLine(t, journal)
			assert.Eventually(
				t,
				func() bool { return len(journal.Lines("available again")) == 1 },
				time.Minute,
				time.Millisecond,
			)
		})
	}
}

// A key of rafka's own that holds something else is named.
func TestOwnKeyOfAnotherTypeIsTold(t *testing.T) {
	for what, key := range map[string]string{
		"members": "rafka:{orders}:members:g", "plan": "rafka:{orders}:plan:g", "metadata": "rafka:{orders}:topic", "lease": "rafka:{orders}:lease:g",
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			write(t, client, "orders", "", "a")
			require.NoError(t, client.RPush(t.Context(), key, "x").Err())
			in, journal := closedInput(t, server.URL(), "")
			lost(t, in)
			oneLine(t, journal, "WRONGTYPE", key, "rename or delete that key")
			require.NoError(t, client.Del(t.Context(), key).Err())
			assert.Equal(t, []string{"a"}, consume(t, in, 1))
			oneLine(t, journal)
		})
	}
}

func TestGroupOfAnotherTypeIsRefusedWithTheRemedy(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	require.NoError(t, client.HSet(t.Context(), "rafka:{orders}:plan:g", "group_type", "share").Err())
	in, journal := closedInput(t, server.URL(), "")
	require.Error(t, in.Connect(brief(t, time.Second)))
	oneLine(t, journal, "is a share group", "use another consumer_group")
	assert.Empty(t, journal.Lines("cannot be reached"))
}

func TestForgottenScriptsAreTaughtAgain(t *testing.T) {
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

// An outage in which others took its partitions over leaves a member with nothing to do, and
// nothing to complain of.
func TestMemberWithoutPartitionsIsConnectedAgain(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	acl(t, client, "~*", "&*", "+@all")
	in, _ := openInput(t, server.URL(), ann)
	write(t, client, "orders", "", "a")
	assert.Equal(t, []string{"a"}, consume(t, in, 1))
	standby, _ := openInput(t, server.URL(), "")
	acl(t, client, "-@all")
	lost(t, in)
	require.Eventually(
		t,
		func() bool { return standby.current().consumer.Owned() == 1 },
		time.Minute,
		10*time.Millisecond,
	)
	acl(t, client, "+@all")
	require.NoError(t, reconnect(patient(t), in))
	assert.Zero(t, in.current().consumer.Owned())
	_, err := nextOnce(brief(t, 2*time.Second), in)
	require.ErrorIs(t, err, context.DeadlineExceeded, "it waits")
}

// An outage may begin with a server that is down and go on with one that is up and refuses: while
// the input waits to be connected, that was not told.
func TestAnotherReasonIsToldWhileTheInputIsAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	acl(t, client, "~*", "&*", "+@all")
	proxy := redistest.StartProxy(t, server.Addr())
	in, journal := openInput(t, proxy.URL(), ann)
	write(t, client, "orders", "", "a")
	assert.Equal(t, []string{"a"}, consume(t, in, 1))
	proxy.Reset()
	lost(t, in)
	oneLine(t, journal, "cannot be reached")
	connected := make(chan error, 1)
	causes := &logtest.Journal{}
	go func() { // joined below
		ctx := patient(t)
		for {
			err := in.Connect(ctx)
			if later := (*service.ErrBackOff)(nil); !errors.As(err, &later) {
				connected <- err
				return
			}
			_, _ = fmt.Fprintln(causes, err) // as the engine logs it, and shows it in /ready
		}
	}()
	require.NoError(t, client.Do(t.Context(), "ACL", "DELUSER", "ann").Err())
	proxy.Pass()
	told := func() int {
		return len(causes.Lines("WRONGPASS", "check `username` and `password`"))
	}
	require.Eventually(t, func() bool { return told() > 0 }, time.Minute, 10*time.Millisecond)
	acl(t, client, "~*", "&*", "+@all")
	require.NoError(t, <-connected)
	write(t, client, "orders", "", "b")
	for !slices.Contains(consume(t, in, 1), "b") { // the other may come again
	}
	assert.Equal(t, 1, told())
}
