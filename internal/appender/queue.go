package appender

import "time"

// The limits of one append: a server does nothing else while it runs one.
const (
	maxAppendRecords = 1000
	maxAppendBytes   = 1 << 20
)

// maxKept is the capacity up to which the lists of an idle queue are kept for its next use.
const maxKept = 16

// queue holds what waits for one partition, in order, and the append that is under way. The
// Appender's lock guards it, but for the flight while that is in the air.
type queue struct {
	sequence sequence
	acked    acknowledged
	flight   flight
	// pendings wait; those before head are gone, and of the first a part may be taken already.
	pendings []*Pending
	head     int
	phase    phase
	// node is where the store has the partition, as far as it knew before the last attempt.
	node string
	// side says which of the node's writers serves it.
	side int
	// stalled is why the flight backed off for the first time, nil if it didn't.
	stalled error
	// timer ends the back-off.
	timer *time.Timer
	// used says that something was appended since the last sweep.
	used bool
	// confirmed says that the store has the number of an append, and doubtful that the outcome of
	// an attempt was not known, so that a request may still be on its way.
	confirmed, doubtful bool
}

// phase is where a queue stands.
type phase int

const (
	idle    phase = iota // it holds nothing
	ready                // it is on its writer's list
	flying               // its append is in the air
	waiting              // its append is backing off
)

func (q *queue) empty() bool { return q.head == len(q.pendings) }

// push adds a Pending to the end.
func (q *queue) push(p *Pending) {
	q.used = true
	q.pendings = append(q.pendings, p)
	if q.stalled != nil {
		p.stall(q.stalled)
	}
}

// pop lets go of the first Pending.
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

// depart makes the flight ready to be sent: the one that is to be retried as it is, else a new one
// of what waits. It returns the flight's bytes.
func (q *queue) depart(producer string) int {
	q.phase = flying
	if q.flight.count == 0 {
		q.cut(producer)
	}
	return q.flight.size
}

// cut begins a new append with as much as fits. All its records have the target of the first.
func (q *queue) cut(producer string) {
	f := &q.flight
	f.Target, f.Producer = q.pendings[q.head].target, producer
	q.number()
	for !q.empty() {
		p := q.pendings[q.head]
		if p.target != f.Target {
			return
		}
		n, size := p.fit(maxAppendRecords-f.count, maxAppendBytes-f.size, f.count == 0)
		if n == 0 {
			return
		}
		f.add(p, n, size)
		if p.taken < len(p.records) {
			return
		}
		q.pop()
	}
}

// number gives the flight the numbers that the sequence has next.
func (q *queue) number() {
	if q.flight.Producer != "" {
		q.flight.Epoch, q.flight.Seq = q.sequence.next()
	}
}

// missing finds out what the store has lost, from what it knew before it answered. A store that
// knew nothing need not have lost anything: it forgets producers that are idle for long.
func (q *queue) missing(r Result) *Lost {
	if r.Stored == (Number{}) {
		if r.Status == Gap {
			return &Lost{}
		}
		return nil
	}
	if lost := q.acked.since(r.Stored); lost.Records > 0 || r.Status == Gap {
		return &lost
	}
	return nil
}

// remember notes an append for when the store turns out to have lost it.
func (q *queue) remember(v verdict) {
	n := Number{q.flight.Epoch, q.flight.Seq}
	switch {
	case q.flight.Producer == "":
	case v.confirm:
		q.acked.add(n, q.flight.count)
	case v.next == settle && v.written > 0:
		q.acked.doubt(n) // the store holds a part of it, and no number for that
	}
}

// land applies a verdict: to the sequence, to those who wait, and to the records if the append has
// ended.
func (q *queue) land(v verdict) {
	f := &q.flight
	q.remember(v)
	if v.confirm {
		q.confirmed = true
		q.sequence.confirm()
	}
	if v.raise {
		q.sequence.raise(v.above)
	}
	if v.stalls {
		f.stall(v.cause)
	}
	if v.next == settle {
		q.settle(v)
		return
	}
	f.cause = v.cause
	if v.raise {
		q.number()
	}
	if v.next == backOff && q.stalled == nil {
		q.stall(v.cause)
	}
}

// settle gives the records of the flight their outcome.
func (q *queue) settle(v verdict) {
	target := q.flight.Target
	q.flight.resolve(v.written, v.cause)
	q.stalled = nil
	for v.reroute && !q.empty() && q.pendings[q.head].target == target {
		p := q.pendings[q.head]
		q.pop()
		p.failRest(v.cause)
	}
}

// stall tells everyone who waits that the flight is being retried.
func (q *queue) stall(cause error) {
	q.stalled = cause
	for _, p := range q.pendings[q.head:] {
		p.stall(cause)
	}
}

// drain fails all that waits.
func (q *queue) drain(err error) {
	for !q.empty() {
		p := q.pendings[q.head]
		q.pop()
		p.failRest(err)
	}
}
