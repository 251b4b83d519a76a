//go:build ledger

package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// heldBack is how long new batches can be held back at a time, so that a message that fails is in
	// the pipeline alone.
	heldBack = 5 * time.Second
	// noDelay is the longest delay of a message that has nothing to wait for, on a busy machine.
	noDelay = 3 * time.Second
)

// A batch of one partition hangs, and a message of another partition fails each time. All other
// partitions flow. The message is given up when the batch does not hang any more: before that it is
// not certain that the message is the cause.
func TestLedgerHang(t *testing.T) {
	hang := lengthOf(t, hangEnv, 6*time.Second)
	inModes(t, func(t *testing.T, mode func(*consumer)) { hangOneBatch(t, hang, mode) }, "partition", "key", "share")
}

func hangOneBatch(t *testing.T, hang time.Duration, mode func(*consumer)) {
	const hanging = 2 * steadyPerSecond
	s, _ := newScenario(t)
	k := s.openSink(t)
	k.setHeld(hanging)
	reader := s.supervise(t, "reader", mode, givesUp(quickLetters, longSession), k.into)
	p := s.generate(t, steadyPerSecond)
	failing := int64(hanging + steadyPerSecond)
	for p.partitionOf(failing) == p.partitionOf(hanging) {
		failing++
	}
	k.setRejected(failing, true)
	k.awaitHeld(t, hanging, 0)
	from := time.Now()
	<-time.After(hang)
	require.Empty(t, s.letters(t), "while it was not certain that the message was the cause")
	to := time.Now()
	_, waiting := k.seen(hanging)
	require.Equal(t, 1, waiting, "the batch hangs")
	k.release(hanging)
	s.awaitLetters(t, 1)
	given := time.Since(to)

	s.stopProducers(t)
	a := s.awaitAndStop(t, without(s.entered(t), failing))
	s.requireLetters(t, "422", failing)
	require.Zero(t, reader.deaths())
	figure(t, "a batch hung for", "%s", to.Sub(from).Round(time.Millisecond))
	figure(t, "the message that failed was given up after", "%s more", given.Round(time.Millisecond))
	d := a.delaysOf(from, to, func(r record) bool {
		return r.Partition != p.partitionOf(hanging) && r.Partition != p.partitionOf(failing)
	})
	d.show(t, "in the other partitions")
	require.Len(t, d.partitions, partitions-2, "all other partitions flow")
	require.LessOrEqual(t, d.longest, heldBack+noDelay, "%s", d.slowest)
	// Batches are held back for a twentieth of the time, and for another time at the beginning.
	require.LessOrEqual(t, float64(d.late), float64(d.messages)*(heldBack.Seconds()/hang.Seconds()+0.1))
}

// delays are the times from the writes of some messages to their first deliveries that succeeded.
type delays struct {
	period     time.Duration
	messages   int
	late       int // later than a second
	longest    time.Duration
	slowest    record
	partitions map[int]bool
}

// delaysOf returns the delays of the wanted messages that were written in a period.
func (a *deliveries) delaysOf(from, to time.Time, wanted func(record) bool) delays {
	d := delays{period: to.Sub(from), partitions: map[int]bool{}}
	for _, r := range a.records {
		if a.first[r.Line] != r.delivery() || r.written().Before(from) || r.written().After(to) || !wanted(r) {
			continue
		}
		d.messages++
		d.partitions[r.Partition] = true
		delay := r.read().Sub(r.written())
		if delay > time.Second {
			d.late++
		}
		if delay > d.longest {
			d.longest, d.slowest = delay, r
		}
	}
	return d
}

// show logs the delays.
func (d delays) show(t testing.TB, where string) {
	t.Helper()
	figure(t, "meanwhile written "+where, "%d, %.0f a second", d.messages, float64(d.messages)/d.period.Seconds())
	figure(t, "of these read more than a second later", "%d", d.late)
	figure(t, "longest delay", "%s", d.longest.Round(time.Millisecond))
}
