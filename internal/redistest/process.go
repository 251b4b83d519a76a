package redistest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	// BinaryEnv names the environment variable that holds another server to start, such as
	// valkey-server.
	BinaryEnv = "RAFKA_REDIS_SERVER"

	startTimeout = time.Minute
	stopTimeout  = time.Minute
	pollPeriod   = 5 * time.Millisecond
	portAttempts = 10
)

// ErrMissing is what Launch answers, wrapped, when there is no redis-server to start.
var ErrMissing = errors.New("redis-server is not installed: run `apt-get install -y redis-server` or `make deps`")

// errNotRunning is the answer to signals for a server that is down.
var errNotRunning = errors.New("redis-server is not running")

// Options say how a server is started. The zero value is an empty server without persistence.
type Options struct {
	// Binary is the server to start; empty means $RAFKA_REDIS_SERVER, then redis-server of the
	// PATH.
	Binary string
	// Args are appended to the server's command line, such as "--appendonly", "yes". They win over
	// what this package sets.
	Args []string
	// Config, if not empty, is the text of a configuration file that the server is started with and
	// may write to, as sentinels do. It outlives each run like all of the server's files.
	Config string
	// TLS has the server speak TLS on its port; Args must name the certificates. The unix socket
	// stays plain.
	TLS bool
}

// Process is one server: a port and a directory that outlive each of its runs. Its methods may be
// called concurrently, but which of a concurrent Kill and Restart wins is left open.
type Process struct {
	binary string
	config string // path of the configuration file, if there is one
	args   []string
	tls    bool
	dir    string
	output tail

	mu   sync.Mutex
	port int
	run  *run // nil while the server is down
}

// Launch starts a server on a free loopback port and returns once it answers. Whoever launches it
// must Close it. An error holds what the server printed.
func Launch(o Options) (*Process, error) {
	binary, err := findBinary(o.Binary)
	if err != nil {
		return nil, err
	}
	// Not t.TempDir: the path of a unix socket must not exceed about 100 bytes.
	dir, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return nil, fmt.Errorf("making the directory of redis-server: %w", err)
	}
	p := &Process{binary: binary, args: o.Args, tls: o.TLS, dir: dir}
	if err := errors.Join(p.writeConfig(o.Config), p.startOnFreePort()); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Process) writeConfig(text string) error {
	if text == "" {
		return nil
	}
	p.config = filepath.Join(p.dir, "redis.conf")
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		return fmt.Errorf("writing the configuration of redis-server: %w", err)
	}
	return nil
}

func findBinary(name string) (string, error) {
	if name == "" {
		name = os.Getenv(BinaryEnv)
	}
	if name == "" {
		name = "redis-server"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w (%w)", ErrMissing, err)
	}
	return path, nil
}

// startOnFreePort tries ports until one is still free when the server binds it.
func (p *Process) startOnFreePort() error {
	var err error
	for range portAttempts {
		port, portErr := freePort()
		if portErr != nil {
			return portErr
		}
		p.mu.Lock()
		p.port = port
		p.mu.Unlock()
		if err = p.Start(); !errors.Is(err, errPortTaken) {
			return err
		}
	}
	return err
}

// Start starts a server that is down, on the port and with the directory it had before, and returns
// once it answers PING and has loaded its data. Starting a running server is no error and does
// nothing.
func (p *Process) Start() error {
	p.mu.Lock()
	running, port := p.run != nil, p.port
	p.mu.Unlock()
	if running {
		return nil
	}
	p.output.reset() // a complaint of an earlier run about its port must not be taken for one of this run
	r, err := startRun(p.binary, p.arguments(port), &p.output)
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.binary, err)
	}
	if err := r.awaitReady(p.Socket(), startTimeout); err != nil {
		r.kill()
		if p.output.contains("Address already in use") {
			err = errPortTaken
		}
		return fmt.Errorf("starting %s on port %d: %w; it printed:\n%s", p.binary, port, err, p.output.String())
	}
	p.mu.Lock()
	p.run = r
	p.mu.Unlock()
	return nil
}

func (p *Process) arguments(port int) []string {
	var args []string
	if p.config != "" {
		args = append(args, p.config)
	}
	if p.tls {
		args = append(args, "--tls-port", strconv.Itoa(port), "--port", "0")
	} else {
		args = append(args, "--port", strconv.Itoa(port))
	}
	args = append(
		args,
		"--bind",
		"127.0.0.1",
		"--dir",
		p.dir,
		"--unixsocket",
		p.Socket(),
		"--save",
		"",
		"--appendonly",
		"no",
	)
	return append(args, p.args...)
}

// Restart stops the server gracefully if it runs, and starts it again as Start does.
func (p *Process) Restart() error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.Start()
}

// Stop lets the server shut down by itself (SIGTERM), waits for its end and returns an error only
// if it had to be killed. Stopping one that is down does nothing.
func (p *Process) Stop() error {
	r := p.takeRun()
	if r == nil {
		return nil
	}
	return r.terminate(stopTimeout)
}

// Kill ends the server at once (SIGKILL) and waits for its end. Killing one that is down does
// nothing.
func (p *Process) Kill() {
	if r := p.takeRun(); r != nil {
		r.kill()
	}
}

// Pause freezes the server (SIGSTOP): connections stay open and nothing answers.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	r := p.run
	p.mu.Unlock()
	if r == nil {
		return errNotRunning
	}
	return r.signal(sig)
}

func (p *Process) takeRun() *run {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.run
	p.run = nil
	return r
}

// Close kills the server and removes its directory.
func (p *Process) Close() error {
	p.Kill()
	return os.RemoveAll(p.dir)
}

// PID is the process id of the running server, 0 while it is down.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.run == nil {
		return 0
	}
	return p.run.pid
}

// Addr is "127.0.0.1:port", the same for the life of the Process.
func (p *Process) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port))
}

// URL is "redis://127.0.0.1:port".
func (p *Process) URL() string { return "redis://" + p.Addr() }

// Dir is the server's own directory, which holds its files.
func (p *Process) Dir() string { return p.dir }

// Socket is the path of the unix socket on which the server listens too.
func (p *Process) Socket() string { return filepath.Join(p.dir, "redis.sock") }

// Output is the end of what the server printed in its latest run.
func (p *Process) Output() string { return p.output.String() }
