package appender

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestForgottenQueueBeginsAboveItsOldEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("p", fault{late: time.Hour}, fault{status: Unknown})
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, 1)})
		given := a.Append(to("p"), recs("a"))
		assert.NotNil(t, given.Errs())
		for i := range 3 * sweepEvery {
			<-a.Append(to(fmt.Sprint("once-", i)), recs("x")).Done()
			if i%1000 == 0 {
				assert.Nil(t, a.Append(to("often"), recs("y")).Errs())
			}
		}
		assert.NotContains(t, a.queues, "p")
		assert.LessOrEqual(t, len(a.queues), 2*sweepEvery+1)
		assert.Nil(t, a.Append(to("p"), recs("b")).Errs())
		assert.Equal(t, []string{"1:1", "1:1", "3:1"}, s.numbers("p"))
		wait(t.Context(), 2*time.Hour)
		assert.Equal(t, []string{"b"}, s.entries("p"), "the new epoch fences the late request of the forgotten queue")
		assert.Nil(t, a.Append(to("often"), recs("y")).Errs())
		numbers := s.numbers("often")
		assert.Equal(t, fmt.Sprint("1:", len(numbers)), numbers[len(numbers)-1], "a queue in use is not forgotten")
	})
}

func TestBusyQueueIsNeverForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("p", fault{status: Unknown})
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Hour, -1)})
		p := a.Append(to("p"), recs("a"))
		for i := range 3 * sweepEvery {
			<-a.Append(to(fmt.Sprint("once-", i)), recs("x")).Done()
		}
		assert.Nil(t, p.Errs())
		assert.Equal(t, []string{"1:1", "1:1"}, s.numbers("p"))
	})
}

func TestCloseBeforeStart(t *testing.T) {
	a := New(Config{Store: newStore(t), Producer: "me"})
	p := a.Append(to("p"), recs("a"))
	require.NoError(t, a.Close(t.Context()))
	assert.Equal(t, []error{ErrClosed}, p.Errs())
	require.NoError(t, a.Close(t.Context()))
	a.Start()
	assert.Equal(t, []error{ErrClosed}, a.Append(to("p"), recs("b")).Errs())
}

func TestCloseWhenIdleEvenWithAnEndedContext(t *testing.T) {
	s := newStore(t)
	a := New(Config{Store: s, Producer: "me"})
	a.Start()
	assert.Nil(t, a.Append(to("p"), recs("a")).Errs())
	a.running.Wait() // the writer ends when nothing is ready
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.NoError(t, a.Close(ctx))
}

func TestCloseWaitsForTheRoundInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.took[""] = time.Second
		a := New(Config{Store: s, Producer: "me"})
		a.Start()
		first := a.Append(to("p"), numbered(0, 1500))
		synctest.Wait()
		second := a.Append(to("p"), recs("b"))
		begin := time.Now()
		go func() { assert.NoError(t, a.Close(context.Background())) }()
		assert.NoError(t, a.Close(context.Background()))
		assert.Equal(t, time.Second, time.Since(begin))
		errs := first.Errs()
		assert.NoError(t, errs[999])
		assert.Equal(t, ErrClosed, errs[1000])
		assert.Equal(t, []error{ErrClosed}, second.Errs())
		assert.Len(t, s.entries("p"), 1000)
	})
}

func TestCloseCancelsTheRoundInFlightWhenItsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.took[""] = time.Hour
		a := New(Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1)})
		a.Start()
		p := a.Append(to("p"), recs("a"))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		assert.ErrorIs(t, a.Close(ctx), context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(begin))
		var g *GaveUpError
		require.ErrorAs(t, p.Errs()[0], &g)
		assert.True(t, g.MayBeWritten)
		assert.ErrorIs(t, g, ErrClosed)
		assert.ErrorIs(t, g, context.Canceled)
		assert.NoError(t, a.Close(t.Context()))
	})
}

func TestCloseEndsRetries(t *testing.T) {
	for name, test := range map[string]struct {
		faults []fault
		open   bool
		cause  error
	}{
		"refused":                {[]fault{{status: Refused}}, false, errLoading},
		"unknown":                {[]fault{{status: Unknown}}, true, errLost},
		"unknown, later refused": {[]fault{{status: Unknown}, {status: Refused}}, true, errLoading},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStore(t)
				s.faults("p", test.faults...)
				a := New(Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1)})
				a.Start()
				p := a.Append(to("p"), recs("a"))
				wait(t.Context(), time.Duration(len(test.faults))*time.Second-time.Second/2)
				behind := a.Append(to("p"), recs("b"))
				begin := time.Now()
				require.NoError(t, a.Close(t.Context()))
				assert.Zero(t, time.Since(begin))
				var g *GaveUpError
				require.ErrorAs(t, p.Errs()[0], &g)
				assert.Equal(t, test.open, g.MayBeWritten)
				assert.Equal(t, len(test.faults), g.Attempts)
				assert.ErrorIs(t, g, ErrClosed)
				assert.ErrorIs(t, g, test.cause)
				assert.Equal(t, []error{ErrClosed}, behind.Errs())
			})
		})
	}
}

func TestCloseEndsAnAppendThatWouldBeResent(t *testing.T) {
	for _, status := range []Status{Gap, Refused, Unknown, Stale} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(t)
			s.took[""] = time.Second
			s.faults("p", fault{status: status})
			a := New(Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1)})
			a.Start()
			p := a.Append(to("p"), recs("a"))
			synctest.Wait()
			require.NoError(t, a.Close(t.Context()))
			assert.ErrorIs(t, p.Errs()[0], ErrClosed)
			assert.Len(t, s.numbers("p"), 1)
		})
	}
}

// Close is called at any moment: when a timer fires, when a round ends, while callers append.
func TestCloseAtAnyMoment(t *testing.T) {
	for at := range 40 {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(t)
			s.took[""] = 3 * time.Millisecond
			n := 0
			s.plan = func(Request) fault {
				n++
				return fault{status: []Status{Written, Refused, Unknown, Gap, Stale}[n%5]}
			}
			a := New(Config{Store: s, Producer: "me", Backoff: backoff(2*time.Millisecond, -1)})
			a.Start()
			all := make(chan *Pending, 1000)
			go func() {
				defer close(all)
				for i := range 100 {
					all <- a.Append(to(fmt.Sprint(i%3)), recs("a"))
					wait(t.Context(), time.Millisecond/2)
				}
			}()
			wait(t.Context(), time.Duration(at)*time.Millisecond)
			require.NoError(t, a.Close(t.Context()))
			for p := range all {
				<-p.Done()
			}
			for _, q := range a.queues {
				assert.Equal(t, idle, q.phase)
				assert.True(t, q.empty())
				assert.Zero(t, q.batch.count)
			}
		})
	}
}

// The store must remember the number of a producer as long as a request may be on its way that it
// has to reject.
func TestFinishedPartitionsHaveOnlyKnownOutcomes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1)})
		s.faults("refused", fault{status: Refused})
		s.faults("failed", fault{status: Failed})
		s.faults("unknown", fault{status: Unknown})
		s.faults("unheard", fault{replyLost: true})
		s.faults("partial", fault{status: Partial, count: 1})
		for _, key := range []string{"good", "refused", "failed", "unknown", "unheard", "partial"} {
			<-a.Append(to(key), recs("a", "b")).Done()
		}
		assert.Empty(t, a.Finished(), "before Close")
		require.NoError(t, a.Close(t.Context()))
		assert.ElementsMatch(t, []string{"good", "refused"}, a.Finished())
	})
}
