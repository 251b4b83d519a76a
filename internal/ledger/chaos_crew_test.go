//go:build ledger

package ledger

import (
	"runtime"
	"testing"
	"time"

	"github.com/rafka-streams/rafka/internal/redistest"
)

const (
	producerSeats, producersFirst = 3, 3
	consumerSeats, consumersFirst = 6, 3
	// seatPerSecond is the pace of each producer.
	seatPerSecond = 300
)

// seat is a place for a process, and the line by which whoever sits there reaches the servers.
type seat struct {
	produces bool
	proxy    *redistest.Proxy // nil: there is none in between
	// These are guarded by chaos.mu.
	process *process // nil: the seat is free
	metrics string
	// At most one strike is on a process at a time, and one on its line.
	processStruck, lineStruck *blow
}

// newSeats makes the seats, all of them free.
func newSeats(t testing.TB, r realm) (seats []*seat) {
	t.Helper()
	for i := range producerSeats + consumerSeats {
		s := &seat{produces: i < producerSeats}
		if r.proxied != nil {
			s.proxy = redistest.StartProxy(t, r.proxied.Addr())
		}
		seats = append(seats, s)
	}
	return seats
}

// board starts a new process on a seat. Nothing of the one before it is used again: neither its
// name nor its numbers nor its keys.
func (c *chaos) board(t testing.TB, s *seat) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.Context().Err() != nil {
		return // the test is over
	}
	to := c.connection
	if s.proxy != nil {
		to.URL = s.proxy.URL()
	}
	s.metrics = freeAddress(t)
	defer func() {
		if s.lineStruck != nil {
			c.history.also(s.lineStruck, s.process.name)
		}
	}()
	if s.produces {
		p := c.generate(t, seatPerSecond, func(g *generated) {
			g.connection, g.Metrics = to, s.metrics
		})
		s.process = p.process
		c.openBooks = append(c.openBooks, p)
		return
	}
	m := c.consume(t, c.nextName(), func(k *consumer) { k.connection, k.Metrics = to, s.metrics })
	s.process = m.process
	c.openLedgers = append(c.openLedgers, m)
}

// leave has whoever sits there end by itself, and frees the seat.
func (c *chaos) leave(t testing.TB, s *seat) {
	t.Helper()
	s.process.dismissed.Store(true)
	s.process.terminate(t)
	s.process.join(t, stopWithin)
	c.mu.Lock()
	defer c.mu.Unlock()
	s.process = nil
}

// kill has whoever sits there end at once.
func (c *chaos) kill(t testing.TB, s *seat) {
	t.Helper()
	s.process.dismissed.Store(true)
	s.process.kill(t)
}

// running are the processes that should run.
func (c *chaos) running(wanted func(*seat) bool) (found []*seat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.seats {
		if s.process != nil && !s.process.dismissed.Load() && wanted(s) {
			found = append(found, s)
		}
	}
	return found
}

// aside is the test as seen from another goroutine: where it would be stopped, only that goroutine
// ends.
type aside struct{ testing.TB }

func (a aside) FailNow() {
	a.Fail()
	runtime.Goexit()
}

func (a aside) Fatalf(format string, args ...any) {
	a.Helper()
	a.Errorf(format, args...)
	runtime.Goexit()
}

func (a aside) Fatal(args ...any) {
	a.Helper()
	a.Error(args...)
	runtime.Goexit()
}

// wait waits, or not so long if misfortune is over.
func (c *chaos) wait(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-c.over:
	}
}
