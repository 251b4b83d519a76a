package config

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestRolesApplyToAllKinds(t *testing.T) {
	for kind, fields := range map[string]string{
		"simple": "", "cluster": "\nkind: cluster", "failover": "\nkind: failover\nmaster: m",
	} {
		t.Run(kind, func(t *testing.T) {
			with := func(r Role) *redis.UniversalOptions { return clientOptions(t, "url: redis://h"+fields, r) }
			for _, role := range []Role{Blocking(1), Control(time.Second), Writer()} {
				o := with(role)
				assert.Equal(t, []int{-1, 1, -1}, []int{o.MaxRetries, o.DialerRetries, o.PipelinePoolSize})
				assert.True(t, o.ContextTimeoutEnabled)
				assert.True(t, o.DisableIdentity)
			}
			blocking := with(Blocking(500))
			assert.Equal(t, map[bool]int{false: 500, true: clusterReads}[kind == "cluster"], blocking.PoolSize)
			assert.Equal(t, 6*time.Second, blocking.ReadTimeout, "the time that a read waits for entries comes on top")
			assert.Equal(t, 5*time.Second, blocking.WriteTimeout)
			assert.Equal(t, 7*time.Second, blocking.PoolTimeout, "a read in front may take all its time")

			control := with(Control(3 * time.Second))
			for _, timeout := range []time.Duration{
				control.DialTimeout, control.ReadTimeout, control.WriteTimeout, control.PoolTimeout,
			} {
				assert.Equal(t, 1500*time.Millisecond, timeout)
			}
			writer := with(Writer())
			assert.Equal(t, 5*time.Second, writer.ReadTimeout)
			assert.Equal(t, 4, writer.PoolSize)
			assert.Equal(t, 2, control.PoolSize)
		})
	}
}

func TestOnlyPoolSizeLimitsReadsOfACluster(t *testing.T) {
	c := mustParse(t, "url: redis://h\nkind: cluster\npool: {size: 50}")
	assert.Equal(t, 50, c.clientOptions(Blocking(1)).PoolSize)
	assert.Equal(t, longestTurn, c.clientOptions(Blocking(1)).PoolTimeout, "those in front may block")
	assert.Equal(t, 2, c.clientOptions(Control(time.Second)).PoolSize)
	c = mustParse(t, "url: redis://h\nkind: cluster\npool: {size: 50, wait_timeout: 1s}")
	assert.Equal(t, time.Second, c.clientOptions(Blocking(1)).PoolTimeout)
}

func TestPoolSizeLowersTheNumberOfConnections(t *testing.T) {
	for size, want := range map[int][]int{0: {1, 2, 4}, 1: {1, 1, 1}, 2: {1, 2, 2}, 100: {1, 2, 4}} {
		for i, role := range []Role{Blocking(1), Control(time.Second), Writer()} {
			o := clientOptions(t, fmt.Sprintf("url: redis://h\npool: {size: %d}", size), role)
			assert.Equal(t, want[i], o.PoolSize)
		}
	}
	o := clientOptions(t, "url: redis://h\npool: {min_idle: 10}", Control(time.Second))
	assert.Equal(t, []int{2, 2}, []int{o.PoolSize, o.MinIdleConns})
}

func TestControlKeepsShorterTimeouts(t *testing.T) {
	o := clientOptions(t, "url: redis://h\nread_timeout: 100ms\npool: {size: 2, min_idle: 1}", Control(3*time.Second))
	assert.Equal(t, []time.Duration{1500 * time.Millisecond, 100 * time.Millisecond, 1100 * time.Millisecond},
		[]time.Duration{o.DialTimeout, o.ReadTimeout, o.PoolTimeout})
	assert.Equal(t, []int{2, 1}, []int{o.PoolSize, o.MinIdleConns})
}

func TestRolesDoNotChangeTheConnection(t *testing.T) {
	c := mustParse(t, "url: rediss://h")
	first := c.clientOptions(Control(time.Millisecond))
	first.TLSConfig.ServerName, first.Addrs[0] = "changed", "changed"
	second := c.clientOptions(Writer())
	assert.Equal(t, []string{"h:6379"}, second.Addrs)
	assert.Equal(t, 5*time.Second, second.ReadTimeout)
	assert.Equal(t, "h", second.TLSConfig.ServerName)
}

func open(t *testing.T, yaml string, role Role) redis.UniversalClient {
	t.Helper()
	client, err := mustParse(t, yaml).Open(role)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, client.Close()) })
	return client
}

func TestOpenDialsNothing(t *testing.T) {
	for _, yaml := range []string{
		"url: redis://127.0.0.1:1", "url: redis://127.0.0.1:1\nkind: cluster", "url: redis://127.0.0.1:1\nkind: " +
			"failover\nmaster: m",
	} {
		assert.Zero(t, open(t, yaml, Writer()).PoolStats().Misses)
	}
}

func TestClientsOfEachKindHaveTheRightType(t *testing.T) {
	assert.IsType(t, &redis.Client{}, open(t, "url: redis://h", Writer()))
	assert.IsType(t, &redis.ClusterClient{}, open(t, "url: redis://h\nkind: cluster", Writer()))
	assert.IsType(t, &redis.Client{}, open(t, "url: redis://h\nkind: failover\nmaster: m", Writer()))
}

func TestEmbeddedConnectionsOfOneNameShareData(t *testing.T) {
	yaml := "url: embedded://shared?db=3"
	assert.True(t, mustParse(t, yaml).Embedded())
	assert.False(t, mustParse(t, "url: redis://h").Embedded())
	require.NoError(t, open(t, yaml, Writer()).Set(t.Context(), "k", "v", 0).Err())
	assert.Equal(t, "v", open(t, yaml, Control(time.Second)).Get(t.Context(), "k").Val())
	assert.ErrorIs(t, open(t, "url: embedded://shared", Writer()).Get(t.Context(), "k").Err(), redis.Nil)
}

func TestRealServer(t *testing.T) {
	s := redistest.Start(t, "--requirepass", "sec@ret", "--rename-command", "CONFIG", "")
	for yaml, name := range map[string]string{
		"url: redis://:sec%40ret@" + s.Addr() + "/2":                                         "rafka",
		"url: redis://" + s.Addr() + "\npassword: sec@ret":                                   "rafka",
		"url: redis://default:wrong@" + s.Addr() + "?client_name=me\npassword: sec@ret":      "me",
		"url: unix://" + s.Socket() + "?client_name=me\nclient_name: you\npassword: sec@ret": "you",
		"url: unix://" + s.Socket() + "?client_name=me\nclient_name: ''\npassword: sec@ret":  "",
		"url: unix://" + s.Socket() + "?protocol=2&client_name=me\npassword: sec@ret":        "me",
	} {
		client := open(t, yaml, Blocking(2))
		require.NoError(t, client.Ping(t.Context()).Err(), yaml)
		assert.Equal(t, name, client.ClientGetName(t.Context()).Val(), yaml)
	}
}

func TestServerThatRejectsClientNamesCanBeUsed(t *testing.T) {
	s := redistest.Start(t, "--rename-command", "CLIENT", "")
	require.NoError(t, open(t, "url: "+s.URL(), Writer()).Ping(t.Context()).Err())
	s = redistest.Start(t)
	require.NoError(t, s.Client(t).Do(t.Context(), "acl", "setuser", "u", "on", ">p", "+ping").Err())
	require.NoError(t, open(t, "url: redis://u:p@"+s.Addr(), Writer()).Ping(t.Context()).Err())
}

func TestConnectionThatBreaksWhileNamedIsNotUsed(t *testing.T) {
	s := redistest.Start(t)
	proxy := redistest.StartProxy(t, s.Addr())
	client := open(t, "url: "+proxy.URL()+"\nread_timeout: 50ms", Writer())
	require.NoError(t, client.Ping(t.Context()).Err())
	conn := mustParse(t, "url: "+proxy.URL()+"\nread_timeout: 50ms")
	o := conn.clientOptions(Writer())
	one := client.(*redis.Client).Conn()
	defer one.Close()
	require.NoError(t, one.Ping(t.Context()).Err())
	proxy.Blackhole()
	require.Error(t, o.OnConnect(t.Context(), one))
}

func TestBlockedReadFailsWhenTheServerStopsAnswering(t *testing.T) {
	s := redistest.Start(t)
	client := open(t, "url: "+s.URL()+"\nread_timeout: 50ms", Blocking(1))
	read := []any{"xread", "block", 900, "streams", "s", "$"}
	require.ErrorIs(t, client.Do(t.Context(), read...).Err(), redis.Nil, "blocking is not a timeout")
	s.Pause(t)
	start := time.Now()
	require.Error(t, client.Do(t.Context(), read...).Err())
	assert.Less(t, time.Since(start), 30*time.Second, "the read has a timeout")
}

type recorder struct {
	mu    sync.Mutex
	lines []string
}

func (r *recorder) Debugf(template string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(template, args...))
}

func TestRouteLogsSendsGoRedisLogsToTheLogger(t *testing.T) {
	var r recorder
	RouteLogs(&r)
	t.Cleanup(func() { RouteLogs(&recorder{}) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.Error(t, open(t, "url: redis://u:hunter2@127.0.0.1:1\nkind: failover\nmaster: m", Writer()).Ping(ctx).Err())
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NotEmpty(t, r.lines)
	assert.Contains(t, r.lines[0], "go-redis: ")
	assert.NotContains(t, fmt.Sprint(r.lines), secret)
}
