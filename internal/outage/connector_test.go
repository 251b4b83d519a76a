package outage

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connectPause is the time between the attempts of a newConnector.
const connectPause = 500 * time.Millisecond

// newConnector returns a Connector with an attempt every half second, whose quiet times grow from a
// second to half a minute.
func newConnector() *Connector {
	return &Connector{
		Pause:         func() time.Duration { return connectPause },
		ShortestQuiet: time.Second, LongestQuiet: 30 * time.Second, Closed: make(chan struct{}),
	}
}

// fail returns attempts that fail with err.
func fail(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

// took returns how long Connect takes, and requires that it returns the error of an attempt.
func took(t *testing.T, c *Connector, err error) time.Duration {
	t.Helper()
	start := time.Now()
	got := c.Connect(t.Context(), fail(err))
	var later *service.ErrBackOff
	require.ErrorAs(t, got, &later)
	require.ErrorIs(t, later.Err, err)
	return time.Since(start)
}

func TestQuietTimeDoublesUpToItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnector()
		assert.Zero(t, took(t, c, errRefused), "the first failure is returned immediately")
		for _, quiet := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			assert.Equal(t, quiet*time.Second-connectPause, took(t, c, errRefused), "the engine waits for the rest")
		}
		require.NoError(t, c.Connect(t.Context(), fail(nil)))
		assert.Zero(t, took(t, c, errRefused), "another outage")
	})
}

func TestConnectReturnsAnotherReasonImmediately(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnector()
		c.ShortestQuiet, c.LongestQuiet = time.Minute, time.Minute
		c.Same = errors.Is
		assert.Zero(t, took(t, c, errRefused))
		assert.Zero(t, took(t, c, errReset))
		assert.Equal(t, time.Minute-connectPause, took(t, c, errReset))
	})
}

// Requests of one outage can fail in two ways by turns: that is not a new reason each time.
func TestConnectDoesNotReturnTwoReasonsByTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnector()
		c.ShortestQuiet, c.LongestQuiet = time.Minute, time.Minute
		c.Same = errors.Is
		took(t, c, errRefused)
		took(t, c, errReset)
		attempts := 0
		start := time.Now()
		var later *service.ErrBackOff
		require.ErrorAs(t, c.Connect(t.Context(), func(context.Context) error {
			if attempts++; attempts%2 == 0 {
				return errRefused
			}
			return errReset
		}), &later)
		assert.Equal(t, time.Minute-connectPause, time.Since(start))
	})
}

func TestReportNextEndsTheQuietTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnector()
		took(t, c, errRefused)
		c.ReportNext()
		assert.Zero(t, took(t, c, errRefused))
		assert.NotZero(t, took(t, c, errRefused), "it concerns one failure")
	})
}

func TestConnectSucceedsDuringTheQuietTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnector()
		took(t, c, errRefused)
		start, attempts := time.Now(), 0
		require.NoError(t, c.Connect(t.Context(), func(context.Context) error {
			if attempts++; attempts == 2 {
				return nil
			}
			return errRefused
		}))
		assert.Equal(t, connectPause, time.Since(start))
	})
}

func TestConnectEndsWithItsContextOrTheComponent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnector()
		took(t, c, errRefused)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, c.Connect(ctx, fail(errRefused)), context.DeadlineExceeded)
		closed := make(chan struct{})
		c.Closed = closed
		time.AfterFunc(100*time.Millisecond, func() { close(closed) })
		require.ErrorIs(t, c.Connect(t.Context(), fail(errRefused)), ErrClosed)
		require.ErrorIs(t, c.Connect(t.Context(), fail(ErrClosed)), ErrClosed)
	})
}

// A request whose context is over fails with a timeout, which says nothing about the server.
func TestFailureAtTheDeadlineIsNotReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newConnector()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := c.Connect(ctx, func(ctx context.Context) error {
			<-ctx.Done()
			return errRefused
		})
		require.Equal(t, context.DeadlineExceeded, err)
	})
}
