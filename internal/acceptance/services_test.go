package acceptance

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// taken is the command line of a server from which commands were taken away.
func taken(commands ...string) (args []string) {
	for _, name := range commands {
		args = append(args, "--rename-command", name, "")
	}
	return args
}

// seller is a server as it is sold, and the connection's fields for it; url is that of the server
// if empty.
type seller struct {
	args        []string
	url         func(t *testing.T, s *redistest.Server) string
	credentials string
	// resp is the version of the protocol that is spoken in the end.
	resp string
}

const password = "password: pw\n"

var sellers = map[string]seller{
	"without administration": {
		args: taken(
			"CONFIG",
			"CLIENT",
			"DEBUG",
			"FLUSHALL",
			"FLUSHDB",
			"KEYS",
			"SHUTDOWN",
			"SAVE",
			"BGSAVE",
			"BGREWRITEAOF",
			"REPLICAOF",
			"SLAVEOF",
			"ACL",
			"MONITOR",
			"SLOWLOG",
			"LATENCY",
			"MODULE",
			"SYNC",
			"PSYNC",
			"CLUSTER",
			"FUNCTION",
			"SWAPDB",
			"MIGRATE",
			"COMMAND",
			"SCRIPT",
			"WAIT",
		),
	},
	"without INFO and hints": {args: taken("INFO", "PUBLISH", "SUBSCRIBE", "XGROUP", "CONFIG", "CLIENT")},
	"without HELLO":          {args: taken("HELLO"), resp: "2"},
	"without HELLO, with a password": {
		args: append(taken("HELLO"), "--requirepass", "pw"), credentials: password, resp: "2",
	},
	"asked for RESP2": {
		url:  func(_ *testing.T, s *redistest.Server) string { return s.URL() + "?protocol=2" },
		resp: "2",
	},
	"asked for RESP2, with a password": {
		args: []string{
			"--requirepass",
			"pw",
		},
		url:         func(_ *testing.T, s *redistest.Server) string { return s.URL() + "?protocol=2" },
		credentials: password,
		resp:        "2",
	},
	"behind a proxy": {url: func(t *testing.T, s *redistest.Server) string {
		t.Helper()
		return redistest.StartProxy(t, s.Addr()).URL()
	}, resp: "3"},
	"behind a proxy without HELLO": {
		args: taken("HELLO", "CLIENT"),
		url: func(t *testing.T, s *redistest.Server) string {
			t.Helper()
			return redistest.StartProxy(t, s.Addr()).URL()
		},
	},
}

// A pipeline reads and writes on servers that lack what others have, and has nothing to say about
// that.
func TestPipelineNeedsLittleOfAServer(t *testing.T) {
	for what, service := range sellers {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, service.args...)
			client := server.Client(t, func(o *redis.Options) {
				if service.credentials != "" {
					o.Password = "pw"
				}
			})
			url := server.URL()
			if service.url != nil {
				url = service.url(t, server)
			}
			source := newSource(t, client)
			source.write(t, 100)
			p := start(t, copier{url: url, credentials: service.credentials})
			p.awaitReady(t, 200)
			source.awaitCopies(t, 0)
			source.write(t, 300)
			source.awaitCopies(t, 0)
			if service.resp != "" {
				named := ours(t, client)
				require.NotEmpty(t, named)
				for _, connection := range named {
					assert.Contains(t, connection, "resp="+service.resp)
				}
			}
			p.stop(t)
			source.requireOnce(t)
			for _, level := range []string{"level=WARN", "level=ERROR"} {
				assert.Empty(t, p.journal.Lines(level))
			}
		})
	}
}

// requireOnce requires that every number was copied once.
func (s *source) requireOnce(t *testing.T) {
	t.Helper()
	var copied int64
	for p := range 4 {
		// the server may lack XLEN
		entries, err := s.client.XRange(t.Context(), fmt.Sprintf("copies:%d", p), "-", "+").Result()
		require.NoError(t, err)
		copied += int64(len(entries))
	}
	require.EqualValues(t, s.next, copied)
}

// ours are the lines of CLIENT LIST about rafka's connections.
func ours(t *testing.T, client *redis.Client) (lines []string) {
	t.Helper()
	all, err := client.ClientList(t.Context()).Result()
	require.NoError(t, err)
	for line := range strings.Lines(all) {
		if strings.Contains(line, " name=rafka ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// What a pipeline sends while it runs is all that it ever needs: in particular nothing that changes
// or looks into the server.
func TestPipelineSendsNoAdministration(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	source := newSource(t, client)
	source.write(t, 50)
	require.NoError(t, client.ConfigResetStat(t.Context()).Err())
	p := start(t, copier{url: server.URL()})
	p.awaitReady(t, 200)
	source.write(t, 50)
	source.awaitCopies(t, 0)
	require.Eventually(
		t,
		func() bool { return executed(t, client)["ping"]+executed(t, client)["publish"] > 0 },
		time.Minute,
		10*time.Millisecond,
	)
	p.stop(t)
	commands := executed(t, client)
	for name := range commands {
		family, _, _ := strings.Cut(name, "|")
		switch family {
		case "debug",
			"monitor",
			"keys",
			"flushall",
			"flushdb",
			"slowlog",
			"latency",
			"acl",
			"script",
			"command",
			"module",
			"cluster",
			"wait":
			t.Errorf("it sent %s", name)
		case "config":
			assert.Equal(t, "config|resetstat", name, "which is this test's own")
		case "client":
			assert.Contains(t, []string{"client|setname", "client|setinfo"}, name)
		}
	}
	assert.Positive(t, commands["client|setname"])
	assert.LessOrEqual(t, commands["client|setinfo"], 2, "those of this test's own connection")
}

// executed counts the commands that the server has executed.
func executed(t *testing.T, client *redis.Client) map[string]int {
	t.Helper()
	info, err := client.Info(t.Context(), "commandstats").Result()
	require.NoError(t, err)
	counts := map[string]int{}
	for line := range strings.Lines(info) {
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls="); ok {
			calls, _, _ := strings.Cut(rest, ",")
			counts[name], err = strconv.Atoi(calls)
			require.NoError(t, err)
		}
	}
	return counts
}
