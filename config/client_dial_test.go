package config

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// Regression: a query to a Sentinel that did not answer took the whole dial timeout.
func TestClientFindsTheMasterWhileASentinelIsFrozen(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t, redistest.SentinelOptions{DownAfter: 5 * time.Minute})
	yaml := "kind: failover\ndial_timeout: 2s\nread_timeout: 2s\nmaster: " + s.MasterName() + "\nurl: '" + s.URL() + "'"
	for _, frozen := range s.Sentinels() { // a client queries a random one first, and keeps it
		client := open(t, yaml, Writer())
		require.NoError(t, client.Ping(t.Context()).Err())
		frozen.Pause(t)
		require.NoError(t, open(t, yaml, Writer()).Ping(t.Context()).Err(), "at the start")
		require.NoError(
			t,
			s.Master(t).Client(t).Do(t.Context(), "client", "kill", "type", "normal", "skipme", "yes").Err(),
		)
		require.Eventually(
			t,
			func() bool { return client.Ping(t.Context()).Err() == nil },
			time.Minute,
			10*time.Millisecond,
			"later",
		)
		frozen.Resume(t)
	}
}

// A server with too many clients sends an error on a new connection and closes it. Regression:
// go-redis took the error for the reply to HELLO and reported the broken pipe that followed.
func TestErrorOfAServerWithTooManyClientsIsReported(t *testing.T) {
	s := redistest.Start(t)
	admin := s.Client(t)
	require.NoError(t, admin.ConfigSet(t.Context(), "maxclients", "1").Err())
	client := open(t, "url: "+s.URL(), Control(time.Second))
	for range 20 { // the rejection and the request race
		for _, err := range []error{
			client.Ping(t.Context()).Err(),
			piped(t.Context(), client),
			client.EvalSha(t.Context(), "0", nil).Err(),
		} {
			require.ErrorContains(t, err, "max number of clients reached")
			var rejection rediserr.Rejection
			require.ErrorAs(t, err, &rejection)
		}
	}
	subscription := client.Subscribe(t.Context(), "c")
	defer subscription.Close()
	_, err := subscription.Receive(t.Context())
	require.ErrorContains(t, err, "max number of clients reached")

	require.NoError(t, admin.ConfigSet(t.Context(), "maxclients", "100").Err())
	require.NoError(t, client.Ping(t.Context()).Err(), "the server accepts connections again")
}

func piped(ctx context.Context, client Client) error {
	pipe := client.Pipeline()
	pipe.Ping(ctx)
	_, err := pipe.Exec(ctx)
	return err
}

func TestErrorOfAProtectedServerIsReported(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var serving sync.WaitGroup
	serving.Go(func() { // ends when the listener is closed
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("-DENIED Redis is running in protected mode because ...\r\n"))
			_ = conn.Close()
		}
	})
	defer serving.Wait()
	defer func() { _ = listener.Close() }()
	client := open(t, "url: redis://"+listener.Addr().String(), Writer())
	require.ErrorContains(t, client.Ping(t.Context()).Err(), "DENIED Redis is running in protected mode")
}

// Any other first reply, and any later one, comes from a server that accepted the connection.
func TestOnlyTheFirstReplyIsARejection(t *testing.T) {
	for _, text := range []string{
		"-ERR unknown command 'HELLO'\r\n", "-NOAUTH Authentication required.\r\n", "+OK\r\n-DENIED it is a value\r\n",
		"$3\r\nabc",
	} {
		ours, theirs := net.Pipe()
		conn := detectRejection(ours)
		go func() { // ends with the pipe
			_, _ = theirs.Write([]byte(text))
			_, _ = theirs.Write([]byte("-DENIED again\r\n"))
		}()
		buffer := make([]byte, 100)
		for _, want := range []string{text, "-DENIED again\r\n"} {
			n, err := conn.Read(buffer)
			require.NoError(t, err)
			assert.Equal(t, want, string(buffer[:n]))
		}
		require.NoError(t, ours.Close())
		require.NoError(t, theirs.Close())
	}
}

// A closed idle connection is detected before use, as go-redis does with its own dialer.
func TestClosedIdleConnectionIsNotUsed(t *testing.T) {
	s := redistest.Start(t)
	admin := s.Client(t, func(o *redis.Options) { o.PoolSize = 1 })
	client := open(t, "url: "+s.URL(), Writer())
	for range 5 {
		require.NoError(t, client.Ping(t.Context()).Err())
		require.NoError(t, admin.Do(t.Context(), "CLIENT", "KILL", "SKIPME", "yes").Err())
		require.NoError(t, client.Ping(t.Context()).Err())
	}
}
