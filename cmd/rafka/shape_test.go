package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const rafkaInput = "input: { broker: { inputs: " +
	"[ { rafka: { url: redis://localhost:6379, stream_name: orders, consumer_group: g } } ] } }\n"

func TestConfigsThatLoseMessagesCauseWarnings(t *testing.T) {
	for name, test := range map[string]struct {
		config string
		want   []string // a part of each warning, in order
	}{
		"nothing": {rafkaInput + "output: { drop: {} }", nil},
		"buffer": {
			rafkaInput + "buffer: { memory: {} }\noutput: { drop: {} }",
			[]string{"buffer.memory: a buffer acknowledges"},
		},
		"window": {rafkaInput + "buffer: { system_window: { size: 1s } }", []string{"buffer.system_window: "}},
		"no buffer": {
			rafkaInput + "buffer: { none: {} }\noutput: { drop: {} }", nil,
		},
		"another input": {
			"input: { stdin: {} }\nbuffer: { memory: {} }\n" +
				"output: { file: { path: x, batching: { processors: [ { select_parts: {} } ] } } }", nil,
		},
		"an input among the resources": {
			"input: { resource: a }\ninput_resources: [ { label: a, rafka: { stream_name: x } } ]\n" +
				"buffer: { memory: {} }",
			[]string{"buffer.memory"},
		},
		"select_parts": {
			rafkaInput + "output: { broker: { outputs: [ { drop: {} }, { http_client: " +
				"{ batching: { count: 2, processors: [ { select_parts: { parts: [1, 0] } } ] } } } ] } }",
			[]string{"output.broker.outputs.1.http_client.batching.processors: select_parts can drop"},
		},
		"a broker that fails fast": {
			rafkaInput + "output: { fallback: [ { broker: { pattern: fan_out_fail_fast, " +
				"outputs: [ { drop: {} } ] } } ] }",
			[]string{"output.fallback.0.broker.pattern: fan_out_fail_fast can lose a message"},
		},
		"a broker that fails fast, one output after the other": {
			rafkaInput + "output: { broker: { pattern: fan_out_sequential_fail_fast, " +
				"outputs: [ { drop: {} } ] } }", nil,
		},
		"deep in others": {
			rafkaInput + "output: { socket: { batching: { processors: [ { try: [ " +
				"{ for_each: [ { mapping: 'root = deleted()' } ] } ] } ] } } }",
			[]string{"output.socket.batching.processors: mapping can drop"},
		},
		"around a rafka output": {
			rafkaInput + "output: { broker: { outputs: [ { rafka: {} } ], batching: { processors: [ " +
				"{ split: { size: 2 } } ] } } }",
			[]string{"output.broker.batching.processors: split can drop"},
		},
		"of a rafka output, which fails as a whole": {
			rafkaInput + "output: { rafka: { batching: { processors: [ { unarchive: { format: lines } } ] } } }", nil,
		},
		"one message in the end": {
			rafkaInput + "output: { file: { batching: { processors: " +
				"[ { mapping: 'root = deleted()' }, { archive: { format: lines } } ] } } }", nil,
		},
		"one message each": {
			rafkaInput + "output: { file: { batching: { processors: " +
				"[ { mapping: 'root.a = this.b' }, { compress: { algorithm: gzip } } ] } } }", nil,
		},
		"in a fallback": {
			rafkaInput + "output: { fallback: [ { rafka: {}, processors: [ " +
				"{ unarchive: { format: lines } } ] }, { drop: {} } ] }",
			[]string{"output.fallback.0.processors: unarchive can drop"},
		},
		"a resource": {
			rafkaInput + "output_resources: [ { label: a, file: { batching: { processors: [ { dedupe: {} } ] } } } ]",
			[]string{"output_resources.0.file.batching.processors: dedupe"},
		},
		"no YAML":     {"input: {", nil},
		"not objects": {"input: [ rafka ]\noutput: 3\nbuffer: x", nil},
	} {
		t.Run(name, func(t *testing.T) {
			found := textWarnings(test.config)
			require.Len(t, found, len(test.want), "%v", found)
			for i, want := range test.want {
				assert.Contains(t, found[i], want)
			}
		})
	}
}

func TestRunCheckAndLintPrintShapeWarnings(t *testing.T) {
	url := redistest.Start(t).URL()
	path := writeFile(t, "rafka.yaml", `
http: { enabled: false }
input:
  read_until:
    idle_timeout: 200ms
    input: { rafka: { url: '`+url+`', stream_name: orders, consumer_group: g } }
buffer: { memory: {} }
output:
  http_client:
    url: 'http://127.0.0.1:1'
    batching: { count: 2, period: 10ms, processors: [ { select_parts: { parts: [ 1, 0 ] } } ] }
`)
	requireWarnings := func(text string) {
		t.Helper()
		for _, warning := range []string{
			"buffer.memory: a buffer acknowledges",
			"output.http_client.batching.processors: select_parts can drop",
		} {
			assert.Equal(t, 1, strings.Count(text, warning), "%s: %s", warning, text)
		}
	}
	o := rafka(t, "check", path)
	assert.Zero(t, o.code, o.stderr)
	requireWarnings(o.stdout)

	lint := rafkaProcess(t, "lint", path)
	assert.Zero(t, lint.code, lint.stderr)
	requireWarnings(lint.stderr)

	ran := rafkaProcess(t, "run", path)
	assert.Zero(t, ran.code, ran.stderr)
	requireWarnings(ran.stdout + ran.stderr)
}
