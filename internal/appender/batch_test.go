package appender

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOutcomes(t *testing.T) {
	refused, lost, noReply := fault{status: Refused}, fault{status: Unknown}, fault{replyLost: true}
	gaveUp := func(open bool, cause error) func(*testing.T, error) {
		return func(t *testing.T, err error) {
			var g *GaveUpError
			require.ErrorAs(t, err, &g)
			assert.Equal(t, open, g.MayBeWritten)
			assert.ErrorIs(t, err, cause)
			assert.Contains(t, err.Error(), "gave up appending to p")
		}
	}
	is := func(cause error) func(*testing.T, error) {
		return func(t *testing.T, err error) { assert.Equal(t, cause, err) }
	}
	for _, test := range []struct {
		name    string
		faults  []fault
		numbers []string // of all attempts: the first append "a" and one "b" after it
		entries []string
		err     func(*testing.T, error) // of "a"
		seen    counts
	}{
		{name: "written", numbers: []string{"1:1", "1:2"}, entries: []string{"a", "b"}},
		{
			name: "refused, then written", faults: []fault{refused, refused},
			numbers: []string{"1:1", "1:1", "1:1", "1:2"}, entries: []string{"a", "b"}, seen: counts{retried: 2},
		},
		{
			name: "refused to the end: the number is free", faults: []fault{refused, refused, refused, refused},
			numbers: []string{"1:1", "1:1", "1:1", "1:1", "1:1"}, entries: []string{"b"},
			err: gaveUp(false, errLoading), seen: counts{retried: 3},
		},
		{
			name: "request lost", faults: []fault{lost},
			numbers: []string{"1:1", "1:1", "1:2"}, entries: []string{"a", "b"}, seen: counts{retried: 1},
		},
		{
			name: "reply lost", faults: []fault{noReply},
			numbers: []string{"1:1", "1:1", "1:2"}, entries: []string{"a", "b"},
			seen: counts{retried: 1, deduplicated: 1},
		},
		{
			name: "no reply to the end: the epoch grows", faults: []fault{noReply, lost, lost, lost},
			numbers: []string{"1:1", "1:1", "1:1", "1:1", "2:1"}, entries: []string{"a", "b"},
			err: gaveUp(true, errLost), seen: counts{retried: 3},
		},
		{
			name:    "one reply missing, then refused to the end: the epoch grows",
			faults:  []fault{lost, refused, refused, refused},
			numbers: []string{"1:1", "1:1", "1:1", "1:1", "2:1"}, entries: []string{"b"},
			err: gaveUp(true, errLoading), seen: counts{retried: 3},
		},
		{
			name: "failed: the number is free", faults: []fault{{status: Failed}},
			numbers: []string{"1:1", "1:1"}, entries: []string{"b"}, err: is(errType),
		},
		{
			name: "failed after a missing reply: the epoch grows", faults: []fault{noReply, {status: Failed}},
			numbers: []string{"1:1", "1:1", "2:1"}, entries: []string{"a", "b"},
			err: gaveUp(true, errType), seen: counts{retried: 1},
		},
		{
			name: "partitioned: the number is free", faults: []fault{{status: Partitioned}},
			numbers: []string{"1:1", "1:1"}, entries: []string{"b"}, err: is(ErrPartitioned),
		},
		{
			name: "partitioned after a missing reply: the epoch grows", faults: []fault{lost, {status: Partitioned}},
			numbers: []string{"1:1", "1:1", "2:1"}, entries: []string{"b"},
			err: is(ErrPartitioned), seen: counts{retried: 1},
		},
		{
			name: "gap: sent again immediately in a new epoch", faults: []fault{{status: Gap}},
			numbers: []string{"1:1", "2:1", "2:2"}, entries: []string{"a", "b"}, seen: counts{gap: 1},
		},
		{
			name: "gap after a missing reply", faults: []fault{lost, {status: Gap}},
			numbers: []string{"1:1", "1:1", "2:1", "2:2"}, entries: []string{"a", "b"},
			seen: counts{retried: 1, gap: 1},
		},
		{
			name: "stale: sent again above the other epoch", faults: []fault{{foreign: 7}},
			numbers: []string{"1:1", "8:1", "8:2"}, entries: []string{"a", "b"}, seen: counts{retried: 1},
		},
		{
			name: "stale after a missing reply: not sent under another number", faults: []fault{noReply, {foreign: 7}},
			numbers: []string{"1:1", "1:1", "9:1"}, entries: []string{"a", "b"},
			err: func(t *testing.T, err error) {
				var g *GaveUpError
				require.ErrorAs(t, err, &g)
				assert.True(t, g.MayBeWritten)
			}, seen: counts{retried: 1},
		},
		{
			name: "an unknown status is a failure", faults: []fault{{status: 42}},
			numbers: []string{"1:1", "1:1"}, entries: []string{"b"},
			err: func(t *testing.T, err error) { assert.ErrorContains(t, err, "status 42") },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, seen := newStore(t), &observed{}
				s.faults("p", test.faults...)
				a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, 3), Observer: seen})
				first := a.Append(to("p"), recs("a"))
				<-first.Done()
				second := a.Append(to("p"), recs("b"))
				assert.Nil(t, second.Errs())
				if test.err == nil {
					assert.Nil(t, first.Errs())
				} else {
					require.Len(t, first.Errs(), 1)
					test.err(t, first.Errs()[0])
				}
				assert.Equal(t, test.numbers, s.numbers("p"))
				assert.Equal(t, test.entries, s.entries("p"))
				synctest.Wait() // the observer is called after the outcome
				assert.Equal(t, test.seen, seen.counts)
			})
		})
	}
}

func TestPartialResolvesEachRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("p", fault{status: Refused}, fault{status: Partial, count: 3})
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1)})
		first := a.Append(to("p"), recs("a", "b", "c", "d"))
		synctest.Wait()
		second := a.Append(to("p"), recs("e"))
		assert.Equal(t, []error{nil, nil, nil, errType}, first.Errs())
		assert.Nil(t, second.Errs())
		assert.Equal(t, []string{"a", "b", "c", "e"}, s.entries("p"))
		assert.Equal(t, []string{"1:1", "1:1", "2:1"}, s.numbers("p"))
	})
}

func TestPartialCountIsKeptWithinTheAppend(t *testing.T) {
	for count, want := range map[int]int{-1: 0, 1: 1, 9: 2} {
		b := batch{count: 2}
		d := b.decide(Result{Status: Partial, Count: count}, &Config{})
		assert.Equal(t, want, d.written)
	}
}

func TestMaxRetriesEndsBeforeTheBackOffDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.plan = func(Request) fault { return fault{status: Refused} }
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, -1), MaxRetries: 2})
		var g *GaveUpError
		require.ErrorAs(t, a.Append(to("p"), recs("a")).Errs()[0], &g)
		assert.Equal(t, 3, g.Attempts)
	})
}

func TestWithoutBackOffNothingIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("p", fault{status: Refused})
		a := running(t, Config{Store: s, Producer: "me"})
		p := a.Append(to("p"), recs("a"))
		assert.ErrorContains(t, p.Errs()[0], "after 1 attempt: LOADING")
	})
}

func TestBackOffIsFreshForEachAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		refused := fault{status: Refused}
		s.faults("p", refused, refused, fault{}, refused, refused)
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, 2), MaxRetries: 2})
		assert.Nil(t, a.Append(to("p"), recs("a")).Errs())
		assert.Nil(t, a.Append(to("p"), recs("b")).Errs())
	})
}

func TestRepeatedRenumberingBacksOff(t *testing.T) {
	for _, status := range []Status{Gap, Stale} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(t)
			s.plan = func(Request) fault { return fault{status: status} }
			a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, 3)})
			begin := time.Now()
			p := a.Append(to("p"), recs("a"))
			var g *GaveUpError
			require.ErrorAs(t, p.Errs()[0], &g)
			assert.False(t, g.MayBeWritten)
			assert.Equal(t, 3*time.Second, time.Since(begin))
			assert.Equal(t, []string{"1:1", "2:1", "3:1", "4:1", "5:1"}, s.numbers("p"))
		})
	}
}

func TestNewEpochFencesLateRequestOfGivenUpBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("p", fault{late: time.Hour}, fault{status: Unknown})
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, 1)})
		first := a.Append(to("p"), recs("a"))
		synctest.Wait() // the first append is in flight, so the second can't join its batch
		second := a.Append(to("p"), recs("b"))
		assert.NotNil(t, first.Errs())
		assert.Nil(t, second.Errs())
		wait(t.Context(), 2*time.Hour)
		assert.Equal(t, []string{"b"}, s.entries("p"), "the late request must not be written after the next append")
		assert.Nil(t, a.Append(to("p"), recs("c")).Errs())
		assert.Equal(t, []string{"b", "c"}, s.entries("p"))
	})
}

func TestLateRequestOfGivenUpBatchKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("p", fault{late: 5 * time.Second}, fault{status: Unknown})
		a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Second, 1)})
		assert.NotNil(t, a.Append(to("p"), recs("a")).Errs())
		wait(t.Context(), 10*time.Second)
		assert.Nil(t, a.Append(to("p"), recs("b")).Errs())
		assert.Equal(t, []string{"a", "b"}, s.entries("p"))
	})
}

func TestUnknownIsRetriedWithoutProducer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("p", fault{replyLost: true})
		a := running(t, Config{Store: s, Backoff: backoff(time.Second, 3)})
		assert.Nil(t, a.Append(to("p"), recs("a")).Errs())
		assert.Equal(t, []string{"a", "a"}, s.entries("p"))
		assert.Equal(t, []string{"0:0", "0:0"}, s.numbers("p"))
	})
}
