package access

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
)

// fakeServer returns a client of a server that answers the commands, in lower case, with the
// replies, and all other commands with OK.
func fakeServer(t *testing.T, replies map[string]string) *redis.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { // ends when the listener is closed
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { answer(conn, replies) }) // ends when the client is closed
		}
	})
	client := redis.NewClient(
		&redis.Options{Addr: listener.Addr().String(), MaxRetries: -1, Protocol: 2, DisableIdentity: true},
	)
	t.Cleanup(func() {
		_ = client.Close()
		_ = listener.Close()
		serving.Wait()
	})
	return client
}

func answer(conn net.Conn, replies map[string]string) {
	defer conn.Close()
	in := bufio.NewScanner(conn)
	for in.Scan() {
		var words, skip int
		if _, err := fmt.Sscanf(in.Text(), "*%d", &words); err != nil {
			return
		}
		var name string
		for skip = 0; skip < 2*words && in.Scan(); skip++ {
			if skip == 1 {
				name = strings.ToLower(in.Text())
			}
		}
		reply, known := replies[name]
		switch {
		case known:
		case name == "hello":
			reply = "-ERR unknown command 'hello'\r\n"
		default:
			reply = "+OK\r\n"
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

func TestCheckServerIgnoresReportedVersions(t *testing.T) {
	bulk := func(lines ...string) string {
		text := "# Server\r\n" + strings.Join(lines, "\r\n") + "\r\n"
		return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
	}
	const (
		denied  = "-NOPERM no\r\n"
		capable = "*2\r\n$2\r\nOK\r\n*0\r\n"
		old     = "*2\r\n$2\r\nOK\r\n*1\r\n$10\r\nEXPIRETIME\r\n"
		none    = "-ERR unknown command 'evalsha', with args beginning with: \r\n"
	)
	tests := map[string]struct{ info, capabilities, want string }{
		"6.2 with all commands":  {bulk("redis_version:6.2.14"), capable, ""},
		"7.2 without EXPIRETIME": {bulk("redis_version:7.2.4"), old, "(Redis 7.2.4) lacks EXPIRETIME"},
		"6.2 without EXPIRETIME": {bulk("redis_version:6.2.14"), old, "(Redis 6.2.14) lacks EXPIRETIME"},
		"old valkey": {
			bulk("redis_version:7.2.4", "valkey_version:7.0.9"),
			old,
			"(Valkey 7.0.9) lacks EXPIRETIME",
		},
		"no version":        {bulk("os:Linux"), capable, ""},
		"no version, old":   {bulk("os:Linux"), old, "(version unknown) lacks EXPIRETIME"},
		"strange version":   {bulk("redis_version:managed"), capable, ""},
		"INFO denied, old":  {denied, old, "(version unknown) lacks EXPIRETIME"},
		"without scripts":   {bulk("redis_version:7.2.4"), none, "(Redis 7.2.4) lacks EVALSHA"},
		"scripts denied":    {denied, denied, ""},
		"another error":     {denied, "-ERR eval needs a key\r\n", ""},
		"another reply":     {denied, "+OK\r\n", ""},
		"loading":           {bulk("redis_version:7.2.4"), "-LOADING is loading\r\n", "LOADING"},
		"password required": {bulk("redis_version:7.2.4"), "-NOAUTH first\r\n", "`password`"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := CheckServer(
				t.Context(),
				fakeServer(t, map[string]string{"info": test.info, "evalsha": test.capabilities}),
			)
			var old *OldServerError
			switch {
			case test.want == "":
				require.NoError(t, err)
			case strings.Contains(test.want, "lacks"):
				require.ErrorAs(t, err, &old)
				require.ErrorContains(t, err, "rafka needs Redis 7.0 or Valkey 7.2, or newer")
				fallthrough
			default:
				assert.ErrorContains(t, err, test.want)
			}
		})
	}
}

// Every command of the scripts is required, or optional and called by pcall.
func TestRequiredCommandsCoverTheScripts(t *testing.T) {
	files, err := filepath.Glob("../*/lua/*.lua")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	// XRANGE and XREVRANGE are for servers that return less in XINFO STREAM, UNLINK is for `rafka
	// group delete`, and so is SREM. XACK, XCLAIM and XPENDING are for share groups and for the adoption of groups.
	// The commands after them are for dead letters.
	optionalCommands := []string{
		"PUBLISH", "XGROUP", "XTRIM", "XRANGE", "XREVRANGE", "UNLINK", "SREM", "XLEN", "XACK", "XCLAIM", "XPENDING",
		"HRANDFIELD", "XDEL", "ZCOUNT", "ZREMRANGEBYRANK",
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, call := range regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`).FindAllStringSubmatch(string(text), -1) {
			assert.Contains(t, append(optionalCommands, requiredCommands...), call[1], file)
		}
	}
}

func TestCheckServerNamesDisabledCommands(t *testing.T) {
	server := redistest.Start(
		t,
		"--rename-command",
		"XADD",
		"",
		"--rename-command",
		"ZSCORE",
		"",
		"--rename-command",
		"PUBLISH",
		"",
	)
	err := CheckServer(t.Context(), server.Client(t))
	require.ErrorContains(t, err, "lacks XADD, ZSCORE: rafka needs")
	server = redistest.Start(t, "--rename-command", "EVALSHA", "", "--rename-command", "EVAL", "")
	require.ErrorContains(t, CheckServer(t.Context(), server.Client(t)), "lacks EVAL, EVALSHA: rafka needs")
	for _, command := range []string{"EVALSHA", "EVAL"} {
		server = redistest.Start(t, "--rename-command", command, "")
		require.ErrorContains(t, CheckServer(t.Context(), server.Client(t)), "lacks "+command+": rafka needs")
	}
}

// CheckServer ignores missing permissions, since other checks report them.
func TestCheckServerNeedsPermissionForScriptsOnly(t *testing.T) {
	server := redistest.Start(t, "--rename-command", "EXPIRETIME", "")
	admin := server.Client(t)
	for _, rules := range []string{"+eval +evalsha", "+ping"} {
		require.NoError(
			t,
			admin.Do(t.Context(), append([]any{"acl", "setuser", "u", "reset", "on", ">p"}, words(rules)...)...).Err(),
		)
		client := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "u", "p" })
		err := CheckServer(t.Context(), client)
		if rules == "+ping" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "(version unknown) lacks EXPIRETIME: rafka needs")
	}
	log, err := admin.ACLLog(t.Context(), 100).Result()
	require.NoError(t, err)
	for _, entry := range log {
		assert.Contains(t, []string{"info", "evalsha", "time"}, entry.Object)
	}
}

func words(text string) (all []any) {
	for word := range strings.FieldsSeq(text) {
		all = append(all, word)
	}
	return all
}

func TestCheckServerAcceptsSupportedServers(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		require.NoError(t, CheckServer(t.Context(), s.Client))
	})
}

func TestCheckServerChecksEachMasterOfACluster(t *testing.T) {
	old := fakeServer(
		t,
		map[string]string{"info": "$19\r\nredis_version:6.2.0\r\n", "evalsha": "-ERR unknown command\r\n"},
	)
	cluster := clusterOf(t, old.Options().Addr)
	err := CheckServer(t.Context(), cluster)
	_, port, splitErr := net.SplitHostPort(old.Options().Addr)
	require.NoError(t, splitErr)
	require.ErrorContains(t, err, ":"+port) // go-redis leaves a loopback host out
	assert.ErrorContains(t, err, "Redis 6.2.0")
}

func TestCheckServerWithoutAServerNamesTheRemedy(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	server.Kill(t)
	err := CheckServer(t.Context(), client)
	assert.Equal(t, rediserr.ClassConnection, rediserr.Classify(err))
	assert.ErrorContains(t, err, "`url`")
}
