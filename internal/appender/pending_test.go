package appender

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func TestPendingWithoutRecordsIsDone(t *testing.T) {
	a := New(Config{Store: newStore(t)})
	p := a.Append(to("p"), nil)
	assert.True(t, closed(p.Done()))
	assert.Nil(t, p.Errs())
	assert.NoError(t, a.Close(t.Context()))
}

func TestDoneWaitsForAllAppendsOfOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.took[""] = time.Second
		s.faults("p", fault{}, fault{status: Failed})
		a := running(t, Config{Store: s, Producer: "me"})
		p := a.Append(to("p"), numbered(0, 2500))
		wait(t.Context(), 2500*time.Millisecond)
		assert.False(t, closed(p.Done()))
		errs := p.Errs()
		assert.Len(t, errs, 2500)
		for i, err := range errs {
			if i >= 1000 && i < 2000 {
				assert.Equal(t, errType, err)
			} else {
				assert.NoError(t, err)
			}
		}
		assert.Len(t, s.entries("p"), 1500)
		assert.False(t, closed(p.Stalled()), "no record waited for a retry")
	})
}

func TestFirstFailedAttemptStalls(t *testing.T) {
	for _, f := range []fault{{status: Refused}, {status: Unknown}, {replyLost: true}} {
		synctest.Test(t, func(t *testing.T) {
			s := newStore(t)
			s.took[""] = time.Second
			s.faults("p", f)
			a := running(t, Config{Store: s, Producer: "me", Backoff: backoff(time.Minute, -1)})
			p := a.Append(to("p"), recs("a"))
			synctest.Wait()
			behind := a.Append(to("p"), recs("b"))
			assert.False(t, closed(p.Stalled()))
			begin := time.Now()
			<-p.Stalled()
			assert.Equal(t, time.Second, time.Since(begin))
			<-behind.Stalled() // records queued behind the batch stall too
			later := a.Append(to("p"), recs("c"))
			assert.True(t, closed(later.Stalled()), "records that arrive during the back-off stall too")
			wait(t.Context(), time.Minute+time.Second/2) // the retry is in flight
			assert.True(t, closed(a.Append(to("p"), recs("d")).Stalled()))
			assert.False(t, closed(a.Append(to("q"), recs("z")).Stalled()), "another partition does not stall")
			assert.Nil(t, p.Errs())
			assert.Nil(t, later.Errs())
			after := a.Append(to("p"), recs("e"))
			assert.Nil(t, after.Errs())
			assert.False(t, closed(after.Stalled()), "the partition flows again")
			assert.Equal(t, []string{"a", "b", "c", "d", "e"}, s.entries("p"))
		})
	}
}

func TestGapDoesNotStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.faults("p", fault{status: Gap}, fault{}, fault{foreign: 3})
		a := running(t, Config{Store: s, Producer: "me"})
		for range 2 {
			p := a.Append(to("p"), recs("a"))
			assert.Nil(t, p.Errs())
			assert.False(t, closed(p.Stalled()))
		}
	})
}

func TestGivingUpImmediatelyDoesNotStallTheNextAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(t)
		s.took[""] = time.Second
		s.faults("p", fault{status: Refused})
		a := running(t, Config{Store: s, Producer: "me"})
		p := a.Append(to("p"), recs("a"))
		synctest.Wait()
		behind := a.Append(to("p"), recs("b"))
		assert.NotNil(t, p.Errs())
		assert.True(t, closed(p.Stalled()))
		assert.Nil(t, behind.Errs())
		assert.False(t, closed(behind.Stalled()))
	})
}
