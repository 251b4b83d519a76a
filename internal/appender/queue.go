package appender

import "time"

// The limits of one append. A Redis server runs no other command while it runs one append.
const (
	maxAppendRecords = 1000
	maxAppendBytes   = 1 << 20
)

// maxKept is the capacity up to which the lists of an idle queue are kept for its next use.
const maxKept = 16

// queue holds the records that wait for one partition, in order, and the batch that is being sent.
// The Appender's lock guards it, except for the batch while that is in flight.
type queue struct {
	sequence sequence
	acked    acknowledged
	batch    batch
	// pendings wait. Those before head are done with; the first one may be in part.
	pendings []*Pending
	head     int
	phase    phase
	// node is the node that had the partition before the last attempt, as far as the Store knew.
	node string
	// writer is the index of the node's writer that serves the queue.
	writer int
	// stalled is true while the batch is being retried after a back-off.
	stalled bool
	// timer ends the back-off.
	timer *time.Timer
	// used is true if records were appended since the last sweep.
	used bool
	// confirmed is true if the store has the number of an append. uncertain is true if an attempt
	// had an unknown outcome: its request may still be on its way.
	confirmed, uncertain bool
}

// phase is the state of a queue.
type phase int

const (
	idle       phase = iota // it holds nothing
	ready                   // it is on its writer's list
	inFlight                // the Store is called with its batch
	backingOff              // its batch waits for a retry
)

func (q *queue) empty() bool { return q.head == len(q.pendings) }

// push adds a Pending to the end.
func (q *queue) push(p *Pending) {
	q.used = true
	q.pendings = append(q.pendings, p)
	if q.stalled {
		p.stall()
	}
}

// pop removes the first Pending.
func (q *queue) pop() {
	q.pendings[q.head] = nil
	q.head++
	switch {
	case q.empty() && cap(q.pendings) > maxKept:
		q.pendings, q.head = nil, 0
	case q.empty():
		q.pendings, q.head = q.pendings[:0], 0
	case q.head > maxKept && q.head > len(q.pendings)/2:
		n := copy(q.pendings, q.pendings[q.head:])
		clear(q.pendings[n:])
		q.pendings, q.head = q.pendings[:n], 0
	}
}

// next makes the batch ready to be sent: the batch that is to be retried, unchanged, or a new one.
// It returns the bytes of the batch.
func (q *queue) next(producer string) int {
	q.phase = inFlight
	if q.batch.count == 0 {
		q.fill(producer)
	}
	return q.batch.size
}

// fill begins a new batch with as many records as fit. All of them have the target of the first.
func (q *queue) fill(producer string) {
	b := &q.batch
	b.Target, b.Producer = q.pendings[q.head].target, producer
	q.number()
	for !q.empty() {
		p := q.pendings[q.head]
		if p.target != b.Target {
			return
		}
		n, size := p.fit(maxAppendRecords-b.count, maxAppendBytes-b.size, b.count == 0)
		if n == 0 {
			return
		}
		b.add(p, n, size)
		if p.taken < len(p.records) {
			return
		}
		q.pop()
	}
}

// number gives the batch the next number of the sequence.
func (q *queue) number() {
	if q.batch.Producer != "" {
		q.batch.Epoch, q.batch.Seq = q.sequence.next()
	}
}

// missing returns what the store has lost, judging from the number that it knew before the append;
// nil if nothing. A store without a number has not necessarily lost anything: it forgets producers
// that are idle for long.
func (q *queue) missing(r Result) *Lost {
	if r.Stored == (Number{}) {
		if r.Status == Gap {
			return &Lost{}
		}
		return nil
	}
	if lost := q.acked.takeAfter(r.Stored); lost.Records > 0 || r.Status == Gap {
		return &lost
	}
	return nil
}

// apply carries out a decision about the batch: it updates the numbers, gives the records their
// outcome if the batch has ended, and stalls the records that wait for a retry.
func (q *queue) apply(d decision) {
	q.remember(d)
	if d.status == Unknown || d.status == Partial {
		q.uncertain = true
	}
	if d.confirmed() {
		q.confirmed = true
		q.sequence.confirm()
	}
	if d.newEpoch {
		q.sequence.newEpoch(d.above)
	}
	if d.retryable {
		q.batch.stall()
	}
	if d.next == finish {
		q.finish(d)
		return
	}
	q.batch.lastErr = d.err
	if d.newEpoch {
		q.number()
	}
	if d.next == backOff && !q.stalled {
		q.stall()
	}
}

// remember records an append, to count its records if the store turns out to have lost it.
func (q *queue) remember(d decision) {
	n := Number{q.batch.Epoch, q.batch.Seq}
	switch {
	case q.batch.Producer == "":
	case d.confirmed():
		q.acked.add(n, q.batch.count)
	case d.next == finish && d.written > 0:
		q.acked.forgetUpTo(n) // the store holds some of the records, but not their number
	}
}

// finish gives the records of the batch their outcome. If the topic was partitioned, the records
// that wait for the same target fail too.
func (q *queue) finish(d decision) {
	target := q.batch.Target
	q.batch.resolve(d.written, d.err)
	q.stalled = false
	for d.status == Partitioned && !q.empty() && q.pendings[q.head].target == target {
		p := q.pendings[q.head]
		q.pop()
		p.failRest(d.err)
	}
}

// stall marks all Pendings in the queue as waiting for a retry.
func (q *queue) stall() {
	q.stalled = true
	for _, p := range q.pendings[q.head:] {
		p.stall()
	}
}

// failAll fails everything that waits.
func (q *queue) failAll(err error) {
	for !q.empty() {
		p := q.pendings[q.head]
		q.pop()
		p.failRest(err)
	}
}
