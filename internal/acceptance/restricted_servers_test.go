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

// withoutCommands returns the arguments of a server without the given commands.
func withoutCommands(commands ...string) (args []string) {
	for _, name := range commands {
		args = append(args, "--rename-command", name, "")
	}
	return args
}

// serverSetup is a server like a managed service, with its connection fields. If url is nil, the
// server's own URL is used.
type serverSetup struct {
	args        []string
	url         func(t *testing.T, s *redistest.Server) string
	credentials string
	// resp is the protocol version that is used in the end.
	resp string
}

const password = "password: pw\n"

var serverSetups = map[string]serverSetup{
	"without administration": {
		args: withoutCommands(
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
	"without INFO and hints": {args: withoutCommands("INFO", "PUBLISH", "SUBSCRIBE", "XGROUP", "CONFIG", "CLIENT")},
	"without HELLO":          {args: withoutCommands("HELLO"), resp: "2"},
	"without HELLO, with a password": {
		args: append(withoutCommands("HELLO"), "--requirepass", "pw"), credentials: password, resp: "2",
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
		args: withoutCommands("HELLO", "CLIENT"),
		url: func(t *testing.T, s *redistest.Server) string {
			t.Helper()
			return redistest.StartProxy(t, s.Addr()).URL()
		},
	},
}

// A pipeline reads and writes on servers that lack commands, without a warning.
func TestPipelineWorksOnRestrictedServers(t *testing.T) {
	for what, setup := range serverSetups {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, setup.args...)
			client := server.Client(t, func(o *redis.Options) {
				if setup.credentials != "" {
					o.Password = "pw"
				}
			})
			url := server.URL()
			if setup.url != nil {
				url = setup.url(t, server)
			}
			source := newSource(t, client)
			source.write(t, 100)
			p := start(t, copier{url: url, credentials: setup.credentials})
			p.awaitReady(t, 200)
			source.awaitCopies(t, 0)
			source.write(t, 300)
			source.awaitCopies(t, 0)
			if setup.resp != "" {
				named := rafkaConnections(t, client)
				require.NotEmpty(t, named)
				for _, connection := range named {
					assert.Contains(t, connection, "resp="+setup.resp)
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

// requireOnce checks that every number was copied once.
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

// rafkaConnections returns the lines of CLIENT LIST about rafka's connections.
func rafkaConnections(t *testing.T, client *redis.Client) (lines []string) {
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

// A running pipeline sends only the commands that it always needs, in particular no commands that
// change or inspect the server.
func TestPipelineSendsNoAdminCommands(t *testing.T) {
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
			t.Errorf("the pipeline sent %s", name)
		case "config":
			assert.Equal(t, "config|resetstat", name, "which is this test's own")
		case "client":
			assert.Contains(t, []string{"client|setname", "client|setinfo"}, name)
		}
	}
	assert.Positive(t, commands["client|setname"])
	assert.LessOrEqual(t, commands["client|setinfo"], 2, "this test's own connection")
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
