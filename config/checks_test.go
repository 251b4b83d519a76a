package config

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// secret is the password in every bad configuration that has a password.
const secret = "hunter2"

var badConfigs = []struct{ yaml, want string }{
	{"url: ''", `url: is empty: set it to the address of Redis, such as redis://localhost:6379`},
	{"url: ' '", `url: is empty`},
	{
		"url: http://localhost",
		`url: scheme "http" is not supported: use redis://, rediss://, unix:// or embedded://name`,
	},
	{"url: localhost:6379", `url: has no scheme: use redis://, rediss://, unix:// or embedded://name`},
	{"url: redis:localhost", `url: has no scheme`},
	{"url: user:hunter2@localhost:6379", `url: has no scheme`},
	{"url: redis://", `url: the host is missing, as in redis://localhost:6379`},
	{"url: redis:///1", `url: the host is missing`},
	{"url: redis://host:port", `url: is not a valid URL: percent-encode`},
	{"url: redis://host:99999", `url: the port must be a number from 1 to 65535`},
	{"url: redis://host:0", `url: the port must be a number from 1 to 65535`},
	{
		"url: redis://:hunter2/x@host:6379",
		`url: is not a valid URL: percent-encode special characters in the user name and password`,
	},
	{"url: redis://u:12/hunter2@host:6379", `url: is not a valid URL: percent-encode`},
	{"url: redis://:12?hunter2@host:6379", `url: is not a valid URL: percent-encode`},
	{"url: 'redis://:12#hunter2@host:6379'", `url: is not a valid URL: percent-encode`},
	{"url: redis://u:x@y/hunter2@host:6379", `url: is not a valid URL: percent-encode`},
	{"url: redis://u:%zzhunter2@host:6379", `url: is not a valid URL: percent-encode`},
	{"url: redis://u:x,hunter2@host:6379", `url: address 1 of the list: is not a valid URL`},
	{
		"url: redis://u:12,hunter2@host:6379\nkind: cluster",
		`url: address 2 of the list: has no scheme: use redis://, rediss://, unix:// or embedded://name (a comma`,
	},
	{"url: redis://host/db", `url: the part after the host must be a database number, as in redis://host:6379/0`},
	{"url: redis://host/-1", `url: the part after the host must be a database number`},
	{"url: redis://host/1/2", `url: the part after the host must be a database number`},
	{"url: redis://host?db=-1", `url: the option db must not be negative`},
	{"url: redis://host?db=x", `url: invalid database number`},
	{
		"url: redis://u:hunter2@host?pool_sise=3&zzz=1",
		`url: unknown option pool_sise, zzz: remove it, or correct its name`,
	},
	{"url: redis://host?addr=b:1", `url: unknown option addr`},
	{"url: redis://host?pool_size=x", `url: invalid pool_size number`},
	{"url: redis://host?pool_size=-1", `url: the option pool_size must not be negative`},
	{"url: redis://host?min_idle_conns=70000", `url: the option min_idle_conns is 70000, which is more than 65535`},
	{"url: redis://host?read_timeout=0", `url: the option read_timeout must be greater than zero`},
	{"url: redis://host?dial_timeout=soon", `url: invalid dial_timeout duration`},
	{"url: redis://host?protocol=4", `url: the option protocol must be 2 or 3`},
	{
		"url: redis://host?max_retries=3",
		`url: the option max_retries is not supported: rafka controls retries: remove it`,
	},
	{"url: redis://host?client_name=a%20b", `url: Redis allows no spaces`},
	{"url: redis://host?a=%zz", `url: the options after the question mark are malformed`},
	{
		"url: redis://host?read_only=true\nkind: cluster",
		`url: the option read_only is not supported: rafka reads from masters only`,
	},
	{
		"url: redis://host?password=hunter2\nkind: failover\nmaster: m",
		`url: the option password is not supported: set the field password instead`,
	},
	{"url: redis://host?addr=b\nkind: cluster", `url: unable to parse addr param: b`},
	{"url: unix://redis.sock", `url: the path of the socket is missing or not absolute: write three slashes`},
	{"url: unix://", `url: the path of the socket is missing or not absolute`},
	{"url: unix:///r.sock?pool=1", `url: unknown option pool`},
	{"url: embedded://", `url: the embedded server needs a name and no port, as in embedded://demo`},
	{"url: embedded://demo:6379", `url: the embedded server needs a name and no port`},
	{"url: embedded://u:hunter2@demo", `url: the embedded server has no passwords: remove the credentials`},
	{
		"url: embedded://demo\npassword: hunter2",
		`password: the embedded server has no passwords: remove username and password`,
	},
	{"url: embedded://demo\ntls: {enabled: true}", `tls: embedded:// addresses have no TLS: remove tls.enabled`},
	{"url: unix:///r.sock\ntls: {enabled: true}", `tls: unix:// addresses have no TLS: remove tls.enabled`},

	{"url: redis://host\nkind: ring", `kind: "ring" is not supported: use simple, cluster or failover, in lower case`},
	{
		"url: redis://host\nkind: CLUSTER",
		`kind: "CLUSTER" is not supported: use simple, cluster or failover, in lower case`,
	},
	{"url: redis://host\nkind: ''", `kind: "" is not supported`},
	{
		"url: unix:///r.sock\nkind: cluster",
		`kind: cluster does not fit unix:// addresses: use kind simple, or redis:// addresses`,
	},
	{"url: embedded://demo\nkind: failover\nmaster: m", `kind: failover does not fit embedded:// addresses`},
	{
		"url: redis://a,redis://b",
		`url: a list of addresses does not fit kind simple: set kind to cluster or failover, or keep one address`,
	},
	{
		"url: redis://a/3\nkind: cluster",
		`url: a cluster has no database numbers: remove the number after the host, or the option db`,
	},
	{
		"url: redis://a?db=3\nkind: cluster",
		`url: a cluster has no database numbers: remove the number after the host, or the option db`,
	},
	{"url: redis://a/99999999999", `url: the part after the host must be a database number, as in redis://host:6379/0`},
	{"url: redis://a\nread_timeout: 10us", `read_timeout: is 10µs: set it to 1ms or more`},
	{"url: redis://a\npool: {wait_timeout: 1ns}", `pool.wait_timeout: is 1ns: set it to 1ms or more`},
	{"url: redis://a?write_timeout=10us", `url: the option write_timeout: is 10µs: set it to 1ms or more`},
	{"url: redis://a,\nkind: cluster", `url: address 2 of the list: is empty: remove the extra comma`},
	{
		"url: redis://a,rediss://b\nkind: cluster",
		`url: address 2 of the list: has scheme "rediss", the first has "redis": use one scheme for all`,
	},
	{
		"url: redis://a,redis://u:hunter2@b\nkind: cluster",
		`url: address 2 of the list: has credentials, a database number or options that differ from the first address`,
	},
	{
		"url: redis://a/1,redis://b/2\nkind: failover\nmaster: m",
		`url: address 2 of the list: has credentials, a database number or options`,
	},
	{
		"url: redis://a,redis://b?pool_size=3\nkind: cluster",
		`url: address 2 of the list: has credentials, a database number or options`,
	},
	{
		"url: redis://a\nkind: failover",
		`master: is empty, but kind is failover: set it to the name that the Sentinels have for the master`,
	},
	{
		"url: redis://a\nmaster: m",
		`master: applies to kind failover only, but kind is simple: remove it, or set kind to failover`,
	},
	{
		"url: redis://a\nkind: cluster\nsentinel_username: u",
		`sentinel_username: applies to kind failover only, but kind is cluster`,
	},
	{
		"url: redis://a\nsentinel_password: hunter2",
		`sentinel_password: applies to kind failover only, but kind is simple`,
	},
	{
		"url: redis://a\nkind: failover\nmaster: m\nsentinel_username: u",
		`sentinel_username: Redis clients send no user name without a password: set the field sentinel_password`,
	},
	{
		"url: redis://a\nusername: u",
		`username: Redis clients send no user name without a password: set the field password`,
	},
	{"url: redis://u@a", `username: Redis clients send no user name without a password: set the field password`},
	{
		"url: redis://a\nclient_name: my app",
		`client_name: Redis allows no spaces, line breaks or special characters in "my app": use printable ASCII`,
	},

	{"url: redis://a\npool: {size: -1}", `pool.size: must not be negative, and is -1: use 0 for the default`},
	{"url: redis://a\npool: {size: 100000}", `pool.size: is 100000, which is more than 65535: lower it`},
	{"url: redis://a\npool: {min_idle: -3}", `pool.min_idle: must not be negative, and is -3`},
	{
		"url: redis://a\npool: {size: 2, min_idle: 3}",
		`pool.min_idle: 3 is more than pool.size, which is 2: lower min_idle or raise size`,
	},
	{
		"url: redis://a\npool: {wait_timeout: 0s}",
		`pool.wait_timeout: must be greater than zero, and is "0s": use a duration such as 5s`,
	},
	{
		"url: redis://a\ndial_timeout: 5",
		`dial_timeout: "5" is not a duration: use a number with a unit, such as 500ms, 5s or 2m`,
	},
	{"url: redis://a\nread_timeout: -1s", `read_timeout: must be greater than zero, and is "-1s"`},
	{"url: redis://a\nwrite_timeout: 1d", `write_timeout: "1d" is not a duration`},
	{"url: redis://a\nwrite_timeout: ''", `write_timeout: "" is not a duration`},
}

func TestLinterAndConstructorRejectBadConfigs(t *testing.T) {
	for _, test := range badConfigs {
		t.Run(test.yaml, func(t *testing.T) {
			lints := lint(t, test.yaml)
			assert.Contains(t, lints, test.want)
			_, err := parse(t, test.yaml)
			require.ErrorContains(t, err, test.want)
			for _, text := range []string{lints, err.Error()} {
				assert.NotContains(t, text, secret)
				assert.NotContains(t, text, "parse \"")
			}
		})
	}
}
