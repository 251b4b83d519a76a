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

// serverThatSays answers commands, in lower case, with the given replies and all else with OK.
func serverThatSays(t *testing.T, replies map[string]string) *redis.Client {
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

func TestCheckServerGoesByAbilitiesAndNotByVersions(t *testing.T) {
	bulk := func(lines ...string) string {
		text := "# Server\r\n" + strings.Join(lines, "\r\n") + "\r\n"
		return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
	}
	const (
		refused = "-NOPERM no\r\n"
		able    = "*2\r\n$2\r\nOK\r\n*0\r\n"
		old     = "*2\r\n$2\r\nOK\r\n*1\r\n$10\r\nEXPIRETIME\r\n"
		none    = "-ERR unknown command 'evalsha', with args beginning with: \r\n"
	)
	tests := map[string]struct{ info, abilities, says string }{
		"6.2 that can do it": {bulk("redis_version:6.2.14"), able, ""},
		"7.2 that can't":     {bulk("redis_version:7.2.4"), old, "(Redis 7.2.4) lacks EXPIRETIME"},
		"a real 6.2":         {bulk("redis_version:6.2.14"), old, "(Redis 6.2.14) lacks EXPIRETIME"},
		"old valkey": {
			bulk("redis_version:7.2.4", "valkey_version:7.0.9"),
			old,
			"(Valkey 7.0.9) lacks EXPIRETIME",
		},
		"hides its version":          {bulk("os:Linux"), able, ""},
		"hides its version, is old":  {bulk("os:Linux"), old, "(version unknown) lacks EXPIRETIME"},
		"strange version":            {bulk("redis_version:managed"), able, ""},
		"refuses INFO and is old":    {refused, old, "(version unknown) lacks EXPIRETIME"},
		"without scripts":            {bulk("redis_version:7.2.4"), none, "(Redis 7.2.4) lacks EVALSHA"},
		"refuses scripts":            {refused, refused, ""},
		"has a mind of its own":      {refused, "-ERR eval needs a key\r\n", ""},
		"answers what nobody asked":  {refused, "+OK\r\n", ""},
		"is not ready to be asked":   {bulk("redis_version:7.2.4"), "-LOADING is loading\r\n", "LOADING"},
		"wants a password before it": {bulk("redis_version:7.2.4"), "-NOAUTH first\r\n", "`password`"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := CheckServer(
				t.Context(),
				serverThatSays(t, map[string]string{"info": test.info, "evalsha": test.abilities}),
			)
			var old *OldServerError
			switch {
			case test.says == "":
				require.NoError(t, err)
			case strings.Contains(test.says, "lacks"):
				require.ErrorAs(t, err, &old)
				require.ErrorContains(t, err, "rafka needs Redis 7.0 or Valkey 7.2, or newer")
				fallthrough
			default:
				assert.ErrorContains(t, err, test.says)
			}
		})
	}
}

// Every command of the scripts is one that is asked for or one that they can do without, which is
// called by pcall.
func TestAbilitiesCoverTheScripts(t *testing.T) {
	files, err := filepath.Glob("../*/lua/*.lua")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	// XRANGE and XREVRANGE are for servers that tell little of their streams, UNLINK for `rafka
	// group delete`.
	dispensable := []string{"PUBLISH", "XGROUP", "XTRIM", "XRANGE", "XREVRANGE", "UNLINK", "XLEN"}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, call := range regexp.MustCompile(`redis\.p?call\('([A-Z]+)'`).FindAllStringSubmatch(string(text), -1) {
			assert.Contains(t, append(dispensable, requiredCommands...), call[1], file)
		}
	}
}

func TestCheckServerNamesTheCommandsThatWereTakenAway(t *testing.T) {
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

// What may not be done is another check's matter.
func TestCheckServerNeedsNoRightBeyondScripts(t *testing.T) {
	server := redistest.Start(t, "--rename-command", "EXPIRETIME", "")
	admin := server.Client(t)
	for _, rights := range []string{"+eval +evalsha", "+ping"} {
		require.NoError(
			t,
			admin.Do(t.Context(), append([]any{"acl", "setuser", "u", "reset", "on", ">p"}, words(rights)...)...).Err(),
		)
		client := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "u", "p" })
		err := CheckServer(t.Context(), client)
		if rights == "+ping" {
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

func TestCheckServerLetsOurServersThrough(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		require.NoError(t, CheckServer(t.Context(), s.Client))
	})
}

func TestCheckServerAsksEachMasterOfACluster(t *testing.T) {
	old := serverThatSays(
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
