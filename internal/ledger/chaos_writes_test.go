//go:build ledger

package ledger

import (
	"fmt"
	"time"
)

// writes records what producers wrote and what the streams hold, and all violations. Apart from a
// few bits per number it remembers nothing.
type writes struct {
	history    *history
	partitions int
	producers  []*producerState // by producer, created on first use
	violations []violation
	count      map[string]int // number of violations of each kind
}

// violation is a broken promise.
type violation struct {
	what     string
	from, to time.Time
	text     string
	involved []string // processes
}

// addViolation counts a violation, and keeps the first few.
func (w *writes) addViolation(v violation) {
	const kept = 10
	if w.count[v.what]++; len(w.violations) < kept {
		w.violations = append(w.violations, v)
	}
}

// addNow adds a violation that was noticed now.
func (w *writes) addNow(what, format string, args ...any) {
	now := time.Now()
	w.addViolation(violation{what: what, from: now, to: now, text: fmt.Sprintf(format, args...)})
}

// producer returns the state of the producer of a number, and the number within its range.
func (w *writes) producer(line int64) (s *producerState, n int64) {
	for int64(len(w.producers)) <= line/producerRange {
		w.producers = append(w.producers, newProducerState(len(w.producers), w.partitions))
	}
	return w.producers[line/producerRange], line % producerRange
}

// noteAck records a number of an ack log.
func (w *writes) noteAck(line int64) {
	s, n := w.producer(line)
	s.acknowledged.add(n)
}

// noteEntry records an entry of a stream. The entries of a stream are recorded in their order.
func (w *writes) noteEntry(partition int, e entry) {
	s, n := w.producer(e.line)
	k := s.key(e.line)
	switch {
	case s.keys[k] != e.key || s.partitions[k] != partition:
		w.addNow("altered entries", "%+v in partition %d", e, partition)
	case !s.inStream.add(n):
		w.addNow("numbers written twice", "%+v in partition %d", e, partition)
	case e.line < s.newestWritten[k]:
		w.addNow("keys written out of order", "%+v in partition %d after %d", e, partition, s.newestWritten[k])
	}
	s.newestWritten[k] = max(s.newestWritten[k], e.line)
}

// checkAcknowledged checks that everything that was acknowledged to a producer is in the streams.
func (w *writes) checkAcknowledged() {
	for i, s := range w.producers {
		w.addMissing("acknowledged but not in the streams", i, s.acknowledged.without(s.inStream))
	}
}

// addMissing adds a violation for each number of a producer.
func (w *writes) addMissing(what string, producer int, missing []int64) {
	now, s := time.Now(), w.producers[producer]
	for _, n := range missing {
		k := s.key(n)
		w.addViolation(violation{
			what: what,
			from: now.Add(-checkDelay),
			to:   now,
			text: fmt.Sprintf(
				"number %d of %s, key %s, partition %d",
				n,
				producerName(producer),
				s.keys[k],
				s.partitions[k],
			),
		})
	}
}

// sum returns the sum over all producers.
func (w *writes) sum(what func(*producerState) int) (n int) {
	for _, s := range w.producers {
		n += what(s)
	}
	return n
}
