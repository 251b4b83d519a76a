package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newSpec is a component as the input and the output are built.
func newSpec() *service.ConfigSpec {
	return service.NewConfigSpec().Fields(ConnectionFields()...).
		Field(service.NewStringField("buffer_bytes").Default("1MB")).
		Field(service.NewDurationField("period").Default("1s")).
		LintRule(JoinLintRules(ConnectionLintRule(), `if this.buffer_bytes == "13" { "unlucky" }`))
}

func lint(t *testing.T, yaml string) string {
	t.Helper()
	env := service.NewEnvironment()
	ctor := func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) {
		panic("linting builds nothing")
	}
	require.NoError(t, env.RegisterBatchInput("config_test", newSpec(), ctor))
	indented := "config_test:\n  " + strings.ReplaceAll(strings.TrimSpace(yaml), "\n", "\n  ")
	lints, err := env.NewComponentConfigLinter().LintInputYAML([]byte(indented))
	require.NoError(t, err)
	var texts []string
	for _, l := range lints {
		texts = append(texts, l.What)
	}
	return strings.Join(texts, "\n")
}

func parse(t *testing.T, yaml string) (*Connection, error) {
	t.Helper()
	conf, err := newSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	return ParseConnection(conf)
}

func mustParse(t *testing.T, yaml string) *Connection {
	t.Helper()
	c, err := parse(t, yaml)
	require.NoError(t, err)
	return c
}

func TestGoodConfigPassesLinterAndConstructor(t *testing.T) {
	for _, yaml := range []string{
		"url: redis://localhost:6379",
		"url: redis://:6379",
		"url: redis://localhost",
		"url: redis://[::1]:6379/3",
		"url: redis://user:p%40ss@host:6379/1",
		"url: redis://user:p@ss@host:6379/1",
		"url: rediss://:pass@host",
		"url: rediss://host?skip_verify=true",
		"url: unix:///var/run/redis.sock",
		"url: unix://user:pass@/var/run/redis.sock?db=2",
		"url: embedded://demo",
		"url: embedded://demo?db=1",
		"url: redis://localhost:6379?pool_size=3&read_timeout=6s&dial_timeout=3&db=1&protocol=2&client_name=x",
		"url: redis://a:1,redis://b:2\nkind: cluster",
		"url: redis://a:1/0\nkind: cluster",
		"url: redis://a:1?addr=b:2&max_redirects=5\nkind: cluster",
		"url: redis://u:p@a:1,redis://b:2\nkind: cluster",
		"url: redis://u:p@a:1/2,redis://u:p@b:2/2\nkind: failover\nmaster: m",
		"url: redis://a:1?master_name=m\nkind: failover",
		"url: redis://a:1\nkind: failover\nmaster: m\nsentinel_username: u\nsentinel_password: p",
		"url: redis://localhost\nusername: u\npassword: p\nclient_name: ''",
		"url: redis://u:p@localhost\nusername: other",
		"url: redis://localhost\npool: {size: 5, min_idle: 5, wait_timeout: 1s}\ndial_timeout: 1s\nread_timeout: 1m\nwrite_timeout: 3ms",
		"url: redis://localhost\ntls: {enabled: true, skip_cert_verify: true}",
		"url: redis://localhost\nbuffer_bytes: 512KiB\nperiod: 3s",
	} {
		t.Run(yaml, func(t *testing.T) {
			assert.Empty(t, lint(t, yaml))
			_, err := parse(t, yaml)
			require.NoError(t, err)
		})
	}
}

// secret is in every bad configuration that has room for it.
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
	{"url: redis://host/db", `url: what follows the host must be a database number, as in redis://host:6379/0`},
	{"url: redis://host/-1", `url: what follows the host must be a database number`},
	{"url: redis://host/1/2", `url: what follows the host must be a database number`},
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
		`url: the option max_retries is not supported: rafka retries by itself: remove it`,
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
	{"url: embedded://u:hunter2@demo", `url: the embedded server knows no passwords: remove the credentials`},
	{
		"url: embedded://demo\npassword: hunter2",
		`password: the embedded server knows no passwords: remove username and password`,
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
		`url: a cluster has no database numbers: remove the number behind the host, or the option db`,
	},
	{
		"url: redis://a?db=3\nkind: cluster",
		`url: a cluster has no database numbers: remove the number behind the host, or the option db`,
	},
	{"url: redis://a/99999999999", `url: what follows the host must be a database number, as in redis://host:6379/0`},
	{"url: redis://a\nread_timeout: 10us", `read_timeout: is 10µs: set it to 1ms or more`},
	{"url: redis://a\npool: {wait_timeout: 1ns}", `pool.wait_timeout: is 1ns: set it to 1ms or more`},
	{"url: redis://a?write_timeout=10us", `url: the option write_timeout: is 10µs: set it to 1ms or more`},
	{"url: redis://a,\nkind: cluster", `url: address 2 of the list: is empty: remove the comma too many`},
	{
		"url: redis://a,rediss://b\nkind: cluster",
		`url: address 2 of the list: has scheme "rediss", the first has "redis": use one for all`,
	},
	{
		"url: redis://a,redis://u:hunter2@b\nkind: cluster",
		`url: address 2 of the list: has credentials, a database number or options that the first does not have`,
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
		`master: is empty, but kind is failover: set it to the name under which the sentinels know the master`,
	},
	{
		"url: redis://a\nmaster: m",
		`master: is for kind failover, but kind is simple: remove it, or set kind to failover`,
	},
	{
		"url: redis://a\nkind: cluster\nsentinel_username: u",
		`sentinel_username: is for kind failover, but kind is cluster`,
	},
	{"url: redis://a\nsentinel_password: hunter2", `sentinel_password: is for kind failover, but kind is simple`},
	{
		"url: redis://a\nkind: failover\nmaster: m\nsentinel_username: u",
		`sentinel_username: a user name without a password is never sent: set the field sentinel_password`,
	},
	{"url: redis://a\nusername: u", `username: a user name without a password is never sent: set the field password`},
	{"url: redis://u@a", `username: a user name without a password is never sent: set the field password`},
	{
		"url: redis://a\nclient_name: my app",
		`client_name: Redis allows no spaces, line breaks or special characters in "my app": use printable ASCII`,
	},

	{"url: redis://a\npool: {size: -1}", `pool.size: must not be negative, and is -1: use 0 for the default`},
	{"url: redis://a\npool: {size: 100000}", `pool.size: is 100000, which is more than 65535: lower it`},
	{"url: redis://a\npool: {min_idle: -3}", `pool.min_idle: must not be negative, and is -3`},
	{
		"url: redis://a\npool: {size: 2, min_idle: 3}",
		`pool.min_idle: 3 is more than pool.size, which is 2: lower the one or raise the other`,
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

func TestBadConfigIsRefusedByLinterAndConstructorAlike(t *testing.T) {
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

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	_, err := parse(t, "url: ''\nkind: Simple\npool: {size: -1}\nread_timeout: x")
	for _, field := range []string{"url: ", "kind: ", "pool.size: ", "read_timeout: "} {
		assert.ErrorContains(t, err, field)
	}
}

func TestPasswordsAreNeverPrinted(t *testing.T) {
	for _, yaml := range []string{
		"url: redis://user:hunter2@host:6379/1",
		"url: redis://host\nusername: user\npassword: hunter2",
		"url: redis://user:hunter2@a,redis://b\nkind: cluster",
		"url: redis://a\nkind: failover\nmaster: m\nsentinel_password: hunter2",
	} {
		c := mustParse(t, yaml)
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			assert.NotContains(t, fmt.Sprintf(verb, c), secret)
			assert.NotContains(t, fmt.Sprintf(verb, *c), secret)
		}
	}
	assert.Equal(
		t,
		"redis://a:6379,b:6379 (cluster)",
		mustParse(t, "url: redis://u:hunter2@a,redis://b\nkind: cluster").String(),
	)
}

func TestMissingCertificateIsTheConstructorsBusiness(t *testing.T) {
	yaml := "url: rediss://host\ntls: {root_cas_file: " + filepath.Join(t.TempDir(), "missing.pem") + "}"
	assert.Empty(t, lint(t, yaml))
	_, err := parse(t, yaml)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "tls: ")
}

func TestSizesAndDurations(t *testing.T) {
	for _, test := range []struct {
		yaml     string
		size     int64
		duration time.Duration
		want     string
	}{
		{yaml: "buffer_bytes: 1MB", size: 1_000_000, duration: time.Second},
		{yaml: "buffer_bytes: 512KiB\nperiod: 1m30s", size: 524288, duration: 90 * time.Second},
		{yaml: "buffer_bytes: 65536", size: 65536, duration: time.Second},
		{yaml: "buffer_bytes: 0", want: `buffer_bytes: must be greater than zero, and is "0"`},
		{yaml: "buffer_bytes: -1", want: `buffer_bytes: "-1" is not a size: use a number of bytes`},
		{yaml: "buffer_bytes: lots", want: `buffer_bytes: "lots" is not a size`},
		{yaml: "buffer_bytes: 16EiB", want: `buffer_bytes: "16EiB"`},
		{yaml: "buffer_bytes: 8EiB", want: `buffer_bytes: "8EiB" is too large`},
		{yaml: "period: 1d", want: `period: "1d" is not a duration`},
		{yaml: "period: 0s", want: `period: must be greater than zero`},
	} {
		t.Run(test.yaml, func(t *testing.T) {
			yaml := "url: redis://a\n" + test.yaml
			conf, err := newSpec().ParseYAML(yaml, nil)
			require.NoError(t, err)
			size, sizeErr := Size(conf, "buffer_bytes")
			duration, durationErr := PositiveDuration(conf, "period")
			if test.want != "" {
				require.ErrorContains(t, Problems{fmt.Sprint(sizeErr), fmt.Sprint(durationErr)}, test.want)
				return
			}
			require.NoError(t, sizeErr)
			require.NoError(t, durationErr)
			assert.Equal(t, test.size, size)
			assert.Equal(t, test.duration, duration)
		})
	}
}

func TestJoinedRulesAllApply(t *testing.T) {
	lints := lint(t, "url: ''\nbuffer_bytes: 13")
	assert.Contains(t, lints, "url: is empty")
	assert.Contains(t, lints, "unlucky")
}

func TestRegisteredLintSeesDefaults(t *testing.T) {
	rule := RegisterLint("rafka_lint_test", func(f Fields) []string {
		if n := f.Object("o").Int("n"); f.Bool("on") {
			return []string{fmt.Sprintf("n is %d", n)}
		}
		return nil
	})
	spec := service.NewConfigSpec().Field(service.NewBoolField("on").Default(true)).
		Field(service.NewObjectField("o", service.NewIntField("n").Default(7))).LintRule(JoinLintRules(rule))
	env := service.NewEnvironment()
	require.NoError(t, env.RegisterBatchInput("lint_test", spec, nil))
	lints, err := env.NewComponentConfigLinter().LintInputYAML([]byte("lint_test: {}"))
	require.NoError(t, err)
	require.Len(t, lints, 1)
	assert.Equal(t, "n is 7", lints[0].What)
}
