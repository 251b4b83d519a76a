package simulation

import (
	"sync"
	"time"
	"unsafe"
)

// clock is the time that one process sees. It stands still while the process is paused and jumps
// when the process continues. Its wall clock can be set; the monotonic clock does not change then.
type clock struct {
	mu      sync.Mutex
	stopped time.Time
	wall    time.Duration // the error of the wall clock
	asleep  time.Duration // by which the monotonic clock lags: it stands still while the machine is suspended
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.IsZero() {
		return c.stopped
	}
	return setWall(outside.Add(time.Since(bubbleBegins)-c.asleep), c.wall+c.asleep)
}

// Times in a synctest bubble have no monotonic reading, and a lease behaves differently without
// one. So a clock counts from a time outside the bubble, which has a monotonic reading.
var (
	outside      = time.Now()
	bubbleBegins = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC) // see testing/synctest
)

func (c *clock) stop() {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = now
}

func (c *clock) goOn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = time.Time{}
}

// sleep makes the monotonic clock lag by d more, a whole number of seconds.
func (c *clock) sleep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asleep += d
}

// step sets the wall clock by d.
func (c *clock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall += d.Truncate(time.Second)
}

// setWall moves the wall clock of a time by whole seconds and leaves its monotonic reading alone.
// Package time has no function for that, so setWall changes the internal representation: in a time
// with a monotonic reading, the first word has 30 bits of nanoseconds below 33 bits of seconds.
// TestSetWallMovesTheWallClockOnly fails if that changes.
func setWall(t time.Time, d time.Duration) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t)) //nolint:gosec // see above
	*wall += uint64(int64(d/time.Second)) << 30
	return t
}
