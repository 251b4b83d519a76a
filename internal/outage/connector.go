package outage

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// ErrClosed is the error of Connect after the component was closed.
var ErrClosed = errors.New("the component is closed")

// Connector makes the attempts to connect for a component. The engine calls the component's Connect
// in a loop and logs each error that it returns. A Connector therefore returns the first failure
// immediately, but the next ones only now and then; in between it repeats the attempt itself. So an
// outage takes few log lines and ends soon after the server is back.
//
// Connect must not be called concurrently; ReportNext may be called at any time.
type Connector struct {
	// Pause returns the time between a failed attempt and the next one.
	Pause func() time.Duration
	// ShortestQuiet and LongestQuiet bound the time between two errors that Connect returns while
	// the reason stays the same. The time doubles from error to error.
	ShortestQuiet, LongestQuiet time.Duration
	// Same reports whether err gives the same reason as an error that Connect returned before. Nil:
	// all errors give the same reason.
	Same func(before, err error) bool
	// Closed is closed when the component is closed. It ends Connect with ErrClosed.
	Closed <-chan struct{}

	reported Causes // what Connect has returned since its last success
	quiet    time.Duration
	urgent   atomic.Bool
}

// ReportNext makes Connect return its next failure, although it returned the same reason before.
func (c *Connector) ReportNext() { c.urgent.Store(true) }

// Connect calls try until it succeeds. It returns the error of a failed attempt, wrapped as a
// service.ErrBackOff, if the failure should be logged.
func (c *Connector) Connect(ctx context.Context, try func(ctx context.Context) error) error {
	report := time.Now().Add(c.quiet)
	c.quiet = min(max(2*c.quiet, c.ShortestQuiet), c.LongestQuiet)
	c.reported.Same, c.reported.Memory = c.Same, c.LongestQuiet
	for {
		err := try(ctx)
		if err == nil {
			c.reported.Clear()
			c.quiet = 0
			return nil
		}
		if errors.Is(err, ErrClosed) {
			return err
		}
		pause := c.Pause()
		if !deadlinePassed(ctx) && (c.isNew(err) || !time.Now().Add(pause).Before(report)) {
			c.reported.Add(err, time.Now())
			return service.NewErrBackOff(err, pause)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return ctx.Err()
		case <-c.Closed:
			return ErrClosed
		}
	}
}

// isNew reports whether the engine does not have this error yet.
func (c *Connector) isNew(err error) bool {
	age, _ := c.reported.Find(err, time.Now())
	return c.urgent.Swap(false) || age >= c.LongestQuiet
}

// deadlinePassed reports whether the time of a context is over. A request that ends with its
// context may fail a moment before the context itself does, as if the server were slow.
func deadlinePassed(ctx context.Context) bool {
	deadline, limited := ctx.Deadline()
	return ctx.Err() != nil || limited && !time.Now().Before(deadline)
}
