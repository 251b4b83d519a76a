//go:build ledger

package ledger

import (
	"context"
	"testing"
	"time"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// killConsumer kills a consumer and starts another in its place.
func (c *chaos) killConsumer(t testing.TB, in injection) {
	gone := time.Now()
	c.kill(t, in.host)
	c.expect(c.takeoverOf(t, in.host, gone))
	c.start(t, in.host)
}

// takeoverOf returns what other members of its group must take over from the process of a host that
// has just stopped; nil if the servers do not answer.
func (c *chaos) takeoverOf(t testing.TB, h *host, gone time.Time) *takeover {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	o := &takeover{kind: consumerGroup, victim: h.process.name, gone: gone}
	var err error
	if h.role == sharing {
		o.kind = shareGroup
		o.pending, err = c.pendingAt(ctx, sharers, o.victim)
	} else {
		o.pending, err = c.partitionsOf(ctx, o.victim)
	}
	if err != nil {
		return nil // another fault is active, which would spoil the measurement
	}
	return o
}

// expect makes the audit check a takeover, unless it is nil.
func (c *chaos) expect(o *takeover) {
	if o == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takeovers = append(c.takeovers, o)
}

// partitionsOf returns the partitions of a member of the consumer group.
func (c *chaos) partitionsOf(ctx context.Context, name string) (held map[place]bool, err error) {
	leases, err := c.readLeases(ctx, c.client)
	held = map[place]bool{}
	for _, l := range heldBy(leases, name) {
		held[place{partition: l.partition}] = true
	}
	return held, err
}

func (c *chaos) killProducer(t testing.TB, in injection) {
	c.kill(t, in.host)
	c.wait(in.lasts)
	c.start(t, in.host)
}

func (c *chaos) restart(t testing.TB, in injection) {
	c.stop(t, in.host)
	c.wait(in.lasts)
	c.start(t, in.host)
}

func (c *chaos) join(t testing.TB, in injection) { c.start(t, in.host) }

func (c *chaos) leave(t testing.TB, in injection) { c.stop(t, in.host) }

func (c *chaos) freeze(t testing.TB, in injection) {
	in.host.process.pause(t)
	c.wait(in.lasts)
	in.host.process.resume(t)
}

// freezeConsumer freezes a consumer. If that lasted long enough, other members of its group, if
// there were any, must have taken over.
func (c *chaos) freezeConsumer(t testing.TB, in injection) {
	others := c.running(func(h *host) bool { return h.role == in.host.role && h != in.host })
	gone := time.Now()
	in.host.process.pause(t)
	var o *takeover
	if in.lasts > takeoverWithin && len(others) > 0 {
		o = c.takeoverOf(t, in.host, gone)
	}
	c.wait(in.lasts - time.Since(gone))
	if time.Since(gone) > takeoverWithin { // the end of the test can shorten a fault
		c.expect(o)
	}
	in.host.process.resume(t)
}

// cut returns a fault that disturbs the connection of a host for a while.
func cut(how func(*redistest.Proxy)) func(*chaos, testing.TB, injection) {
	return func(c *chaos, _ testing.TB, in injection) {
		how(in.host.proxy)
		c.wait(in.lasts)
		in.host.proxy.Pass()
	}
}

// slow delays everything on a connection. The longer the delay, the shorter the fault.
func slow(c *chaos, _ testing.TB, in injection) {
	in.host.proxy.Delay((cutMost - in.lasts) / 8)
	c.wait(in.lasts)
	in.host.proxy.Pass()
}
