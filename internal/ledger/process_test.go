//go:build ledger

package ledger

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// stopWithin is how long a process can take to terminate: the engine's shutdown_timeout, and a
	// second.
	stopWithin = 21 * time.Second
	// shownOutput is how many bytes of the output are shown when a test fails.
	shownOutput = 16 << 10
)

// process is one running binary. It belongs to one test, which kills and joins it at its end.
type process struct {
	name string
	log  string // the file with its output
	cmd  *exec.Cmd
	done chan struct{} // closed after Wait; cmd.ProcessState is set then
	// stopping: the process should end, so its output is not shown when the test fails.
	stopping atomic.Bool
}

// launch starts the binary with a configuration, in a directory of the test.
func launch(t testing.TB, dir, name, config string) *process {
	t.Helper()
	path := filepath.Join(dir, name+".yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	p := &process{
		name: name, log: filepath.Join(dir, name+".log"),
		cmd: exec.Command(binary, "run", path), done: make(chan struct{}),
	}
	output, err := os.Create(p.log)
	require.NoError(t, err)
	p.cmd.Stdout, p.cmd.Stderr = output, output
	p.cmd.SysProcAttr = diesWithParent()
	started := make(chan error, 1)
	go func() { // ends with the process
		defer close(p.done)
		// PR_SET_PDEATHSIG refers to the thread that forked, not to the process: the thread must
		// live as long as the child does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		_ = output.Close() // the child has its own copy
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // ProcessState says how it ended
		}
	}()
	require.NoError(t, <-started, "starting %s", binary)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // fails only if the process has ended
		<-p.done
		if t.Failed() && !p.stopping.Load() {
			t.Logf("%s (%s) printed:\n%s", p.name, p.cmd.ProcessState, p.output())
		}
	})
	return p
}

// output returns the end of the output.
func (p *process) output() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	if len(text) > shownOutput {
		text = append([]byte("...\n"), text[len(text)-shownOutput:]...)
	}
	return string(text)
}

// wholeOutput returns everything that the process has printed.
func (p *process) wholeOutput(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	require.NoError(t, err)
	return string(text)
}

func (p *process) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(sig), "sending %s to %s", sig, p.name)
}

// kill kills the process and returns when it has ended.
func (p *process) kill(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.done
}

// pause freezes the process until resume.
func (p *process) pause(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGSTOP)
}

func (p *process) resume(t testing.TB) {
	t.Helper()
	p.signal(t, syscall.SIGCONT)
}

// terminate sends SIGTERM. Before the engine logs that it can be stopped, it has no handler for the
// signal and would die of it, so terminate waits for that line.
func (p *process) terminate(t testing.TB) {
	t.Helper()
	await(t, waitLimit, p.name+" to be up", func() bool {
		printed, err := os.ReadFile(p.log)
		require.NoError(t, err)
		return p.ended() || bytes.Contains(printed, []byte("use CTRL+C to close"))
	})
	p.signal(t, syscall.SIGTERM)
}

// join waits until the process has ended without an error.
func (p *process) join(t testing.TB, within time.Duration) {
	t.Helper()
	select {
	case <-p.done:
		require.Zero(t, p.cmd.ProcessState.ExitCode(), "%s ended with an error: %s", p.name, p.cmd.ProcessState)
	case <-time.After(within):
		require.Fail(t, p.name+" did not end", "within %s", within)
	}
}

// ended reports whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// requireAlive fails the test if the process has ended.
func (p *process) requireAlive(t testing.TB) {
	t.Helper()
	if p.ended() {
		require.Fail(t, p.name+" has ended", "%s", p.cmd.ProcessState)
	}
}

// pollEvery is how often await checks its condition.
const pollEvery = 20 * time.Millisecond

// await waits until holds returns true. Unlike require.Eventually it calls holds on the test's own
// goroutine, so holds can fail the test.
func await(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(within)
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			require.Fail(t, "timed out waiting for "+what, "for %s", within)
		}
		<-ticker.C
	}
}

// Chaos can terminate a process right after its start.
func TestLedgerTerminateWaitsUntilTheProcessIsUp(t *testing.T) {
	p := launch(
		t,
		t.TempDir(),
		"p",
		"input: {generate: {interval: 1h, mapping: 'root = 1'}}\noutput: {drop: {}}\nhttp: {enabled: false}\n",
	)
	p.terminate(t)
	p.join(t, stopWithin)
}
