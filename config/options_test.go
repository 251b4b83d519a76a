package config

import (
	"crypto/tls"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clientOptions returns the options of a client of the connection, for the role.
func clientOptions(t *testing.T, yaml string, role Role) *redis.UniversalOptions {
	t.Helper()
	return mustParse(t, yaml).clientOptions(role)
}

func TestDefaultsOfSimpleConnection(t *testing.T) {
	o := clientOptions(t, "url: redis://localhost", Writer())
	assert.Equal(t, []string{"localhost:6379"}, o.Addrs)
	assert.Equal(t, 5*time.Second, o.DialTimeout)
	assert.Equal(t, 5*time.Second, o.ReadTimeout)
	assert.Equal(t, 5*time.Second, o.WriteTimeout)
	assert.Equal(t, 6*time.Second, o.PoolTimeout)
	assert.Equal(t, 4, o.PoolSize)
	assert.Nil(t, o.TLSConfig)
}

func TestOptionsOfTheURLApply(t *testing.T) {
	o := clientOptions(
		t,
		"url: redis://user:p%40ss@h:1/3?pool_size=2&min_idle_conns=1&read_timeout=6s&write_timeout=7&pool_timeout=8s"+
			"&dial_timeout=2s&client_name=me&protocol=2&max_active_conns=9&conn_max_idle_time=1m&pipeline_pool_size=4",
		Writer(),
	)
	assert.Equal(t, []string{"h:1"}, o.Addrs)
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

func TestFieldsOverrideTheURL(t *testing.T) {
	o := clientOptions(
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

func TestEmptyClientNameSetsNoName(t *testing.T) {
	for _, yaml := range []string{"url: redis://h\nclient_name: ''", "url: redis://h?client_name="} {
		o := clientOptions(t, yaml, Writer())
		assert.Empty(t, o.ClientName)
		assert.Nil(t, o.OnConnect)
	}
}

func TestUnixSocket(t *testing.T) {
	client := open(t, "url: unix://u:p@/var/run/redis.sock?db=2", Writer())
	o := client.(*redis.Client).Options()
	assert.Equal(
		t,
		[]string{"unix", "/var/run/redis.sock", "u", "p"},
		[]string{o.Network, o.Addr, o.Username, o.Password},
	)
	assert.Equal(t, 2, o.DB)
}

func TestClusterOptions(t *testing.T) {
	c := mustParse(t, "url: rediss://u:p@a:1?addr=c:3&max_redirects=5,rediss://b\nkind: cluster")
	o := c.clientOptions(Writer())
	assert.Equal(t, []string{"a:1", "b:6379", "c:3"}, o.Addrs)
	assert.Equal(t, []string{"u", "p"}, []string{o.Username, o.Password})
	assert.Equal(t, 5, o.MaxRedirects)
	require.NotNil(t, o.TLSConfig)
	assert.Empty(t, o.TLSConfig.ServerName, "each host has its own certificate")
	assert.Equal(t, maintnotifications.ModeDisabled, o.MaintNotificationsConfig.Mode)
}

func TestSentinelsHaveCredentialsOfTheirOwn(t *testing.T) {
	c := mustParse(
		t,
		"url: redis://u:p@a:1/2,redis://b:2\nkind: failover\nmaster: m\nsentinel_username: su\nsentinel_password: sp",
	)
	o := c.clientOptions(Writer())
	assert.Equal(t, []string{"a:1", "b:2"}, o.Addrs)
	assert.Equal(
		t,
		[]string{"m", "u", "p", "su", "sp"},
		[]string{o.MasterName, o.Username, o.Password, o.SentinelUsername, o.SentinelPassword},
	)
	assert.Equal(t, 2, o.DB)
}

func TestMasterFieldOverridesTheURL(t *testing.T) {
	assert.Equal(
		t,
		"x",
		mustParse(t, "url: redis://a?master_name=x\nkind: failover").clientOptions(Writer()).MasterName,
	)
	assert.Equal(
		t,
		"y",
		mustParse(t, "url: redis://a?master_name=x\nkind: failover\nmaster: y").clientOptions(Writer()).MasterName,
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
		o := clientOptions(t, test.yaml, Writer())
		if assert.NotNil(t, o.TLSConfig, test.yaml) {
			assert.Equal(t, test.serverName, o.TLSConfig.ServerName, test.yaml)
			assert.Equal(t, test.skipVerify, o.TLSConfig.InsecureSkipVerify, test.yaml)
			assert.GreaterOrEqual(t, o.TLSConfig.MinVersion, uint16(tls.VersionTLS12), test.yaml)
		}
	}
	assert.Nil(t, clientOptions(t, "url: redis://h\ntls: {skip_cert_verify: true}", Writer()).TLSConfig)
}

// An option that a kind of client has and redis.UniversalOptions lacks is lost. go-redis parses
// none of them from a URL, except ReplicaOnly and UseDisconnectedReplicas, which rafka rejects.
func TestUniversalOptionsLackNoURLOption(t *testing.T) {
	for _, test := range []struct {
		parsed  any
		convert func(o *redis.UniversalOptions) any
		lost    []string
	}{
		{
			parsed:  &redis.Options{},
			convert: func(o *redis.UniversalOptions) any { return o.Simple() },
			lost:    []string{"Network", "NodeAddress", "FailingTimeoutSeconds"},
		},
		{
			parsed:  &redis.ClusterOptions{},
			convert: func(o *redis.UniversalOptions) any { return o.Cluster() },
			lost:    []string{"DisableRoutingPolicies", "ClusterStateReloadInterval"},
		},
		{
			parsed:  &redis.FailoverOptions{},
			convert: func(o *redis.UniversalOptions) any { return o.Failover() },
			lost:    []string{"ReplicaOnly", "UseDisconnectedReplicas", "FailingTimeoutSeconds"},
		},
	} {
		from := reflect.ValueOf(test.parsed).Elem()
		for _, field := range from.Fields() {
			if field.CanSet() {
				setField(field)
			}
		}
		o := universal(test.parsed)
		to := reflect.ValueOf(test.convert(&o)).Elem()
		var lost []string
		for i := range from.NumField() {
			if from.Type().Field(i).IsExported() && !from.Field(i).IsZero() && to.Field(i).IsZero() {
				lost = append(lost, from.Type().Field(i).Name)
			}
		}
		assert.Equal(t, test.lost, lost, "%T", test.parsed)
	}
}

// setField sets a field of a type that a URL can express to another value than zero.
func setField(field reflect.Value) {
	switch field.Kind() {
	case reflect.Int, reflect.Int64:
		field.SetInt(1)
	case reflect.Bool:
		field.SetBool(true)
	case reflect.String:
		field.SetString("x")
	}
}
