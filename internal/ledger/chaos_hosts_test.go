//go:build ledger

package ledger

import (
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// role is what the process of a host does.
type role int

const (
	producing role = iota
	consuming      // it is a member of the consumer group
	sharing        // it is a member of the share group
)

// hostsOf are the numbers of hosts, and of hosts that have a process from the beginning.
var hostsOf = map[role]struct{ all, first int }{producing: {3, 3}, consuming: {6, 3}, sharing: {5, 3}}

const (
	// hostPerSecond is the rate of each producer.
	hostPerSecond = 300
	// sharers is the name of the share group. Names of its members begin with sharerPrefix.
	sharers, sharerPrefix = "sharers", "sharer"
)

// host is a place for one process, with its own connection to the servers.
type host struct {
	role  role
	proxy *redistest.Proxy // nil: direct connection
	// chaos.mu guards these.
	process *process // nil: the host is free
	metrics string
	// At most one fault is active on the process, and one on the connection.
	processFault, connectionFault *faultEvent
}

// newHosts returns the hosts, all of them free.
func newHosts(t testing.TB, r topology) (hosts []*host) {
	t.Helper()
	for _, role := range []role{producing, consuming, sharing} {
		for range hostsOf[role].all {
			h := &host{role: role}
			if r.proxied != nil {
				h.proxy = redistest.StartProxy(t, r.proxied.Addr())
			}
			hosts = append(hosts, h)
		}
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
	if h.role == producing {
		p := c.generate(t, hostPerSecond, func(g *generator) {
			g.connection, g.Metrics = to, h.metrics
		})
		h.process = p.process
		c.openBooks = append(c.openBooks, p)
		return
	}
	m := c.consume(t, c.nextName(h.role), func(k *consumer) {
		k.connection, k.Metrics = to, h.metrics
		if h.role == sharing {
			k.Group, k.GroupType = sharers, "share"
			k.BatchSize, k.Work = 50, 50*time.Millisecond // so that something is nearly always pending
		}
	})
	h.process = m.process
	c.openLedgers = append(c.openLedgers, m)
}

// nextName returns the name of the next consumer.
func (c *chaos) nextName(r role) string {
	prefix := "c"
	if r == sharing {
		prefix = sharerPrefix
	}
	return prefix + strconv.Itoa(len(c.consumers)+1)
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

// has returns a condition for hosts of a role.
func has(r role) func(*host) bool { return func(h *host) bool { return h.role == r } }

// reads is true for hosts of members of both groups.
func reads(h *host) bool { return h.role != producing }

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
