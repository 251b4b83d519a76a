package splits

import (
	"context"
	"time"
)

// counter has the store count entries for splits whose lag can't be told otherwise. It is a
// goroutine of its own, with a lane for each node: one slice is under way there at a time, and most
// of the time none.
type counter struct {
	cfg Config
	set *splitSet

	// The rest belongs to the goroutine of run.
	calls       nodeCalls[time.Duration]
	pausedUntil map[string]time.Time // nodes are left alone until then
}

const (
	// firstSlice and mostSlice are how many entries the first slice has, and any at most.
	firstSlice, maxSlice = 4, 500
	// sliceBytes is how many bytes the entries of a slice may have: the store makes a copy of each.
	sliceBytes = 256 << 10
	// sliceTime is how long the store may work on a slice, which keeps all its other clients
	// waiting.
	sliceTime = 2 * time.Millisecond
	// restFactor makes slices take 2 % of the time.
	pauseFactor = 49
	// leastRest keeps a store that is too fast to be measured from being asked all the time.
	minPause = time.Millisecond
)

func newCounter(cfg Config, set *splitSet) *counter {
	return &counter{cfg: cfg, set: set, calls: newNodeCalls[time.Duration](), pausedUntil: map[string]time.Time{}}
}

// run works until stop ends; its calls end with calls.
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

// idleCounter is how long a counter without a count sleeps unless it is woken.
const idleCounter = time.Minute

// step has each node count that is neither busy nor at rest, and returns when to look again.
func (c *counter) step(ctx context.Context) (wait time.Duration) {
	now := c.cfg.Now()
	wait = idleCounter
	for node, due := range groupByNode(c.cfg.Node, c.set.nextSlices(), func(s countSlice) Split { return s.req.Split }) {
		if rest := c.pausedUntil[node].Sub(now); rest > 0 {
			wait = min(wait, rest)
			continue
		}
		if c.calls.busy[node] {
			continue // its landing wakes
		}
		next := due[0] // of a map: another one each time
		c.calls.start(node, func() time.Duration { return c.count(ctx, next) })
	}
	return wait
}

// complete pauses a node after it has worked on a slice.
func (c *counter) complete(end completion[time.Duration]) {
	c.pausedUntil[end.node] = c.cfg.Now().Add(max(minPause, pauseFactor*end.result))
}

// count has the store count one slice and returns how long it worked.
func (c *counter) count(ctx context.Context, s countSlice) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Heartbeat)
	defer cancel()
	counted, err := c.cfg.Streams.Count(ctx, s.req)
	// after an error the lag stays a bound; other requests show trouble with the store
	c.set.addSlice(s, counted, err)
	return counted.Took
}

// nextSlice is how many entries the next slice has, after one that had so many at most.
func nextSlice(asked int, c Counted) int {
	next := 2 * asked
	if c.Took > sliceTime {
		next = int(int64(asked) * int64(sliceTime) / int64(c.Took))
	}
	if c.Size > 0 {
		next = min(next, sliceBytes/c.Size)
	}
	return min(max(next, 2), maxSlice) // the first of a slice was counted before
}
