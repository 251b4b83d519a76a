package simulation

import (
	"sync"
	"time"
	"unsafe"
)

// clock is what one process takes for the time. While the process is paused it stands still, and
// jumps when the process goes on; its wall clock can be set, which the monotonic one does not
// notice.
type clock struct {
	mu      sync.Mutex
	stopped time.Time
	wall    time.Duration // by which the wall clock is wrong
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

// The time of a bubble has no monotonic reading, and what a lease does without one is not what it
// does in life. So a clock counts from a time that has one.
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

// sleep has the monotonic clock lag by d more, a whole number of seconds.
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
// Package time has no way to do that, so this reaches into its layout: of a time with a monotonic
// reading, the first word has 30 bits of nanoseconds and above them 33 of seconds.
// TestWallClockIsSetApart notices if that changes.
func setWall(t time.Time, d time.Duration) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t)) //nolint:gosec // see above
	*wall += uint64(int64(d/time.Second)) << 30
	return t
}
