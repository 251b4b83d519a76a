package redistest

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy passes TCP connections on loopback on to a server, or simulates a failing network.
// Initially it passes everything. Its methods are safe for concurrent use.
type Proxy struct {
	listener net.Listener
	workers  sync.WaitGroup

	mu      sync.Mutex
	target  string
	mode    mode
	changed chan struct{} // closed and replaced when the mode changes
	links   map[*link]struct{}
	closed  bool
	free    time.Time // when a throttled link has passed on everything it has read
	passed  int       // bytes of replies passed on
}

// mode is what a Proxy does with incoming data.
type mode struct {
	requests, replies bool // held back
	reset             bool
	delay             time.Duration
	rate              int // bytes per second of all replies together; 0: unlimited
}

// holds reports whether a direction is held back.
func (m mode) holds(d direction) bool {
	if d == toServer {
		return m.requests
	}
	return m.replies
}

// direction is the direction of data.
type direction int

const (
	toServer direction = iota
	toClient
)

// StartProxy starts a proxy in front of an address. It ends with t.
func StartProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("starting a proxy for %s: %v", target, err)
	}
	p := &Proxy{target: target, listener: listener, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.workers.Go(p.accept) // ended by close
	t.Cleanup(p.close)
	return p
}

// Addr returns "127.0.0.1:port".
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// URL returns "redis://127.0.0.1:port".
func (p *Proxy) URL() string { return "redis://" + p.Addr() }

// Pass passes everything on, starting with data that was held back.
func (p *Proxy) Pass() { p.set(mode{}) }

// Blackhole passes nothing on: connections stay open and can be made, but nothing is answered. Data
// is held back, as in a network that drops packets which are retransmitted later.
func (p *Proxy) Blackhole() { p.set(mode{requests: true, replies: true}) }

// HoldRequests passes no requests on, but replies: a Blackhole in which the server does nothing.
func (p *Proxy) HoldRequests() { p.set(mode{requests: true}) }

// HoldReplies passes no replies on, but requests: a Blackhole in which the server executes commands
// and the client does not learn the outcome.
func (p *Proxy) HoldReplies() { p.set(mode{replies: true}) }

// Delay passes everything on after a delay, in each direction.
func (p *Proxy) Delay(d time.Duration) { p.set(mode{delay: d}) }

// Throttle passes everything on, replies at a limited rate in bytes per second that all connections
// share.
func (p *Proxy) Throttle(rate int) { p.set(mode{rate: rate}) }

// Passed returns how many bytes of replies were passed on to clients.
func (p *Proxy) Passed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// Reset resets all connections, and every new one immediately.
func (p *Proxy) Reset() { p.set(mode{reset: true}) }

// Redirect passes new connections on to another address. Existing connections are not affected.
func (p *Proxy) Redirect(target string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target
}

func (p *Proxy) destination() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.target
}

// Connections returns the number of open connections.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) set(m mode) {
	p.mu.Lock()
	p.mode = m
	close(p.changed)
	p.changed = make(chan struct{})
	p.mu.Unlock()
	if m.reset {
		p.cutAll()
	}
}

func (p *Proxy) now() (mode, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mode, p.changed
}

func (p *Proxy) cutAll() {
	p.mu.Lock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock()
	for _, l := range links {
		l.end(true)
	}
}

// accept accepts connections until the listener is closed.
func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			continue
		}
		l := &link{client: conn, done: make(chan struct{})}
		if !p.add(l) {
			l.end(true)
			continue
		}
		p.workers.Go(func() { p.serve(l) }) // ends with the link, which close cuts
	}
}

// add reports whether the link should be served.
func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.mode.reset {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

// close ends and joins everything.
func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.cutAll()
	p.workers.Wait()
}
