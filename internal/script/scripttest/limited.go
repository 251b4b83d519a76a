package scripttest

import (
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// Limited is a server with a user whose rules a test changes. Each set of rules has its own client.
type Limited struct {
	Server *redistest.Server
	Admin  *redis.Client
}

// StartLimited starts a server for tests of users with limited permissions.
func StartLimited(t *testing.T) Limited {
	t.Helper()
	server := redistest.Start(t)
	return Limited{server, server.Client(t)}
}

// As runs f with a client of a user that has only the given rules.
func (l Limited) As(t *testing.T, rules []string, f func(client *redis.Client)) {
	t.Helper()
	args := []any{"ACL", "SETUSER", "ann", "reset", "on", ">pw"}
	for _, rule := range rules {
		args = append(args, rule)
	}
	require.NoError(t, l.Admin.Do(t.Context(), args...).Err())
	client := l.Server.Client(t, func(o *redis.Options) { o.Username, o.Password = "ann", "pw" })
	defer client.Close()
	f(client)
}

// Keys are the names of all keys.
func (l Limited) Keys(t *testing.T) []string {
	t.Helper()
	keys, err := l.Admin.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	slices.Sort(keys)
	return keys
}
