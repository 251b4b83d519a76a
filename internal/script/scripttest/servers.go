package scripttest

import (
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// Server is a server to test on. The embedded one has no mirror and no counts of entries that
// were ever added.
type Server struct {
	Client   *redis.Client
	Embedded bool
}

// OnBothServers runs a test on a real Redis and on the one that is embedded in programs, each
// empty.
func OnBothServers(t *testing.T, test func(t *testing.T, s Server)) {
	t.Run("redis", func(t *testing.T) {
		test(t, OnRedis(t))
	})
	t.Run("embedded", func(t *testing.T) {
		m := miniredis.RunT(t)
		client := redis.NewClient(&redis.Options{Addr: m.Addr(), MaxRetries: -1})
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		test(t, Server{Client: client, Embedded: true})
	})
}

// OnRedis starts a real Redis for what the embedded one lacks.
func OnRedis(t *testing.T) Server {
	t.Helper()
	return Server{Client: redistest.Start(t).Client(t)}
}

// Add appends an entry with the given ID and returns the ID. For "*" the server chooses the ID.
func (s Server) Add(t *testing.T, stream, id string) string {
	t.Helper()
	id, err := s.Client.XAdd(
		t.Context(),
		&redis.XAddArgs{Stream: stream, ID: id, Values: []string{"body", "x"}},
	).Result()
	require.NoError(t, err)
	return id
}

// Set writes fields of a hash, as a test that damages or dates something does.
func (s Server) Set(t *testing.T, key string, fields ...any) {
	t.Helper()
	require.NoError(t, s.Client.HSet(t.Context(), key, fields...).Err())
}

// Field reads a field of a hash, "" if it is not there.
func (s Server) Field(t *testing.T, key, name string) string {
	t.Helper()
	value, err := s.Client.HGet(t.Context(), key, name).Result()
	if err != redis.Nil { //nolint:errorlint // the client returns this very value
		require.NoError(t, err)
	}
	return value
}

// Now is the server's time in Unix milliseconds.
func (s Server) Now(t *testing.T) int64 {
	t.Helper()
	now, err := s.Client.Time(t.Context()).Result()
	require.NoError(t, err)
	return now.UnixMilli()
}
