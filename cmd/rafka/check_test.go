package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const goodConfig = `
input:
  label: source
  generate: { mapping: root = 1 }
output:
  broker:
    outputs:
      - drop: {}
      - stdout: {}
`

func TestCheckPrintsALineForEachComponent(t *testing.T) {
	path := writeFile(t, "good.yaml", goodConfig)
	o := rafka(t, "check", path)
	assert.Zero(t, o.code)
	assert.Equal(t, path+": source: ok\n"+
		path+": output.broker.outputs.0: ok\n"+
		path+": output.broker.outputs.1: not tested, the component does not support it\n", o.stdout)
	assert.Empty(t, o.stderr)
}

func TestCheckFailsIfAConnectionFails(t *testing.T) {
	good, bad := writeFile(t, "good.yaml", goodConfig), writeFile(t, "bad.yaml", `
input: { websocket: { url: "ws://127.0.0.1:1/" } }
output: { drop: {} }
`)
	o := rafka(t, "check", bad, good)
	assert.Equal(t, 1, o.code)
	assert.Contains(
		t,
		o.stdout,
		bad+": input: dial tcp 127.0.0.1:1: connect: connection refused\n"+bad+": output: ok\n",
	)
	assert.Contains(t, o.stdout, good+": source: ok\n", "the others are checked all the same")
	assert.Equal(t, "1 of 2 configs failed the check\n", o.stderr)
}

func TestCheckPrintsWarnings(t *testing.T) {
	url := redistest.Start(t, "--maxmemory-policy", "allkeys-lru").URL()
	path := writeFile(t, "rafka.yaml", fmt.Sprintf(`
input:
  label: source
  rafka: { url: '%s', stream_name: orders, consumer_group: g }
output:
  rafka: { url: '%s', stream_name: orders }
`, url, url))
	o := rafka(t, "check", path)
	assert.Zero(t, o.code, o.stderr)
	lines := strings.Split(strings.TrimSpace(o.stdout), "\n")
	slices.Sort(lines)
	require.Len(t, lines, 5, o.stdout)
	assert.Equal(t, path+": output: ok", lines[0])
	assert.Contains(t, lines[1], path+": output: warning: the server has maxmemory-policy allkeys-lru")
	assert.Contains(t, lines[2], path+": source: note: topic orders does not exist yet")
	assert.Equal(t, path+": source: ok", lines[3])
	assert.Contains(t, lines[4], path+": source: warning: the server has maxmemory-policy allkeys-lru")
}

func TestCheckReportsWhyAConfigCannotBeTested(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown field": {"output: { stdout: { nope: 1 } }", "field nope"},
		"missing variable": {
			"input: { stdin: {} }\noutput: { file: { path: '${RAFKA_TEST_NOT_SET}' } }",
			"RAFKA_TEST_NOT_SET",
		},
		"no YAML":           {"input: {", "yaml"},
		"bad constructor":   {"input: { broker: { inputs: [] } }", "input"},
		"missing resource":  {"input: { resource: nope }", "nope"},
		"several at once":   {"input: { stdin: { a: 1 } }\noutput: { stdout: { b: 1 } }", "; "},
		"with default only": {"output: { stdout: { '${RAFKA_TEST_NOT_SET:x}': 1 } }", "field x"},
	} {
		path := writeFile(t, "bad.yaml", c.text)
		o := rafka(t, "check", path)
		assert.Equal(t, 1, o.code, name)
		assert.Empty(t, o.stdout, name)
		lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
		assert.Len(t, lines, 2, "%s: %s", name, o.stderr)
		assert.True(t, strings.HasPrefix(lines[0], path+": "), name)
		assert.Contains(t, lines[0], c.want, name)
		assert.Equal(t, "1 of 1 configs failed the check", lines[len(lines)-1], name)
	}
}

func TestCheckWithoutAConfigFails(t *testing.T) {
	assert.Equal(t, outcome{1, "", "no config to check: name at least one file\n"}, rafka(t, "check"))
	o := rafka(t, "check", "/nowhere/rafka.yaml")
	assert.Equal(t, 1, o.code)
	assert.Contains(t, o.stderr, "/nowhere/rafka.yaml: open /nowhere/rafka.yaml: no such file or directory\n")
}

func TestCheckResolvesVariablesAndResources(t *testing.T) {
	t.Setenv("RAFKA_TEST_LABEL", "") // restored after -e has set it
	env := writeFile(t, ".env", "RAFKA_TEST_LABEL=from_file\n")
	resources := writeFile(t, "resources.yaml", "output_resources:\n  - label: sink\n    drop: {}\n")
	path := writeFile(
		t,
		"rafka.yaml",
		"input:\n  label: ${RAFKA_TEST_LABEL}\n  generate: { mapping: root = 1 }\noutput:\n  resource: sink\n",
	)
	o := rafka(t, "check", path, "-e", env, "-r", resources)
	assert.Zero(t, o.code, o.stderr)
	assert.Equal(t, path+": from_file: ok\n"+path+": sink: ok\n", o.stdout)
}
