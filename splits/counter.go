package splits

import (
	"context"
	"time"
)

// counter counts entries of splits whose lag is not known otherwise. It is a goroutine of its own.
// Each node counts at most one slice at a time.
type counter struct {
	cfg Config
	set *splitSet

	// The following fields belong to the goroutine of run.
	calls       nodeCalls[time.Duration]
	pausedUntil map[string]time.Time // no slice is sent to the node before then
}

const (
	// firstSlice and maxSlice are the numbers of entries of the first slice, and of the largest.
	firstSlice, maxSlice = 4, 500
	// sliceBytes bounds the bytes of the entries of a slice: the store copies each entry.
	sliceBytes = 256 << 10
	// sliceTime bounds the time that the store works on a slice: its other clients wait meanwhile.
	sliceTime = 2 * time.Millisecond
	// pauseFactor limits counting to 2 % of the time.
	pauseFactor = 49
	// minPause is the shortest pause, for a store that is too fast to be measured.
	minPause = time.Millisecond
)

func newCounter(cfg Config, set *splitSet) *counter {
	return &counter{cfg: cfg, set: set, calls: newNodeCalls[time.Duration](), pausedUntil: map[string]time.Time{}}
}

// run works until stop ends. Its calls end with calls.
func (c *counter) run(stop, calls context.Context) {
	for {
		timer := time.NewTimer(c.step(calls))
		select {
		case <-stop.Done():
			timer.Stop()
			c.calls.wait(c.complete)
			return
		case end := <-c.calls.done:
			c.calls.free(end)
			c.complete(end)
		case <-c.set.countWanted:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// idleCounter is how long the counter sleeps without a count unless it is woken.
const idleCounter = time.Minute

// step starts a slice on every node that is neither busy nor paused, and returns when to look
// again.
func (c *counter) step(ctx context.Context) (wait time.Duration) {
	now := c.cfg.Now()
	wait = idleCounter
	for node, due := range groupByNode(c.cfg.Node, c.set.nextSlices(), countSlice.on) {
		if rest := c.pausedUntil[node].Sub(now); rest > 0 {
			wait = min(wait, rest)
			continue
		}
		if c.calls.busy[node] {
			continue // run looks again when its call ends
		}
		next := due[0] // from a map: another one each time
		c.calls.start(node, func() time.Duration { return c.count(ctx, next) })
	}
	return wait
}

// complete pauses a node after it has worked on a slice.
func (c *counter) complete(end completion[time.Duration]) {
	c.pausedUntil[end.node] = c.cfg.Now().Add(max(minPause, pauseFactor*end.result))
}

// count lets the store count one slice, and returns how long the store worked.
func (c *counter) count(ctx context.Context, s countSlice) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
	defer cancel()
	counted, err := c.cfg.Streams.Count(ctx, s.req)
	// After an error the lag stays an upper bound. If the store is unavailable, other requests
	// report it.
	c.set.addSlice(s, counted, err)
	return counted.Took
}

// nextSlice returns the number of entries of the next slice, after a slice of asked entries.
func nextSlice(asked int, c Counted) int {
	next := 2 * asked
	if c.Took > sliceTime {
		next = int(int64(asked) * int64(sliceTime) / int64(c.Took))
	}
	if c.Size > 0 {
		next = min(next, sliceBytes/c.Size)
	}
	return min(max(next, 2), maxSlice) // the first entry of a slice was counted before
}
