package splits

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// flights are batches in flight, by name, and how often the failure of one was certain.
type flights struct {
	*Failures
	of      map[string]*inFlightBatch
	certain map[string]int
}

func newFlights(names ...string) flights {
	f := flights{NewFailures(), map[string]*inFlightBatch{}, map[string]int{}}
	for _, name := range names {
		f.out(name)
	}
	return f
}

func (f flights) out(name string) {
	f.of[name] = &inFlightBatch{}
	f.handedOut(f.of[name], f, poisonEpoch, nil)
}

func (f flights) ack(name string)  { f.accepted(f.of[name]) }
func (f flights) nack(name string) { f.failed(f.of[name], func() { f.certain[name]++ }) }

func TestFailureOfAnOnlyBatchIsCertain(t *testing.T) {
	f := newFlights("a")
	f.nack("a")
	assert.Equal(t, 1, f.certain["a"])
}

func TestFailureIsCertainOnceOverlappingBatchesAreAccepted(t *testing.T) {
	f := newFlights("a", "b", "c")
	f.nack("a")
	f.out("later")
	f.ack("b")
	assert.Zero(t, f.certain["a"])
	f.ack("c")
	assert.Equal(t, 1, f.certain["a"])
	f.nack("later")
	assert.Equal(t, 1, f.certain["later"])
}

func TestFailureIsNotCertainIfAnotherBatchFailed(t *testing.T) {
	for name, order := range map[string][]string{"before": {"b", "a"}, "after": {"a", "b"}} {
		t.Run(name, func(t *testing.T) {
			f := newFlights("a", "b", "c")
			for _, n := range order {
				f.nack(n)
			}
			f.ack("c")
			assert.Empty(t, f.certain)
		})
	}
}

func TestFailureWithoutOneEntryIsNeverCertain(t *testing.T) {
	f := newFlights("a", "b")
	f.failed(f.of["a"], nil)
	f.nack("b")
	assert.Empty(t, f.certain, "a failed while b was in flight")
}

func TestBatchesOfAClosedConsumerAreForgotten(t *testing.T) {
	f := newFlights("a")
	gone := &inFlightBatch{}
	f.handedOut(gone, "another owner", poisonEpoch, nil)
	f.nack("a")
	assert.Zero(t, f.certain["a"])
	f.forget("another owner")
	assert.Zero(t, f.certain["a"], "the batch of the other owner may fail")
	assert.Empty(t, f.Failures.inFlight)
}
