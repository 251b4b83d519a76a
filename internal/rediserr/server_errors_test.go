package rediserr

import (
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script"
)

func TestClassifyRepliesOfARealServer(t *testing.T) {
	server := redistest.Start(t)
	admin := server.Client(t)
	ctx := t.Context()
	require.NoError(t, admin.Set(ctx, "text", "x", 0).Err())
	user := func(name string, rules ...any) *redis.Client {
		require.NoError(t, admin.Do(ctx, append([]any{"acl", "setuser", name, "on", ">pw"}, rules...)...).Err())
		return server.Client(t, func(o *redis.Options) { o.Username, o.Password = name, "pw" })
	}
	add := script.New("add", "return redis.call('XADD', KEYS[1], '*', 'f', 'v')")
	tryAdd := script.New("try", "return redis.pcall('XADD', KEYS[1], '*', 'f', 'v')")
	undeclared := script.New("undeclared", "return redis.call('XADD', ARGV[1], '*', 'f', 'v')")
	noCommand := user("nocommand", "~*", "+@all", "-xadd")
	noKey := user("nokey", "~a*", "+@all")
	noScripts := user("noscripts", "~*", "+@all", "-evalsha", "-eval")

	run := func(s *script.Script, client *redis.Client, key string) error {
		_, err := s.Run(ctx, client, []string{key})
		return err
	}
	_, undeclaredErr := undeclared.Run(ctx, noKey, nil, "s")
	wrong := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "nokey", "secret-guess" })
	closed := server.Client(t)
	require.NoError(t, closed.Close())

	unknown := run(script.New("u", "return redis.call('FROBNICATE')"), admin, "s")
	require.ErrorContains(t, Explain(unknown), remedyUnknown)

	for name, test := range map[string]struct {
		err   error
		class Class
	}{
		"command in a script":         {run(add, noCommand, "s"), ClassPermission},
		"command in a pcall":          {run(tryAdd, noCommand, "s"), ClassPermission},
		"command":                     {noCommand.Do(ctx, "XADD", "s", "*", "f", "v").Err(), ClassPermission},
		"key of a script":             {run(add, noKey, "s"), ClassPermission},
		"undeclared key":              {undeclaredErr, ClassPermission},
		"key":                         {noKey.Get(ctx, "s").Err(), ClassPermission},
		"scripts":                     {run(add, noScripts, "s"), ClassPermission},
		"wrong type in a script":      {run(add, admin, "text"), ClassWrongType},
		"wrong type in a pcall":       {run(tryAdd, admin, "text"), ClassWrongType},
		"wrong type":                  {admin.XLen(ctx, "text").Err(), ClassWrongType},
		"unknown command":             {admin.Do(ctx, "frobnicate").Err(), ClassFinal},
		"unknown command in a script": {unknown, ClassFinal},
		"wrong password":              {wrong.Ping(ctx).Err(), ClassAuth},
		"unknown script":              {admin.EvalSha(ctx, strings.Repeat("0", 40), nil).Err(), ClassTransient},
		"closed":                      {closed.Ping(ctx).Err(), ClassFinal},
	} {
		require.Error(t, test.err, name)
		assert.Equal(t, test.class, Classify(test.err), "%s: %v", name, test.err)
		assert.NotContains(t, Explain(test.err).Error(), "secret-guess")
	}

	require.NoError(t, admin.ConfigSet(ctx, "maxmemory", "1").Err())
	assert.Equal(t, ClassTransient, Classify(run(add, admin, "s")), "out of memory")
	require.NoError(t, admin.ConfigSet(ctx, "maxmemory", "0").Err())
	require.NoError(t, admin.ConfigSet(ctx, "min-replicas-to-write", "1").Err())
	assert.Equal(t, ClassTransient, Classify(run(add, admin, "s")), "too few replicas")
	require.NoError(t, admin.ConfigSet(ctx, "min-replicas-to-write", "0").Err())
	require.NoError(t, admin.Do(ctx, "replicaof", "127.0.0.1", "1").Err())
	assert.Equal(t, ClassTransient, Classify(run(add, admin, "s")), "replica")
	require.NoError(t, admin.ConfigSet(ctx, "replica-serve-stale-data", "no").Err())
	assert.Equal(t, ClassTransient, Classify(admin.Get(ctx, "s").Err()), "replica without a master")
	require.NoError(t, admin.Do(ctx, "replicaof", "no", "one").Err())
	require.NoError(t, admin.ConfigSet(ctx, "requirepass", "pw").Err())
	assert.Equal(t, ClassAuth, Classify(server.Client(t).Get(ctx, "s").Err()), "no password")
}
