//go:build ledger

package ledger

import (
	"runtime"
	"testing"
	"time"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const (
	producerHosts, producersFirst = 3, 3
	consumerHosts, consumersFirst = 6, 3
	// hostPerSecond is the rate of each producer.
	hostPerSecond = 300
)

// host is a place for one process, with its own connection to the servers.
type host struct {
	produces bool
	proxy    *redistest.Proxy // nil: direct connection
	// chaos.mu guards these.
	process *process // nil: the host is free
	metrics string
	// At most one fault is active on the process, and one on the connection.
	processFault, connectionFault *faultEvent
}

// newHosts returns the hosts, all of them free.
func newHosts(t testing.TB, r topology) (hosts []*host) {
	t.Helper()
	for i := range producerHosts + consumerHosts {
		h := &host{produces: i < producerHosts}
		if r.proxied != nil {
			h.proxy = redistest.StartProxy(t, r.proxied.Addr())
		}
		hosts = append(hosts, h)
	}
	return hosts
}

// start starts a new process on a host. It shares no name, number or key with the process before
// it.
func (c *chaos) start(t testing.TB, h *host) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.Context().Err() != nil {
		return // the test is over
	}
	to := c.connection
	if h.proxy != nil {
		to.URL = h.proxy.URL()
	}
	h.metrics = freeAddress(t)
	defer func() {
		if h.connectionFault != nil {
			c.history.alsoHits(h.connectionFault, h.process.name)
		}
	}()
	if h.produces {
		p := c.generate(t, hostPerSecond, func(g *generator) {
			g.connection, g.Metrics = to, h.metrics
		})
		h.process = p.process
		c.openBooks = append(c.openBooks, p)
		return
	}
	m := c.consume(t, c.nextName(), func(k *consumer) { k.connection, k.Metrics = to, h.metrics })
	h.process = m.process
	c.openLedgers = append(c.openLedgers, m)
}

// stop terminates the process gracefully and frees the host.
func (c *chaos) stop(t testing.TB, h *host) {
	t.Helper()
	h.process.stopping.Store(true)
	h.process.terminate(t)
	h.process.join(t, stopWithin)
	c.mu.Lock()
	defer c.mu.Unlock()
	h.process = nil
}

// kill kills the process.
func (c *chaos) kill(t testing.TB, h *host) {
	t.Helper()
	h.process.stopping.Store(true)
	h.process.kill(t)
}

// running returns the hosts whose process should run.
func (c *chaos) running(wanted func(*host) bool) (found []*host) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.hosts {
		if h.process != nil && !h.process.stopping.Load() && wanted(h) {
			found = append(found, h)
		}
	}
	return found
}

// backgroundTB is the test for use in other goroutines: where it would end the test, it ends only
// the goroutine.
type backgroundTB struct{ testing.TB }

func (a backgroundTB) FailNow() {
	a.Fail()
	runtime.Goexit()
}

func (a backgroundTB) Fatalf(format string, args ...any) {
	a.Helper()
	a.Errorf(format, args...)
	runtime.Goexit()
}

func (a backgroundTB) Fatal(args ...any) {
	a.Helper()
	a.Error(args...)
	runtime.Goexit()
}

// wait waits for d, or until the faults are over.
func (c *chaos) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.over:
	}
}
