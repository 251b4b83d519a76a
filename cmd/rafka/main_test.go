package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/proctest"
)

const asMain = "RAFKA_TEST_RUN_MAIN"

// TestMain runs the test binary as the command itself if asMain is set, for tests of the engine's
// output and of exit codes.
func TestMain(m *testing.M) {
	if os.Getenv(asMain) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

type outcome struct {
	code           int
	stdout, stderr string
}

// rafka runs a command line in this process.
func rafka(t *testing.T, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append([]string{binaryName}, args...), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// rafkaProcess runs a command line in its own process.
func rafkaProcess(t *testing.T, args ...string) outcome {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), asMain+"=1", "GORACE=atexit_sleep_ms=0")
	command.Dir = t.TempDir()
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		exit := (*exec.ExitError)(nil)
		require.ErrorAs(t, err, &exit)
	}
	return outcome{command.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// start starts a command line in its own process.
func start(t *testing.T, args ...string) *proctest.Process {
	t.Helper()
	return proctest.Start(t, os.Args[0], []string{asMain + "=1"}, args...)
}

// writeFile writes a file that exists as long as the test, and returns its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestDefaultsOfThisBinary(t *testing.T) {
	o := rafkaProcess(
		t,
		"echo",
		writeFile(t, "rafka.yaml", "input: {generate: {mapping: root = 1}}\noutput: {drop: {}}\n"),
	)
	require.Zero(t, o.code, o.stderr)
	assert.Contains(
		t,
		o.stdout,
		"enabled: true\n  address: 127.0.0.1:4195\n",
		"by default, the network can't connect",
	)
	assert.Contains(t, o.stdout, "'@service': rafka\n")
	assert.Contains(t, o.stdout, "metrics:\n  prometheus: {}\n")
}

func TestConfigIsFoundInTheWorkingDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("rafka.yaml", []byte("output: {stdout: {unknown_field: 1}}"), 0o600))
	command := exec.CommandContext(t.Context(), os.Args[0], "run")
	command.Env = append(os.Environ(), asMain+"=1")
	out, err := command.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "unknown_field")
}

func TestExitCodesOfTheProcess(t *testing.T) {
	good := writeFile(
		t,
		"good.yaml",
		"http: {enabled: false}\ninput: {generate: {mapping: root = 1, count: 1, interval: ''}}\noutput: {drop: {}}\n",
	)
	bad := writeFile(t, "bad.yaml", "output: {nope: {}}\n")
	for _, c := range []struct {
		args   string
		code   int
		stdout string
		stderr string
	}{
		{"--version", 0, "Version: ", ""},
		{"list inputs", 0, "generate", ""},
		{"run " + good, 0, "Pipeline has terminated", ""},
		{"run " + bad, 1, "", "nope"},
		{"lint " + good, 0, "", ""},
		{"lint " + bad, 1, "", "nope"},
		{"check " + good, 0, good + ": input: ok", ""},
		{"check " + bad, 1, "", bad + ": (1,1)"},
		{"topic", 0, "create", ""},
		{"topic rename", 1, "", "rafka topic has no command \"rename\""},
		{"topic create", 1, "", "rafka topic create needs [NAME], got 0 arguments"},
		{"topic create orders --partitions many", 1, "", "invalid value \"many\" for flag -partitions"},
		{"topic create orders --partitions", 1, "", "flag needs an argument: -partitions"},
		{"topic create orders -p", 1, "", "flag needs an argument: -p"},
		{"topic create --partitions -- orders", 1, "", "flag needs an argument: -partitions"},
		{"group describe billing --topic", 1, "", "flag needs an argument: -topic"},
		{"check " + good + " --timeout", 1, "", "flag needs an argument: -timeout"},
		{"acl reader --topic orders --group", 1, "", "flag needs an argument: -group"},
		{"version", 0, "Version: ", ""},
		{"version 1", 1, "", "rafka version needs no arguments, got 1"},
		{"nonsense", 1, "", "Unrecognised command: nonsense"},
	} {
		o := rafkaProcess(t, strings.Fields(c.args)...)
		assert.Equal(t, c.code, o.code, "%s: %s", c.args, o.stderr)
		assert.Contains(t, o.stdout, c.stdout, c.args)
		assert.Contains(t, o.stderr, c.stderr, c.args)
	}
}
