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

var errExited = errors.New("the process exited")

// instance is one run of a server process.
type instance struct {
	cmd  *exec.Cmd
	pid  int
	done chan struct{} // closed after Wait
}

// startInstance starts the process. Its goroutine ends with the process.
func startInstance(binary string, args []string, output io.Writer) (*instance, error) {
	r := &instance{cmd: exec.Command(binary, args...), done: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = output, output
	r.cmd.SysProcAttr = diesWithParent()
	started := make(chan error, 1)
	go func() {
		defer close(r.done)
		// PR_SET_PDEATHSIG refers to the thread that forked, not to the process: the thread must
		// live as long as the server does.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := r.cmd.Start()
		started <- err
		if err == nil {
			_ = r.cmd.Wait() // the output says how it ended
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	r.pid = r.cmd.Process.Pid
	return r, nil
}

// awaitReady waits until the server answers on its unix socket. On the port, another process could
// answer while the server still fails to bind it. The server opens its socket after the port, and
// no other process uses that socket.
func (r *instance) awaitReady(socket string, timeout time.Duration) error {
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
			return fmt.Errorf("the server did not answer within %s: %w", timeout, err)
		}
	}
}

// ping succeeds when the server answers anything except that it is loading. Asking for a password
// is an answer.
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

func (r *instance) signal(sig syscall.Signal) error {
	if err := r.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("sending %s to redis-server: %w", sig, err)
	}
	return nil
}

func (r *instance) kill() {
	freeze(r.cmd.Process)
	_ = r.cmd.Process.Kill() // fails only if the process has ended
	<-r.done
}

func (r *instance) terminate(timeout time.Duration) error {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	_ = r.cmd.Process.Signal(syscall.SIGCONT) // a paused process handles SIGTERM only after this
	select {
	case <-r.done:
		return nil
	case <-time.After(timeout):
		r.kill()
		return fmt.Errorf("redis-server did not stop within %s and was killed", timeout)
	}
}
