// Package proctest runs a program in a process of its own, for tests.
package proctest

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// Timeout is how long a test waits for a process or for what it does.
	Timeout = 2 * time.Minute
	// Poll is how often a test looks meanwhile.
	Poll = 20 * time.Millisecond
)

// Process is a program that a test has started.
type Process struct {
	Command        *exec.Cmd
	Stdout, Stderr Transcript
	// Ended is closed when the process has ended.
	Ended chan struct{}
}

// Start starts a program in a directory of its own, with no RAFKA_ variables except those given.
// The process ends with the test at the latest; a test that failed logs what the process printed.
func Start(t *testing.T, program string, environment []string, args ...string) *Process {
	t.Helper()
	p := &Process{Command: exec.CommandContext(t.Context(), program, args...), Ended: make(chan struct{})}
	p.Command.Env = slices.Concat(Environment(), environment)
	p.Command.Dir = t.TempDir()
	p.Command.Stdout, p.Command.Stderr = &p.Stdout, &p.Stderr
	require.NoError(t, p.Command.Start())
	go func() { // ends with the process, which t.Context ends
		_ = p.Command.Wait() // Succeeds checks the exit code
		close(p.Ended)
	}()
	t.Cleanup(func() {
		<-p.Ended
		if t.Failed() {
			t.Logf("%q printed:\n%s%s", args, p.Stdout.String(), p.Stderr.String())
		}
	})
	return p
}

// Environment returns the environment of this process without RAFKA_ variables. A program with the
// race detector ends without its usual delay.
func Environment() []string {
	own := func(variable string) bool { return strings.HasPrefix(variable, "RAFKA_") }
	return append(slices.DeleteFunc(os.Environ(), own), "GORACE=atexit_sleep_ms=0")
}

// Succeeds waits until the process has ended. It expects exit code 0, no warning, no error and no
// data race.
func (p *Process) Succeeds(t *testing.T) {
	t.Helper()
	select {
	case <-p.Ended:
	case <-time.After(Timeout):
		require.FailNow(t, "still running", "%q", p.Command.Args[1:])
	}
	assert.Zero(t, p.Command.ProcessState.ExitCode(), "%q", p.Command.Args[1:])
	assert.NotRegexp(t, `level=(warn|error|fatal)|DATA RACE`, p.Stdout.String()+p.Stderr.String())
}

// Terminate sends SIGTERM, as CTRL+C or an orchestrator does, and expects what Succeeds expects.
func (p *Process) Terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, p.Command.Process.Signal(syscall.SIGTERM))
	p.Succeeds(t)
}

// Transcript is what a running process has printed so far.
type Transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write appends what the process printed.
func (s *Transcript) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// String returns everything printed so far.
func (s *Transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// Matches returns the submatches of all whole lines.
func (s *Transcript) Matches(line *regexp.Regexp) (all [][]string) {
	for text := range strings.Lines(s.String()) {
		if match := line.FindStringSubmatch(text); match != nil {
			all = append(all, match[1:])
		}
	}
	return all
}
