package redistest

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Server is a real redis-server that belongs to one test. Methods with a testing.TB fail the test
// on errors.
type Server struct {
	process  *Process
	password string // if this package needs it
	paused   atomic.Bool
}

// Start starts a redis-server on a free loopback port, with its own directory, and without
// persistence unless args enable it ("--appendonly", "yes", "--appendfsync", "always"). The server
// answers when Start returns. It is killed and joined when t ends; if t failed, its output is
// logged.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return launch(t, Options{Args: args})
}

// launch is Start with all options.
func launch(t testing.TB, o Options) *Server {
	t.Helper()
	p, err := Launch(o)
	if err != nil {
		t.Fatalf("starting a redis-server for this test: %v", err)
	}
	s := &Server{process: p}
	s.closeAfter(t)
	return s
}

// closeAfter makes t kill and join the server at its end.
func (s *Server) closeAfter(t testing.TB) {
	p := s.process
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("redis-server at %s printed:\n%s", p.Addr(), p.Output())
		}
		if err := p.Close(); err != nil {
			t.Errorf("closing redis-server: %v", err)
		}
	})
}

// Addr returns "127.0.0.1:port", which never changes.
func (s *Server) Addr() string { return s.process.Addr() }

// URL returns "redis://127.0.0.1:port".
func (s *Server) URL() string { return s.process.URL() }

// Socket returns the path of the unix socket on which the server also listens.
func (s *Server) Socket() string { return s.process.Socket() }

// PID returns the process ID of the running server, 0 while it is down.
func (s *Server) PID() int { return s.process.PID() }

// clientTimeout is the timeout of clients of healthy servers.
const clientTimeout = 10 * time.Second

// Client returns a client of this server that is closed when t ends. It does not retry, so that
// tests see each error. It does not send CLIENT SETINFO, which newer servers deny to users and log.
// Its timeouts suit a busy machine. Options can change anything.
func (s *Server) Client(t testing.TB, options ...func(*redis.Options)) *redis.Client {
	t.Helper()
	o := &redis.Options{
		Addr: s.Addr(), MaxRetries: -1, ContextTimeoutEnabled: true, DisableIdentity: true,
		DialTimeout: clientTimeout, ReadTimeout: clientTimeout, WriteTimeout: clientTimeout,
	}
	for _, change := range options {
		change(o)
	}
	client := redis.NewClient(o)
	t.Cleanup(func() { _ = client.Close() }) // the test may have closed it
	return client
}

// Kill kills the server (SIGKILL) and waits for its end.
func (s *Server) Kill(testing.TB) {
	s.process.Kill()
	s.paused.Store(false)
}

// isUp reports whether the server is running and not paused.
func (s *Server) isUp() bool { return s.PID() != 0 && !s.paused.Load() }

// Stop shuts the server down gracefully (SIGTERM) and waits for its end.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.check(t, s.process.Stop())
	s.paused.Store(false)
}

// Restart starts the server again with the same port and files, after a graceful stop if it is
// running, and waits until it answers PING and has loaded its data.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.check(t, s.process.Restart())
	s.paused.Store(false)
}

// Pause freezes the server (SIGSTOP): connections stay open and nothing is answered.
func (s *Server) Pause(t testing.TB) {
	t.Helper()
	s.check(t, s.process.Pause())
	s.paused.Store(true)
}

// Resume continues a paused server.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	s.check(t, s.process.Resume())
	s.paused.Store(false)
}

func (s *Server) check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("redis-server at %s: %v", s.Addr(), err)
	}
}
