package redistest

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

var errExited = errors.New("it exited")

// run is one life of a server process.
type run struct {
	cmd  *exec.Cmd
	pid  int
	done chan struct{} // closed once the process has been waited for
}

// startRun starts the process. The goroutine it starts ends with the process.
func startRun(binary string, args []string, output io.Writer) (*run, error) {
	r := &run{cmd: exec.Command(binary, args...), done: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = output, output
	r.cmd.SysProcAttr = diesWithParent()
	started := make(chan error, 1)
	go func() {
		defer close(r.done)
		// "Parent" is the thread that forked, not the process: the thread must live as long as the
		// server does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := r.cmd.Start()
		started <- err
		if err == nil {
			_ = r.cmd.Wait() // how it ended is seen in its output
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	r.pid = r.cmd.Process.Pid
	return r, nil
}

// awaitReady waits until the server answers on its own unix socket. On the port a stranger could
// answer while our server is still failing to bind it; the socket is opened after the port and
// belongs to this server alone.
func (r *run) awaitReady(socket string, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		err := ping(socket)
		if err == nil {
			return nil
		}
		select {
		case <-r.done:
			return errExited
		case <-time.After(pollPeriod):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("it did not answer within %s: %w", timeout, err)
		}
	}
}

// ping succeeds when the server answers anything but that it is loading. A demand for a password is
// an answer.
func ping(socket string) error {
	conn, err := net.DialTimeout("unix", socket, time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if strings.HasPrefix(line, "-LOADING") {
		return errors.New(strings.TrimSpace(line))
	}
	return nil
}

func (r *run) signal(sig syscall.Signal) error {
	if err := r.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("sending %s to redis-server: %w", sig, err)
	}
	return nil
}

func (r *run) kill() {
	freeze(r.cmd.Process)
	_ = r.cmd.Process.Kill() // fails only if it is gone already
	<-r.done
}

func (r *run) terminate(timeout time.Duration) error {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	_ = r.cmd.Process.Signal(syscall.SIGCONT) // a paused process would not see the first
	select {
	case <-r.done:
		return nil
	case <-time.After(timeout):
		r.kill()
		return fmt.Errorf("redis-server did not stop within %s and was killed", timeout)
	}
}
