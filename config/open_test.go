package config

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func simple(t *testing.T, yaml string, role Role) *redis.Options {
	t.Helper()
	o, err := mustParse(t, yaml).simpleOptions(role)
	require.NoError(t, err)
	return o
}

func TestDefaultsOfSimpleConnection(t *testing.T) {
	o := simple(t, "url: redis://localhost", Writer())
	assert.Equal(t, "localhost:6379", o.Addr)
	assert.Equal(t, 5*time.Second, o.DialTimeout)
	assert.Equal(t, 5*time.Second, o.ReadTimeout)
	assert.Equal(t, 5*time.Second, o.WriteTimeout)
	assert.Equal(t, 6*time.Second, o.PoolTimeout)
	assert.Equal(t, 4, o.PoolSize)
	assert.Nil(t, o.TLSConfig)
}

func TestOptionsOfURLAreHonoured(t *testing.T) {
	o := simple(
		t,
		"url: redis://user:p%40ss@h:1/3?pool_size=2&min_idle_conns=1&read_timeout=6s&write_timeout=7&pool_timeout=8s"+
			"&dial_timeout=2s&client_name=me&protocol=2&max_active_conns=9&conn_max_idle_time=1m&pipeline_pool_size=4",
		Writer(),
	)
	assert.Equal(t, "h:1", o.Addr)
	assert.Equal(t, "user", o.Username)
	assert.Equal(t, "p@ss", o.Password)
	assert.Equal(t, 3, o.DB)
	assert.Equal(
		t,
		[]int{2, 1, 9, 4, 2},
		[]int{o.PoolSize, o.MinIdleConns, o.MaxActiveConns, o.PipelinePoolSize, o.Protocol},
	)
	assert.Equal(t, []time.Duration{2 * time.Second, 6 * time.Second, 7 * time.Second, 8 * time.Second, time.Minute},
		[]time.Duration{o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout, o.ConnMaxIdleTime})
}

func TestFieldsWinOverURL(t *testing.T) {
	o := simple(
		t,
		"url: redis://u:p@h:1/3?db=4&pool_size=1&min_idle_conns=1&read_timeout=6s&write_timeout=7&pool_timeout=8s"+
			"&dial_timeout=2s&client_name=me\n"+
			"username: u2\npassword: p2\nclient_name: me2\npool: {size: 3, min_idle: 2, wait_timeout: 80s}\n"+
			"dial_timeout: 20s\nread_timeout: 60s\nwrite_timeout: 70s",
		Writer(),
	)
	assert.Equal(t, []string{"u2", "p2"}, []string{o.Username, o.Password})
	assert.Equal(t, []int{4, 3, 2}, []int{o.DB, o.PoolSize, o.MinIdleConns})
	assert.Equal(t, []time.Duration{20 * time.Second, 60 * time.Second, 70 * time.Second, 80 * time.Second},
		[]time.Duration{o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout})
}

func TestEmptyClientNameNamesNothing(t *testing.T) {
	for _, yaml := range []string{"url: redis://h\nclient_name: ''", "url: redis://h?client_name="} {
		o := simple(t, yaml, Writer())
		assert.Empty(t, o.ClientName)
		assert.Nil(t, o.OnConnect)
	}
}

func TestUnixSocket(t *testing.T) {
	o := simple(t, "url: unix://u:p@/var/run/redis.sock?db=2", Writer())
	assert.Equal(
		t,
		[]string{"unix", "/var/run/redis.sock", "u", "p"},
		[]string{o.Network, o.Addr, o.Username, o.Password},
	)
	assert.Equal(t, 2, o.DB)
}

func TestClusterOptions(t *testing.T) {
	c := mustParse(t, "url: rediss://u:p@a:1?addr=c:3&max_redirects=5,rediss://b\nkind: cluster")
	o := c.clusterOptions(Writer())
	assert.Equal(t, []string{"a:1", "b:6379", "c:3"}, o.Addrs)
	assert.Equal(t, []string{"u", "p"}, []string{o.Username, o.Password})
	assert.Equal(t, 5, o.MaxRedirects)
	require.NotNil(t, o.TLSConfig)
	assert.Empty(t, o.TLSConfig.ServerName, "each host has its own certificate")
	assert.Equal(t, maintnotifications.ModeDisabled, o.MaintNotificationsConfig.Mode)
}

func TestFailoverOptionsKeepCredentialsOfRedisAndSentinelApart(t *testing.T) {
	c := mustParse(
		t,
		"url: redis://u:p@a:1/2,redis://b:2\nkind: failover\nmaster: m\nsentinel_username: su\nsentinel_password: sp",
	)
	o := c.failoverOptions(Writer())
	assert.Equal(t, []string{"a:1", "b:2"}, o.SentinelAddrs)
	assert.Equal(
		t,
		[]string{"m", "u", "p", "su", "sp"},
		[]string{o.MasterName, o.Username, o.Password, o.SentinelUsername, o.SentinelPassword},
	)
	assert.Equal(t, 2, o.DB)
}

func TestMasterFieldWinsOverURL(t *testing.T) {
	assert.Equal(
		t,
		"x",
		mustParse(t, "url: redis://a?master_name=x\nkind: failover").failoverOptions(Writer()).MasterName,
	)
	assert.Equal(
		t,
		"y",
		mustParse(t, "url: redis://a?master_name=x\nkind: failover\nmaster: y").failoverOptions(Writer()).MasterName,
	)
}

func TestTLS(t *testing.T) {
	for _, test := range []struct {
		yaml, serverName string
		skipVerify       bool
	}{
		{yaml: "url: rediss://h", serverName: "h"},
		{yaml: "url: rediss://h?skip_verify=true", serverName: "h", skipVerify: true},
		{yaml: "url: rediss://h\ntls: {skip_cert_verify: true}", serverName: "h", skipVerify: true},
		{yaml: "url: redis://h\ntls: {enabled: true}", serverName: "h"},
		{yaml: "url: redis://h\ntls: {enabled: true, skip_cert_verify: true}", serverName: "h", skipVerify: true},
	} {
		o := simple(t, test.yaml, Writer())
		if assert.NotNil(t, o.TLSConfig, test.yaml) {
			assert.Equal(t, test.serverName, o.TLSConfig.ServerName, test.yaml)
			assert.Equal(t, test.skipVerify, o.TLSConfig.InsecureSkipVerify, test.yaml)
			assert.GreaterOrEqual(t, o.TLSConfig.MinVersion, uint16(tls.VersionTLS12), test.yaml)
		}
	}
	assert.Nil(t, simple(t, "url: redis://h\ntls: {skip_cert_verify: true}", Writer()).TLSConfig)
}

func TestRolesHoldForAllKinds(t *testing.T) {
	kinds := map[string]func(Role) tuning{
		"simple": func(r Role) tuning { return tuneSimple(simple(t, "url: redis://h", r)) },
		"cluster": func(r Role) tuning {
			return tuneCluster(mustParse(t, "url: redis://h\nkind: cluster").clusterOptions(r))
		},
		"failover": func(r Role) tuning {
			return tuneFailover(mustParse(t, "url: redis://h\nkind: failover\nmaster: m").failoverOptions(r))
		},
	}
	for kind, with := range kinds {
		t.Run(kind, func(t *testing.T) {
			for _, role := range []Role{Blocking(1), Control(time.Second), Writer()} {
				tune := with(role)
				assert.Equal(t, []int{-1, 1, -1}, []int{*tune.maxRetries, *tune.dialerRetries, *tune.pipelinePool})
				assert.True(t, *tune.contextTimeout)
				assert.True(t, *tune.disableIdentity)
			}
			blocking := with(Blocking(500))
			assert.Equal(t, map[bool]int{false: 500, true: clusterReads}[kind == "cluster"], *blocking.poolSize)
			assert.Equal(t, 6*time.Second, *blocking.read, "the time that a read waits for entries comes on top")
			assert.Equal(t, 5*time.Second, *blocking.write)
			assert.Equal(t, 7*time.Second, *blocking.wait, "a read in front may take all its time")

			control := with(Control(3 * time.Second))
			for _, timeout := range []*time.Duration{control.dial, control.read, control.write, control.wait} {
				assert.Equal(t, 1500*time.Millisecond, *timeout)
			}
			writer := with(Writer())
			assert.Equal(t, 5*time.Second, *writer.read)
			assert.Equal(t, 4, *writer.poolSize)
			assert.Equal(t, 2, *control.poolSize)
		})
	}
}

func TestReadsOfAClusterAreLimitedByTheFieldAlone(t *testing.T) {
	c := mustParse(t, "url: redis://h\nkind: cluster\npool: {size: 50}")
	assert.Equal(t, 50, c.clusterOptions(Blocking(1)).PoolSize)
	assert.Equal(t, longestTurn, c.clusterOptions(Blocking(1)).PoolTimeout, "those in front may block")
	assert.Equal(t, 2, c.clusterOptions(Control(time.Second)).PoolSize)
	c = mustParse(t, "url: redis://h\nkind: cluster\npool: {size: 50, wait_timeout: 1s}")
	assert.Equal(t, time.Second, c.clusterOptions(Blocking(1)).PoolTimeout)
}

func TestPoolSizeLowersTheNumberOfConnections(t *testing.T) {
	for size, want := range map[int][]int{0: {1, 2, 4}, 1: {1, 1, 1}, 2: {1, 2, 2}, 100: {1, 2, 4}} {
		for i, role := range []Role{Blocking(1), Control(time.Second), Writer()} {
			o := simple(t, fmt.Sprintf("url: redis://h\npool: {size: %d}", size), role)
			assert.Equal(t, want[i], o.PoolSize)
		}
	}
	o := simple(t, "url: redis://h\npool: {min_idle: 10}", Control(time.Second))
	assert.Equal(t, []int{2, 2}, []int{o.PoolSize, o.MinIdleConns})
}

func TestControlKeepsShorterTimeouts(t *testing.T) {
	o := simple(t, "url: redis://h\nread_timeout: 100ms\npool: {size: 2, min_idle: 1}", Control(3*time.Second))
	assert.Equal(t, []time.Duration{1500 * time.Millisecond, 100 * time.Millisecond, 1100 * time.Millisecond},
		[]time.Duration{o.DialTimeout, o.ReadTimeout, o.PoolTimeout})
	assert.Equal(t, []int{2, 1}, []int{o.PoolSize, o.MinIdleConns})
}

func TestRolesDoNotChangeTheConnection(t *testing.T) {
	c := mustParse(t, "url: rediss://h")
	first, err := c.simpleOptions(Control(time.Millisecond))
	require.NoError(t, err)
	first.TLSConfig.ServerName = "changed"
	second, err := c.simpleOptions(Writer())
	require.NoError(t, err)
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
		"url: redis://127.0.0.1:1", "url: redis://127.0.0.1:1\nkind: cluster", "url: redis://127.0.0.1:1\nkind: failover\nmaster: m",
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

func TestServerThatRefusesNamesCanBeUsed(t *testing.T) {
	s := redistest.Start(t, "--rename-command", "CLIENT", "")
	require.NoError(t, open(t, "url: "+s.URL(), Writer()).Ping(t.Context()).Err())
	s = redistest.Start(t)
	require.NoError(t, s.Client(t).Do(t.Context(), "acl", "setuser", "u", "on", ">p", "+ping").Err())
	require.NoError(t, open(t, "url: redis://u:p@"+s.Addr(), Writer()).Ping(t.Context()).Err())
}

func TestConnectionThatBreaksWhileItIsNamedIsNotUsed(t *testing.T) {
	s := redistest.Start(t)
	proxy := redistest.StartProxy(t, s.Addr())
	client := open(t, "url: "+proxy.URL()+"\nread_timeout: 50ms", Writer())
	require.NoError(t, client.Ping(t.Context()).Err())
	conn := mustParse(t, "url: "+proxy.URL()+"\nread_timeout: 50ms")
	o, err := conn.simpleOptions(Writer())
	require.NoError(t, err)
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
	require.ErrorIs(t, client.Do(t.Context(), read...).Err(), redis.Nil, "waiting for entries is no timeout")
	s.Pause(t)
	start := time.Now()
	require.Error(t, client.Do(t.Context(), read...).Err())
	assert.Less(t, time.Since(start), 30*time.Second, "it does not wait for ever")
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

func TestLogsOfGoRedisGoToTheLogger(t *testing.T) {
	var r recorder
	RouteLogs(&r)
	t.Cleanup(func() { RouteLogs(&recorder{}) })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.Error(t, open(t, "url: redis://u:hunter2@127.0.0.1:1\nkind: failover\nmaster: m", Writer()).Ping(ctx).Err())
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NotEmpty(t, r.lines)
	assert.Contains(t, r.lines[0], "go-redis: ")
	assert.NotContains(t, fmt.Sprint(r.lines), secret)
}
