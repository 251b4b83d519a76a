package broker

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// serverThatSays answers INFO and EXPIRETIME with the given replies and all else with OK.
func serverThatSays(t *testing.T, info, expireTime string) *redis.Client {
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
			serving.Go(func() { answer(conn, info, expireTime) }) // ends when the client is closed
		}
	})
	client := redis.NewClient(&redis.Options{Addr: listener.Addr().String(), MaxRetries: -1, Protocol: 2, DisableIdentity: true})
	t.Cleanup(func() {
		_ = client.Close()
		_ = listener.Close()
		serving.Wait()
	})
	return client
}

func answer(conn net.Conn, info, expireTime string) {
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
		reply := "+OK\r\n"
		switch name {
		case "info":
			reply = info
		case "expiretime":
			reply = expireTime
		case "hello":
			reply = "-ERR unknown command 'hello'\r\n"
		}
		if _, err := conn.Write([]byte(reply)); err != nil {
			return
		}
	}
}

func TestCheckServerByVersionAndByAbility(t *testing.T) {
	bulk := func(lines ...string) string {
		text := "# Server\r\n" + strings.Join(lines, "\r\n") + "\r\n"
		return fmt.Sprintf("$%d\r\n%s\r\n", len(text), text)
	}
	const refused, missing, unknown = "-NOPERM no\r\n", ":-2\r\n", "-ERR unknown command 'expiretime', with args beginning with: \r\n"
	tests := map[string]struct{ info, expireTime, old string }{
		"redis 7.0":                        {bulk("redis_version:7.0.0"), unknown, ""},
		"redis 8":                          {bulk("redis_version:8.2.1"), unknown, ""},
		"a development version":            {bulk("redis_version:255.255.255"), unknown, ""},
		"redis 6.2":                        {bulk("redis_version:6.2.14"), missing, "Redis 6.2.14"},
		"valkey 7.2":                       {bulk("redis_version:7.2.4", "server_name:valkey", "valkey_version:7.2.11"), unknown, ""},
		"valkey 8":                         {bulk("redis_version:7.2.4", "valkey_version:8.1.0"), unknown, ""},
		"old valkey":                       {bulk("redis_version:7.2.4", "valkey_version:7.0.9"), missing, "Valkey 7.0.9"},
		"hides its version and is new":     {bulk("os:Linux"), missing, ""},
		"hides its version and is old":     {bulk("os:Linux"), unknown, "EXPIRETIME"},
		"strange version and is new":       {bulk("redis_version:managed"), missing, ""},
		"refuses INFO and is new":          {refused, missing, ""},
		"refuses INFO and is old":          {refused, unknown, "EXPIRETIME"},
		"refuses INFO and the command":     {refused, refused, ""},
		"knows no INFO and is a cluster's": {unknown, "-MOVED 1 127.0.0.1:1\r\n", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := CheckServer(t.Context(), serverThatSays(t, test.info, test.expireTime))
			if test.old == "" {
				require.NoError(t, err)
				return
			}
			var old *OldServerError
			require.ErrorAs(t, err, &old)
			assert.Contains(t, old.Found, test.old)
			assert.ErrorContains(t, err, "rafka needs Redis 7.0 or Valkey 7.2")
		})
	}
}

func TestCheckServerLetsOurServersThrough(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		require.NoError(t, CheckServer(t.Context(), s.client))
	})
}

func TestCheckServerAsksEachMasterOfACluster(t *testing.T) {
	old := serverThatSays(t, "$19\r\nredis_version:6.2.0\r\n", "")
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
	assert.Equal(t, ClassConnection, Classify(err))
	assert.ErrorContains(t, err, "`url`")
}
