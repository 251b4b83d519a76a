package input

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// soon is a context that reports an earlier deadline than it has: the timer of a request can fire
// before the timer of its context.
type soon struct{ context.Context }

func (s soon) Deadline() (time.Time, bool) {
	deadline, limited := s.Context.Deadline()
	return deadline.Add(-time.Second), limited
}

func TestConnectTimeoutIsNotReportedAsAServerError(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	in, _ := closedInput(t, "redis://"+silent.Addr().String(), "")
	require.ErrorIs(t, in.Connect(soon{brief(t, 1200*time.Millisecond)}), context.DeadlineExceeded)
}

// If something is wrong when the input starts, Connect returns it once, with the remedy, and
// continues automatically when it is repaired.
func TestFailureAtStartIsReturnedOnceAndRecovered(t *testing.T) {
	type setup struct {
		args, want []string
		fields     string
		damage     func(t *testing.T, s *redistest.Server, c *redis.Client)
		repair     func(t *testing.T, s *redistest.Server, c *redis.Client)
	}
	grant := func(rules ...string) func(t *testing.T, s *redistest.Server, c *redis.Client) {
		return func(t *testing.T, _ *redistest.Server, c *redis.Client) {
			t.Helper()
			acl(t, c, rules...)
		}
	}
	without := func(rule string) func(t *testing.T, s *redistest.Server, c *redis.Client) {
		return grant("~*", "&*", "+@all", rule)
	}
	do := func(args ...any) func(t *testing.T, s *redistest.Server, c *redis.Client) {
		return func(t *testing.T, _ *redistest.Server, c *redis.Client) {
			t.Helper()
			require.NoError(t, c.Do(t.Context(), args...).Err())
		}
	}
	for what, c := range map[string]setup{
		"unreachable": {
			args: durable, want: []string{"cannot be reached", "check `url`"},
			damage: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Kill(t) },
			repair: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Restart(t) },
		},
		"frozen": {
			want:   []string{"did not answer in time"},
			damage: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Pause(t) },
			repair: func(t *testing.T, s *redistest.Server, _ *redis.Client) { t.Helper(); s.Resume(t) },
		},
		"wrong password": {
			fields: "username: ann\npassword: hunter2", want: []string{"check `username` and `password`"},
			damage: grant("~*", "&*", "+@all"), repair: grant(">hunter2"),
		},
		"password missing": {
			want:   []string{"set `password`"},
			damage: do("CONFIG", "SET", "requirepass", "secret"),
			repair: func(t *testing.T, s *redistest.Server, _ *redis.Client) {
				t.Helper()
				as := s.Client(t, func(o *redis.Options) { o.Password = "secret" })
				require.NoError(t, as.ConfigSet(t.Context(), "requirepass", "").Err())
			},
		},
		"no XREAD": {
			fields: ann, want: []string{"xread", "ACL SETUSER"},
			damage: without("-xread"), repair: grant("+xread"),
		},
		"no EVALSHA": {
			fields: ann, want: []string{"evalsha", "ACL SETUSER"},
			damage: without("-evalsha"), repair: grant("+evalsha"),
		},
		"no EVAL": {
			fields: ann, want: []string{"eval", "ACL SETUSER"},
			damage: without("-eval"), repair: grant("+eval"),
		},
		"no HSET": {
			fields: ann, want: []string{"HSET", "ACL SETUSER"},
			damage: without("-hset"), repair: grant("+hset"),
		},
		"no XINFO": {
			fields: ann, want: []string{"XINFO", "ACL SETUSER"},
			damage: without("-xinfo"), repair: grant("+xinfo"),
		},
		"no streams": {
			fields: ann, want: []string{"ACL SETUSER", "orders"},
			damage: grant("~rafka:*", "&*", "+@all"), repair: grant("~orders*"),
		},
		"no own keys": {
			fields: ann, want: []string{"ACL SETUSER", "rafka:"},
			damage: grant("~orders*", "&*", "+@all"), repair: grant("~rafka:*"),
		},
		"replica": {
			want:   []string{"read-only replica"},
			damage: do("REPLICAOF", "127.0.0.1", "1"), repair: do("REPLICAOF", "NO", "ONE"),
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, c.args...)
			client := server.Client(t)
			createTopic(t, client, 3)
			for p := range 3 {
				write(t, client, fmt.Sprintf("orders:%d", p), "", fmt.Sprint(p))
			}
			in, _ := closedInput(t, server.URL(), c.fields+unhurried)
			c.damage(t, server, client)
			err := in.Connect(patient(t))
			var later *service.ErrBackOff
			require.ErrorAs(t, err, &later)
			for _, word := range c.want {
				assert.Contains(t, strings.ToLower(err.Error()), strings.ToLower(word))
			}
			assert.NotContains(t, err.Error(), "hunter2")
			again := in.Connect(brief(t, 3*time.Second))
			require.ErrorIs(t, again, context.DeadlineExceeded, "each cause is returned once")

			c.repair(t, server, client)
			start := time.Now()
			got := consume(t, in, 3)
			slices.Sort(got)
			assert.Equal(t, []string{"0", "1", "2"}, got)
			assert.Less(t, time.Since(start), promptly)
		})
	}
}

func TestNewCauseAtStartIsReturned(t *testing.T) {
	server := redistest.Start(t, append(durable, "--requirepass", "right")...)
	in, _ := closedInput(t, server.URL(), "password: wrong")
	server.Kill(t)
	require.ErrorContains(t, in.Connect(patient(t)), "cannot be reached")
	result := make(chan error, 1)
	go func() { result <- in.Connect(patient(t)) }() // joined below
	server.Restart(t)
	require.ErrorContains(t, <-result, "password")
}

// oldServer returns the address of a fake server that replies to INFO like Redis 6.2, lacks the
// commands of 7.0, and replies OK to everything else. No real server of that age is available.
func oldServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	serving.Go(func() { // ends when the listener is closed
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, conn)
			mu.Unlock()
			serving.Go(func() { answerAsOld(conn) }) // ends when conn is closed
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		mu.Lock()
		for _, conn := range conns {
			_ = conn.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return "redis://" + listener.Addr().String()
}

func answerAsOld(conn net.Conn) {
	in := bufio.NewScanner(conn)
	for in.Scan() {
		var words int
		if _, err := fmt.Sscanf(in.Text(), "*%d", &words); err != nil {
			return
		}
		var name string
		for line := range 2 * words {
			if in.Scan(); line == 1 {
				name = strings.ToLower(in.Text())
			}
		}
		reply := "+OK\r\n"
		switch name {
		case "hello":
			reply = "-ERR unknown command `hello`\r\n"
		case "evalsha":
			reply = "*2\r\n$2\r\nOK\r\n*1\r\n$10\r\nEXPIRETIME\r\n"
		case "info":
			const text = "# Server\r\nredis_version:6.2.14\r\n"
			reply = fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

func TestOldServerIsRejected(t *testing.T) {
	in, _ := closedInput(t, oldServer(t), unhurried)
	err := in.Connect(patient(t))
	require.ErrorContains(t, err, "Redis 6.2.14")
	require.ErrorContains(t, err, "upgrade the server")
	assert.NotContains(t, err.Error(), "cannot be reached")
	require.ErrorIs(t, in.Connect(brief(t, time.Second)), context.DeadlineExceeded, "each cause is returned once")
	assert.ErrorContains(t, in.ConnectionTest(t.Context())[0].Err, "Redis 6.2.14")
}

func TestConnectEndsWithItsContextAndWithClose(t *testing.T) {
	in, _ := closedInput(t, "redis://127.0.0.1:1", "")
	require.Error(t, in.Connect(t.Context()))
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() { result <- in.Connect(ctx) }() // joined below
	cancel()
	require.ErrorIs(t, <-result, context.Canceled)
	go func() { result <- in.Connect(t.Context()) }() // joined below
	require.NoError(t, in.Close(context.Background()))
	require.ErrorIs(t, <-result, service.ErrEndOfInput)
}

func TestConnectAttemptsBackOff(t *testing.T) {
	in, _ := closedInput(t, "redis://127.0.0.1:1", "heartbeat_interval: 900ms\nsession_timeout: 4s")
	var later *service.ErrBackOff
	require.ErrorAs(t, in.Connect(t.Context()), &later)
	first := later.Wait
	assert.LessOrEqual(t, first, 3*firstBackoff/2)
	for range 6 {
		in.connector.ReportNext()
		require.ErrorAs(t, in.Connect(t.Context()), &later)
	}
	assert.Greater(t, later.Wait, first)
	assert.LessOrEqual(t, later.Wait, 900*time.Millisecond, "no longer than a heartbeat")
}

// Regression: a start time after the last entry was treated as a lost offset, and the whole stream
// was read.
func TestStartAfterTheLastEntryReadsOnlyNewEntries(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		require.NoError(
			t,
			client.XAdd(
				t.Context(),
				&redis.XAddArgs{Stream: "orders", ID: "5-1", Values: []string{"body", "old"}},
			).Err(),
		)
		in, journal := openInput(t, url, "start_offset: '2026-01-31T08:00:00Z'")
		require.Eventually(t, func() bool { return in.current().consumer.Owned() == 1 }, time.Minute, time.Millisecond)
		write(t, client, "orders", "", "new")
		assert.Equal(t, []string{"new"}, consume(t, in, 1))
		assert.Empty(t, journal.Lines("recreated"))
	})
}
