package broker

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// testServer is a server to test on. The embedded one has no mirror and no counts of entries that
// were ever added.
type testServer struct {
	client   *redis.Client
	embedded bool
}

// onBothServers runs a test on a real Redis and on the one that is embedded in programs, each
// empty.
func onBothServers(t *testing.T, test func(t *testing.T, s testServer)) {
	t.Run("redis", func(t *testing.T) {
		test(t, onRedis(t))
	})
	t.Run("embedded", func(t *testing.T) {
		m := miniredis.RunT(t)
		client := redis.NewClient(&redis.Options{Addr: m.Addr(), MaxRetries: -1})
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		test(t, testServer{client: client, embedded: true})
	})
}

// onRedis starts a real Redis for what the embedded one lacks.
func onRedis(t *testing.T) testServer {
	t.Helper()
	return testServer{client: redistest.Start(t).Client(t)}
}

// add appends an entry with the given ID, or one that the server chooses for "*", and returns its
// ID.
func (s testServer) add(t *testing.T, stream, id string) string {
	t.Helper()
	id, err := s.client.XAdd(
		t.Context(),
		&redis.XAddArgs{Stream: stream, ID: id, Values: []string{"body", "x"}},
	).Result()
	require.NoError(t, err)
	return id
}

// set writes fields of a hash, as a test that damages or dates something does.
func (s testServer) set(t *testing.T, key string, fields ...any) {
	t.Helper()
	require.NoError(t, s.client.HSet(t.Context(), key, fields...).Err())
}

// field reads a field of a hash, "" if it is not there.
func (s testServer) field(t *testing.T, key, name string) string {
	t.Helper()
	value, err := s.client.HGet(t.Context(), key, name).Result()
	if err != redis.Nil { //nolint:errorlint // the client returns this very value
		require.NoError(t, err)
	}
	return value
}

// now is the server's time in Unix milliseconds.
func (s testServer) now(t *testing.T) int64 {
	t.Helper()
	now, err := s.client.Time(t.Context()).Result()
	require.NoError(t, err)
	return now.UnixMilli()
}
