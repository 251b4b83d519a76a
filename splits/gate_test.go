package splits

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// mayLeave reports whether a batch may be handed out, and removes it again if so.
func (f flights) mayLeave(at time.Duration) bool {
	fl := &inFlightBatch{}
	if !f.handedOut(fl, f, poisonEpoch.Add(at), nil) {
		return false
	}
	f.accepted(fl)
	return true
}

func (f flights) alone(holder string, at time.Duration) aloneness {
	a, _ := f.beginAlone(holder, holder, false, poisonEpoch.Add(at), nil)
	return a
}

func (f flights) briefly(holder string, at time.Duration) aloneness {
	a, _ := f.beginAlone(holder, holder, true, poisonEpoch.Add(at), nil)
	return a
}

func TestNothingLeavesBesideABatchThatIsAlone(t *testing.T) {
	f := newFlights()
	assert.Equal(t, aloneNow, f.alone("s", 0))
	assert.False(t, f.mayLeave(0))
	assert.Equal(t, aloneLater, f.alone("other", 0), "a suspect of another split")
	assert.Equal(t, aloneNow, f.alone("s", time.Hour))
	assert.False(t, f.mayLeave(time.Hour))
	f.endAlone("other")
	assert.False(t, f.mayLeave(time.Hour))
	f.endAlone("s")
	assert.True(t, f.mayLeave(time.Hour))
	assert.Equal(t, aloneNow, f.alone("s", time.Hour), "the next suspect")
}

func TestBatchIsAloneWhenTheOthersHaveReturned(t *testing.T) {
	f := newFlights("a", "b")
	assert.Equal(t, aloneLater, f.alone("s", 0))
	assert.False(t, f.mayLeave(0), "held back")
	f.ack("a")
	assert.Equal(t, aloneLater, f.alone("s", time.Second))
	f.nack("b")
	assert.Equal(t, aloneNow, f.alone("s", time.Second))
}

func TestBatchThatHangsDoesNotStopTheOthers(t *testing.T) {
	const held, next = holdFor, holdFor + flowFor*holdFor
	f := newFlights("hangs")
	f.of["hangs"].split = Split{Topic: "orders", Partition: 3}
	assert.Equal(t, aloneLater, f.alone("s", 0))
	assert.False(t, f.mayLeave(held-1))
	assert.True(t, f.mayLeave(held), "also if s does not try again")
	never, hanging := f.beginAlone("s", "s", false, poisonEpoch.Add(held), nil)
	assert.Equal(t, aloneNever, never)
	assert.Equal(t, &Hanging{Split: f.of["hangs"].split, For: held}, hanging)
	assert.Equal(t, aloneNever, f.alone("s", next-1))
	assert.True(t, f.mayLeave(next-1))
	assert.Equal(t, aloneLater, f.alone("s", next))
	assert.False(t, f.mayLeave(next))
	f.ack("hangs")
	assert.Equal(t, aloneNow, f.alone("s", next))
}

func TestBeingAloneForAVerdictTakesLittleTime(t *testing.T) {
	f := newFlights("slow")
	assert.Equal(t, aloneLater, f.briefly("s", 0))
	f.ack("slow")
	assert.Equal(t, aloneNow, f.briefly("s", time.Second))
	f.of["s"] = &inFlightBatch{}
	f.handedOutAlone(f.of["s"], "s", poisonEpoch.Add(time.Second))
	assert.False(t, f.mayLeave(time.Second))
	f.nack("s")
	assert.Equal(t, 1, f.certain["s"])
	assert.True(t, f.mayLeave(2*time.Second), "it has come back")
	assert.Equal(t, aloneNever, f.briefly("s", (2+2*flowFor)*time.Second-1), "others were held back for 2 seconds")
	assert.Equal(t, aloneNow, f.briefly("s", (2+2*flowFor)*time.Second))
}

func TestBeingAloneForAVerdictEndsBeforeTheBatch(t *testing.T) {
	f := newFlights()
	assert.Equal(t, aloneNow, f.briefly("s", 0))
	f.of["s"] = &inFlightBatch{}
	f.handedOutAlone(f.of["s"], "s", poisonEpoch)
	assert.False(t, f.mayLeave(holdFor-1))
	assert.True(t, f.mayLeave(holdFor))
	assert.Equal(t, aloneNever, f.briefly("other", holdFor))
	f.nack("s")
	assert.Equal(t, 1, f.certain["s"])
}

func TestLateBatchDoesNotEndThatAnotherIsAlone(t *testing.T) {
	f := newFlights()
	assert.Equal(t, aloneNow, f.briefly("s", 0))
	f.of["s"] = &inFlightBatch{}
	f.handedOutAlone(f.of["s"], "s", poisonEpoch)
	f.endAlone("s") // its lease ended
	f.forget("s")
	assert.Equal(t, aloneNow, f.alone("other", time.Hour))
	f.nack("s")
	assert.False(t, f.mayLeave(time.Hour))
}

func TestWhatWaitsIsWoken(t *testing.T) {
	f, ordinary, suspected := newFlights("a"), newSignal(), newSignal()
	woken := func(s signal) bool { return len(s) == 1 && func() bool { <-s; return true }() }
	begin := func() aloneness {
		a, _ := f.beginAlone("s", "s", false, poisonEpoch, suspected)
		return a
	}
	assert.Equal(t, aloneLater, begin())
	assert.False(t, f.handedOut(&inFlightBatch{}, f, poisonEpoch, ordinary))
	f.ack("a")
	assert.True(t, woken(suspected))
	assert.True(t, woken(ordinary))
	assert.Equal(t, aloneNow, begin())
	assert.False(t, f.handedOut(&inFlightBatch{}, f, poisonEpoch, ordinary))
	f.endAlone("s")
	assert.True(t, woken(ordinary))
}

func TestOwnerThatEndedKeepsNothingBack(t *testing.T) {
	f := newFlights()
	assert.Equal(t, aloneNow, f.alone("s", 0))
	f.forget("other")
	assert.False(t, f.mayLeave(0))
	f.forget("s")
	assert.True(t, f.mayLeave(0))
}
