package config

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// namesAField begins each problem.
var namesAField = regexp.MustCompile(
	`^(url|kind|master|client_name|username|password|sentinel_username|sentinel_password|tls|` +
		`pool\.(size|min_idle|wait_timeout)|(dial|read|write)_timeout): `,
)

// requireNamed checks that each problem names its field and shows no password.
func requireNamed(t *testing.T, found Problems) {
	t.Helper()
	for _, problem := range found {
		require.Regexp(t, namesAField, problem)
		require.NotContains(t, problem, secret)
	}
}

// A text in the place of a password in a URL is never shown, whatever surrounds it.
func FuzzURLsHideTheirPasswords(f *testing.F) {
	for _, rest := range []string{
		"host", "host:6379/1", "host:x", "host/db", "a,redis://b", "a,redis://u:p@b", "host?db=x&protocol=3",
		"host?%zz",
		"host:0", "[::1]:1",
		"/var/run/redis.sock?db=1", "", "host#x", "host/1?read_timeout=soon&pool_size=-1",
	} {
		for _, kind := range []string{kindSimple, kindCluster, kindFailover} {
			f.Add("redis", "user", "", "", rest, kind)
		}
		f.Add("rediss", "", "p@", "/x", rest, kindSimple)
		f.Add("unix", "u?", ",", "#", rest, kindSimple)
		f.Add("embedded", "u/", "%", ":", rest, kindSimple)
	}
	f.Fuzz(func(t *testing.T, scheme, user, before, after, rest, kind string) {
		text := scheme + "://" + user + ":" + before + secret + after + "@" + rest
		var p Problems
		connection, found := resolve(Fields{fieldURL: text, fieldKind: kind, fieldMaster: "m"})
		parsed, ok := parseURL(text, &p)
		require.Equal(t, ok, len(p) == 0)
		requireNamed(t, p)
		requireNamed(t, found)
		if len(found) > 0 {
			return
		}
		require.NotEmpty(t, parsed.addrs)
		requireHidden(t, text)
		for _, verb := range []string{"%v", "%+v", "%#v"} {
			require.NotContains(t, fmt.Sprintf(verb, connection), secret)
		}
	})
}

// Any text is a URL or is rejected with an error that names the field.
func FuzzURLs(f *testing.F) {
	for _, test := range badConfigs {
		if text, ok := strings.CutPrefix(test.yaml, "url: "); ok {
			first, _, _ := strings.Cut(text, "\n")
			f.Add(strings.Trim(first, "'"), kindSimple, "")
			f.Add(strings.Trim(first, "'"), kindCluster, "")
		}
	}
	f.Add("redis://u:p@a:1/2,redis://u:p@b:2/2?db=3", kindFailover, "m")
	f.Add(
		"redis://localhost:6379?pool_size=3&read_timeout=6s&dial_timeout=3&db=1&protocol=2&client_name=x",
		kindSimple,
		"",
	)
	f.Add("redis://a:1?addr=b:2&max_redirects=5", kindCluster, "")
	f.Fuzz(func(t *testing.T, text, kind, master string) {
		c, found := resolve(Fields{fieldURL: text, fieldKind: kind, fieldMaster: master})
		for _, problem := range found {
			require.Regexp(t, namesAField, problem)
		}
		if len(found) > 0 {
			return
		}
		require.Positive(t, c.options.DialTimeout)
		require.Positive(t, c.options.ReadTimeout)
		require.Positive(t, c.options.WriteTimeout)
		require.GreaterOrEqual(t, c.options.PoolSize, 0)
		require.NotEmpty(t, c.String())
	})
}

// No file causes a panic, and the constructor accepts what the linter accepts.
func FuzzConnectionFields(f *testing.F) {
	for _, test := range badConfigs {
		f.Add(test.yaml)
	}
	f.Add(
		"url: redis://localhost\npool: {size: 5, min_idle: 5, wait_timeout: 1s}\ndial_timeout: 1s\nread_timeout: 1m\n" +
			"write_timeout: 3ms",
	)
	f.Add("url: redis://localhost\ntls: {enabled: true, skip_cert_verify: true}")
	f.Add("url: [redis://localhost]\npool: 3\ntls: yes\nkind: {}\nmaster: 1.5\nclient_name: null")
	f.Add("url: 1\npool: {size: 1.5, min_idle: many}\nusername: 1\npassword: [hunter2]\nread_timeout: 5")
	env := service.NewEnvironment()
	if err := env.RegisterBatchInput("config_fuzz", newSpec(), nil); err != nil {
		f.Fatal(err)
	}
	linter := env.NewComponentConfigLinter()
	f.Fuzz(func(t *testing.T, yaml string) {
		// The linter does not check certificates.
		if !utf8.ValidString(yaml) || strings.Contains(yaml, "ca") || strings.Contains(yaml, "cert") {
			return
		}
		conf, parseErr := newSpec().ParseYAML(yaml, nil)
		var err error
		if parseErr == nil {
			_, err = ParseConnection(conf)
		}
		lints, lintErr := linter.LintInputYAML([]byte("config_fuzz:\n  " + strings.ReplaceAll(yaml, "\n", "\n  ")))
		if parseErr == nil && lintErr == nil && len(lints) == 0 {
			require.NoError(t, err)
		}
	})
}
