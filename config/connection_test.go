package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newSpec returns the spec of a component like the input and the output.
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
		"url: redis://localhost\npool: {size: 5, min_idle: 5, wait_timeout: 1s}\ndial_timeout: 1s\nread_timeout: 1m\n" +
			"write_timeout: 3ms",
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

func TestAllProblemsAreReportedTogether(t *testing.T) {
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

func TestConstructorReportsMissingCertificate(t *testing.T) {
	yaml := "url: rediss://host\ntls: {root_cas_file: " + filepath.Join(t.TempDir(), "missing.pem") + "}"
	assert.Empty(t, lint(t, yaml))
	_, err := parse(t, yaml)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "tls: ")
}
