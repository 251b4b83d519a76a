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

// link is an incoming connection, and the connection to the server that it is passed on to.
type link struct {
	client net.Conn
	done   chan struct{} // closed when the link is cut
	cut    sync.Once
}

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

func (p *Proxy) serve(l *link) {
	defer func() {
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	defer l.end(false)
	if !p.await(l, toServer) {
		return
	}
	server, err := net.DialTimeout("tcp", p.destination(), clientTimeout)
	if err != nil {
		l.end(true)
		return
	}
	defer func() { _ = server.Close() }()
	var pumps sync.WaitGroup
	pumps.Go(func() { p.pump(l, toClient, l.client, server) }) // ends with the link
	stop := make(chan struct{})
	pumps.Go(func() { // ends with the link or this function
		select {
		case <-l.done:
		case <-stop:
		}
		_ = server.Close()
		_ = l.client.Close()
	})
	p.pump(l, toServer, server, l.client)
	close(stop)
	pumps.Wait()
}

// pump copies until either side ends.
func (p *Proxy) pump(l *link, d direction, to, from net.Conn) {
	defer l.end(false)
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 && (!p.await(l, d) || d == toClient && !p.transmit(l, n)) {
			return
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// await waits until data can be passed on in its direction. It returns false if the link was cut.
func (p *Proxy) await(l *link, d direction) bool {
	for {
		m, changed := p.now()
		held := m.holds(d)
		if !held && m.delay == 0 {
			return true
		}
		var late <-chan time.Time
		if !held {
			late = time.After(m.delay)
		}
		select {
		case <-late:
			return true
		case <-changed:
		case <-l.done:
			return false
		}
	}
}

// catchUp bounds how much a throttled link can catch up after a busy machine woke it late.
const catchUp = 200 * time.Millisecond

// transmit waits until n bytes of a reply have passed the link. It returns false if the link was
// cut.
func (p *Proxy) transmit(l *link, n int) bool {
	p.mu.Lock()
	p.passed += n
	rate, now := p.mode.rate, time.Now()
	if rate > 0 {
		if earliest := now.Add(-catchUp); p.free.Before(earliest) {
			p.free = earliest
		}
		p.free = p.free.Add(time.Duration(float64(n) / float64(rate) * float64(time.Second)))
	}
	due := p.free
	p.mu.Unlock()
	if rate == 0 || !due.After(now) {
		return true
	}
	select {
	case <-time.After(due.Sub(now)):
		return true
	case <-l.done:
		return false
	}
}

// end cuts the link, with a reset or gracefully.
func (l *link) end(reset bool) {
	l.cut.Do(func() {
		if conn, ok := l.client.(*net.TCPConn); ok && reset {
			_ = conn.SetLinger(0)
		}
		_ = l.client.Close()
		close(l.done)
	})
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
