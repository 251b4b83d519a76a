package config

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scrubber is the engine's own mapping for URLs, which is not exported.
var scrubber = sync.OnceValues(func() (*bloblang.Executor, error) {
	field := reflect.ValueOf(service.NewURLField(fieldURL).XUnwrapper()).MethodByName("Unwrap").Call(nil)[0]
	return bloblang.NewEnvironment().OnlyPure().Parse(field.FieldByName("Scrubber").String())
})

// shown returns what the engine shows of a URL.
func shown(t *testing.T, text string) string {
	t.Helper()
	mapping, err := scrubber()
	require.NoError(t, err)
	value, err := mapping.Query(text)
	require.NoError(t, err)
	return fmt.Sprint(value)
}

// requireHidden fails the test if the engine shows the password in an URL that was accepted.
func requireHidden(t *testing.T, text string) {
	t.Helper()
	require.NotContains(t, shown(t, text), secret, "%q is accepted", text)
}

func TestURLWithAPasswordThatTheEngineShowsIsRejected(t *testing.T) {
	withoutUser := strings.NewReplacer(
		":hunter2@",
		"",
		"u:hunter2@",
		"",
		":$%7Bhunter2%7D@",
		"",
		":%20$%7BA:hunter2%7D%20@",
		"",
	)
	const (
		blank    = "url: contains white space (perhaps the line break at the end of a secret's file)"
		list     = "url: rafka echo would show a password in a list of such addresses"
		variable = "url: the password looks like an unresolved variable"
	)
	for _, test := range []struct{ url, kind, want string }{
		{"redis://:hunter2@h:1\n", kindSimple, blank},
		{"redis://:hunter2@h:1\r\n", kindSimple, blank},
		{"redis://:hunter2@h:1 ", kindSimple, blank},
		{"\tredis://:hunter2@h:1", kindSimple, blank},
		{"redis://:hunter2@h/1\n", kindSimple, blank},
		{"redis://:hunter2@h:1\u00a0", kindSimple, blank},
		{"unix://:hunter2@/r.sock\n", kindSimple, blank},
		{"redis://:hunter2@a:1, redis://b:1", kindCluster, blank},
		{"redis://:hunter2@a:1,redis://b:1\n", kindFailover, blank},
		{"redis://:hunter2@[::1]:1,redis://[::1]:2", kindCluster, list},
		{"rediss://u:hunter2@[::1]:1,rediss://u:hunter2@[::1]:2", kindFailover, list},
		{"redis://:$%7Bhunter2%7D@h", kindSimple, variable},
		{"redis://:%20$%7BA:hunter2%7D%20@h", kindSimple, variable},
	} {
		fields := Fields{fieldURL: test.url, fieldKind: test.kind}
		if test.kind == kindFailover {
			fields[fieldMaster] = "m"
		}
		require.Contains(t, shown(t, test.url), secret, "%q would be shown", test.url)
		_, found := resolve(fields)
		require.Len(t, found, 1, test.url)
		assert.Contains(t, found[0], test.want, test.url)
		requireNamed(t, found)

		fields[fieldURL] = withoutUser.Replace(test.url)
		fields[fieldPassword] = secret
		_, found = resolve(fields)
		assert.Empty(t, found, "the remedy helps: %q", fields[fieldURL])
	}
}

func TestURLWithAPasswordThatTheEngineHidesIsAccepted(t *testing.T) {
	for _, test := range []struct{ url, kind string }{
		{"redis://:hunter2@h", kindSimple},
		{"rediss://user:hunter2@h:1/3?read_timeout=3s", kindSimple},
		{"redis://:hunter2@[::1]:1", kindSimple},
		{"redis://:hunter2@[::1]:1", kindCluster},
		{"redis://:%20hunter2%0a@h", kindSimple},
		{"redis://:p%40%2F%23%3F%2Chunter2@h", kindSimple},
		{"redis://:p@hunter2@h", kindSimple},
		{"unix://u:hunter2@/var/run/redis.sock?db=2", kindSimple},
		{"redis://:hunter2@a,redis://b", kindCluster},
		{"redis://:hunter2@a:1,redis://b:2,redis://c:3", kindCluster},
		{"redis://u:hunter2@a:1,redis://u:hunter2@b:2", kindCluster},
	} {
		_, found := resolve(Fields{fieldURL: test.url, fieldKind: test.kind})
		assert.Empty(t, found, test.url)
		requireHidden(t, test.url)
	}
	for _, url := range []string{"redis://h:1\n", " redis://h", "redis://[::1]:1 , redis://[::1]:2"} {
		kind := kindSimple
		if strings.Contains(url, ",") {
			kind = kindCluster
		}
		_, found := resolve(Fields{fieldURL: url, fieldKind: kind})
		assert.Empty(t, found, "there is nothing to hide in %q", url)
	}
}

// In a secret field the engine hides strings only; it shows a number in its error.
func TestSecretFieldsAcceptOnlyStrings(t *testing.T) {
	for field, more := range map[string]string{"password": "", "sentinel_password": "\nkind: failover\nmaster: m"} {
		for _, value := range []string{"4711", "4711.5", "true"} {
			lints := lint(t, "url: redis://h\n"+field+": "+value+more)
			require.Contains(t, lints, field+": is not a string")
			assert.NotContains(t, lints, "4711")
		}
		_, found := resolve(
			Fields{fieldURL: "redis://h", fieldKind: kindFailover, fieldMaster: "m", field: "${hunter2}"},
		)
		require.Len(t, found, 1)
		assert.Contains(t, found[0], field+": looks like an unresolved variable")
		requireNamed(t, found)
		for _, value := range []string{"'4711'", "'true'", "$hunter2", "'hunter2 '"} {
			assert.Empty(t, lint(t, "url: redis://h\n"+field+": "+value+more))
		}
	}
}

// A comma in a password makes a list of the URL. Errors don't repeat its parts.
func TestPartsOfAPasswordAreNotRepeated(t *testing.T) {
	_, found := resolve(Fields{fieldURL: "redis://:a,hunter2://b@h", fieldKind: kindCluster})
	require.NotEmpty(t, found)
	requireNamed(t, found)
}
