package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Regression: the help of the engine's commands named components that this binary does not have,
// and linked to pages that do not exist.
func TestExamplesInHelpWork(t *testing.T) {
	const existing = `^https://(github\.com/rafka-streams/rafka$|` +
		`docs\.redpanda\.com/redpanda-connect/(guides|configuration)/)`
	links := regexp.MustCompile(`https?://\S+`)
	created := 0
	for _, command := range []string{
		"", "create", "list", "streams", "test", "template", "blobl", "run", "lint", "echo", "check", "topic", "acl",
		"version",
	} {
		help := rafkaProcess(t, append(strings.Fields(command), "--help")...)
		require.Zero(t, help.code, command)
		for _, link := range links.FindAllString(help.stdout, -1) {
			assert.Regexp(t, existing, link, command)
		}
		for line := range strings.Lines(help.stdout) {
			example, _, _ := strings.Cut(strings.TrimSpace(line), ">")
			words := strings.Fields(example)
			isCommand := len(words) > 1 && words[0] == "rafka" && (words[1] == "create" || words[1] == "list")
			if isCommand && !strings.Contains(example, "[") && !strings.Contains(example, " - ") {
				o := rafkaProcess(t, words[1:]...)
				assert.Zero(t, o.code, "%s: %s", example, o.stderr)
				created++
			}
		}
	}
	assert.GreaterOrEqual(t, created, 8, "the examples are found")
	assert.Contains(t, rafkaProcess(t, "--help").stdout, "rafka create rafka//rafka > ./config.yaml")
}

func TestListShowsNoMethodsOfTheLinter(t *testing.T) {
	for _, args := range []string{"list", "list --format json", "list bloblang-methods"} {
		o := rafkaProcess(t, strings.Fields(args)...)
		assert.Contains(t, o.stdout, "parse_json", args)
		assert.NotContains(t, o.stdout, "rafka_lint", args)
	}
}

func TestConfigsOfCreatePassTheLinter(t *testing.T) {
	for _, args := range [][]string{{"create", "rafka//rafka"}, {"create", "--small", "rafka//rafka"}} {
		printed := rafkaProcess(t, args...)
		require.Zero(t, printed.code, printed.stderr)
		linted := rafkaProcess(t, "lint", writeFile(t, "created.yaml", printed.stdout))
		assert.Zero(t, linted.code, linted.stderr)
	}
}
