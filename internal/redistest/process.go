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
	// BinaryEnv names the environment variable that selects another server, such as valkey-server.
	BinaryEnv = "RAFKA_REDIS_SERVER"

	startTimeout = time.Minute
	stopTimeout  = time.Minute
	pollPeriod   = 5 * time.Millisecond
	portAttempts = 10
)

// ErrMissing is returned by Launch, wrapped, if redis-server is not installed.
var ErrMissing = errors.New("redis-server is not installed: run `apt-get install -y redis-server` or `make deps`")

// errNotRunning is returned for a signal to a server that is down.
var errNotRunning = errors.New("redis-server is not running")

// Options configure a server. The zero value is an empty server without persistence.
type Options struct {
	// Binary is the server to start; if empty, $RAFKA_REDIS_SERVER, then redis-server in the PATH.
	Binary string
	// Args are appended to the server's command line, such as "--appendonly", "yes". They override
	// the settings of this package.
	Args []string
	// Config, if not empty, is the text of a configuration file, which the server can write to, as
	// Sentinels do. Like all files of the server, it survives restarts.
	Config string
	// TLS makes the server speak TLS on its port; Args must name the certificates. The unix socket
	// stays plain.
	TLS bool
}

// Process is one server: a port and a directory that survive restarts. Its methods are safe for
// concurrent use, but the outcome of a concurrent Kill and Restart is undefined.
type Process struct {
	binary string
	config string // path of the configuration file, "" if there is none
	args   []string
	tls    bool
	dir    string
	output tail

	mu      sync.Mutex
	port    int
	running *instance // nil while the server is down
}

// Launch starts a server on a free loopback port and returns when the server answers. The caller
// must Close it. An error contains the output of the server.
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

// startOnFreePort tries ports until the server can bind one.
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

// Start starts a server that is down, with the same port and directory as before, and returns when
// it answers PING and has loaded its data. It does nothing if the server is running.
func (p *Process) Start() error {
	p.mu.Lock()
	running, port := p.running != nil, p.port
	p.mu.Unlock()
	if running {
		return nil
	}
	p.output.reset() // an earlier run's error about its port must not count for this run
	r, err := startInstance(p.binary, p.arguments(port), &p.output)
	if err != nil {
		return fmt.Errorf("starting %s: %w", p.binary, err)
	}
	if err := r.awaitReady(p.Socket(), startTimeout); err != nil {
		r.kill()
		if p.output.contains("Address already in use") {
			err = errPortTaken
		}
		return fmt.Errorf("starting %s on port %d: %w; output:\n%s", p.binary, port, err, p.output.String())
	}
	p.mu.Lock()
	p.running = r
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

// Restart stops the server gracefully if it is running, and starts it like Start.
func (p *Process) Restart() error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.Start()
}

// Stop shuts the server down gracefully (SIGTERM) and waits for its end. It returns an error only
// if the server had to be killed. It does nothing if the server is down.
func (p *Process) Stop() error {
	r := p.takeInstance()
	if r == nil {
		return nil
	}
	return r.terminate(stopTimeout)
}

// Kill kills the server (SIGKILL) and waits for its end. It does nothing if the server is down.
func (p *Process) Kill() {
	if r := p.takeInstance(); r != nil {
		r.kill()
	}
}

// Pause freezes the server (SIGSTOP): connections stay open and nothing is answered.
func (p *Process) Pause() error { return p.signal(syscall.SIGSTOP) }

// Resume continues a paused server.
func (p *Process) Resume() error { return p.signal(syscall.SIGCONT) }

func (p *Process) signal(sig syscall.Signal) error {
	p.mu.Lock()
	r := p.running
	p.mu.Unlock()
	if r == nil {
		return errNotRunning
	}
	return r.signal(sig)
}

func (p *Process) takeInstance() *instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.running
	p.running = nil
	return r
}

// Close kills the server and removes its directory.
func (p *Process) Close() error {
	p.Kill()
	return os.RemoveAll(p.dir)
}

// PID returns the process ID of the running server, 0 while it is down.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return 0
	}
	return p.running.pid
}

// Addr returns "127.0.0.1:port", which never changes.
func (p *Process) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port))
}

// URL returns "redis://127.0.0.1:port".
func (p *Process) URL() string { return "redis://" + p.Addr() }

// Dir returns the server's directory, which holds its files.
func (p *Process) Dir() string { return p.dir }

// Socket returns the path of the unix socket on which the server also listens.
func (p *Process) Socket() string { return filepath.Join(p.dir, "redis.sock") }

// Output returns the end of the output of the latest run.
func (p *Process) Output() string { return p.output.String() }
