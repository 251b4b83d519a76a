package redistest

import (
	"net"
	"sync"
	"time"
)

// link is an incoming connection, and the connection to the server that it is passed on to.
type link struct {
	client net.Conn
	done   chan struct{} // closed when the link is cut
	cut    sync.Once
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
