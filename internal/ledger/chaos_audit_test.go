//go:build ledger

package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

const (
	// checkDelay is how long after its read a message is checked: by then a consumer that was
	// paused after the read has written its line.
	checkDelay = 30 * time.Second
	// keepReaders is how long the audit remembers which consumers read a message.
	keepReaders = 2 * time.Minute
	// idleWithin bounds the time for which a partition with unread messages, or a producer, can be
	// idle without a cause. The consumer that takes over can itself be hit by a fault meanwhile,
	// and so on.
	idleWithin = 3 * takeoverWithin
)

// audit checks every message, in the order of the reads, while the test runs. Apart from a few bits
// per number it remembers only the last minutes. Only the goroutine of the test uses it.
type audit struct {
	history   *history
	commits   leaseHistory
	producers []*producerState // by producer, created on first use

	unchecked []record // read from ledgers and not checked yet
	checkedTo time.Time
	readers   map[int64][]delivery // recent readers of each number
	forget    []forgettable        // in the order of the reads
	takeovers []*takeover
	done      []*takeover

	read, repeated int
	longest        map[string]idlePeriod // of a partition, of a producer, and of all
	lastRead       map[string]time.Time  // of each partition, of each producer, and of all
	causes         map[string]int        // why messages were read again
	violations     []violation
	count          map[string]int // number of violations of each kind
}

// forgettable is a number whose readers the audit forgets after keepReaders.
type forgettable struct {
	line int64
	read time.Time
}

// violation is a broken promise.
type violation struct {
	what     string
	from, to time.Time
	text     string
	involved []string // processes
}

func newAudit(h *history, partitions int) *audit {
	return &audit{
		history:  h,
		commits:  make(leaseHistory, partitions),
		readers:  map[int64][]delivery{},
		longest:  map[string]idlePeriod{},
		lastRead: map[string]time.Time{},
		causes:   map[string]int{},
		count:    map[string]int{},
	}
}

// addViolation counts a violation, and keeps the first few.
func (a *audit) addViolation(v violation) {
	const kept = 10
	if a.count[v.what]++; len(a.violations) < kept {
		a.violations = append(a.violations, v)
	}
}

// producer returns the state of the producer of a number, and the number within its range.
func (a *audit) producer(line int64) (s *producerState, n int64) {
	for int64(len(a.producers)) <= line/producerRange {
		a.producers = append(a.producers, newProducerState(len(a.producers), len(a.commits)))
	}
	s = a.producers[line/producerRange]
	return s, line % producerRange
}

// noteAck records a number of an ack log.
func (a *audit) noteAck(line int64) {
	s, n := a.producer(line)
	s.acknowledged.add(n)
}

// noteEntry records an entry of a stream. The entries of a stream are recorded in their order.
func (a *audit) noteEntry(partition int, e entry) {
	s, n := a.producer(e.line)
	k := s.key(e.line)
	now := time.Now()
	switch {
	case s.keys[k] != e.key || s.partitions[k] != partition:
		a.addViolation(
			violation{
				what: "altered entries",
				from: now,
				to:   now,
				text: fmt.Sprintf("%+v in partition %d", e, partition),
			},
		)
	case !s.inStream.add(n):
		a.addViolation(
			violation{
				what: "numbers written twice",
				from: now,
				to:   now,
				text: fmt.Sprintf("%+v in partition %d", e, partition),
			},
		)
	case e.line < s.newestWritten[k]:
		a.addViolation(violation{
			what: "keys written out of order", from: now, to: now,
			text: fmt.Sprintf("%+v in partition %d after %d", e, partition, s.newestWritten[k]),
		})
	}
	s.newestWritten[k] = max(s.newestWritten[k], e.line)
}

// noteRead records a line of a ledger.
func (a *audit) noteRead(r record) {
	s, n := a.producer(r.Line)
	s.read.add(n)
	if r.read().Before(a.checkedTo) {
		a.addViolation(
			violation{
				what:     "lines too late to be checked",
				from:     r.read(),
				to:       time.Now(),
				text:     r.String(),
				involved: []string{r.by},
			},
		)
	}
	a.unchecked = append(a.unchecked, r)
}

// check checks what was read before until, and forgets what is too old to matter.
func (a *audit) check(until time.Time) {
	slices.SortStableFunc(a.unchecked, func(x, y record) int { return cmp.Compare(x.Nanos, y.Nanos) })
	ready, _ := slices.BinarySearchFunc(
		a.unchecked,
		until.UnixNano(),
		func(r record, at int64) int { return cmp.Compare(r.Nanos, at) },
	)
	for _, r := range a.unchecked[:ready] {
		a.checkRead(r)
	}
	a.unchecked = append([]record(nil), a.unchecked[ready:]...)
	a.checkedTo = until
	old := 0
	for ; old < len(a.forget) && a.forget[old].read.Before(until.Add(-keepReaders)); old++ {
		delete(a.readers, a.forget[old].line)
	}
	a.forget = append([]forgettable(nil), a.forget[old:]...)
	a.commits.forget(until.Add(-keepReaders))
	a.endTakeovers(until)
}

func (a *audit) checkRead(r record) {
	a.read++
	s, n := a.producer(r.Line)
	k := s.key(r.Line)
	if s.keys[k] != r.Key || s.partitions[k] != r.Partition {
		a.addViolation(
			violation{
				what:     "altered messages",
				from:     r.read(),
				to:       r.read(),
				text:     r.String(),
				involved: []string{r.by},
			},
		)
		return
	}
	a.noteTakeover(r)
	if s.checked.add(n) {
		a.checkOrder(s, k, r)
		a.forget = append(a.forget, forgettable{r.Line, r.read()})
	} else {
		a.repeated++
		a.checkRepeat(r, a.readers[r.Line])
	}
	a.readers[r.Line] = append(a.readers[r.Line], r.delivery())
}

// checkOrder checks that the numbers of each key are first read in ascending order, and that each
// consumer finishes its first reads in that order, too. It also records the idle times.
func (a *audit) checkOrder(s *producerState, key int, r record) {
	last := s.latestRead[key]
	if r.Line < last.line || last.by == r.by && r.index < last.index {
		a.addViolation(violation{
			what: "keys read out of order", from: r.read(), to: r.read(), involved: []string{last.by, r.by},
			text: fmt.Sprintf("%s, after number %d read by %s", r, last.line, last.by),
		})
	}
	s.latestRead[key] = firstRead{max(last.line, r.Line), r.by, r.index}
	a.progress(r)
}

// checkRepeat looks for the reason why a message was read again: faults of the consumers that read
// it before.
func (a *audit) checkRepeat(r record, before []delivery) {
	if len(before) == 0 {
		a.addViolation(violation{
			what:     "messages read again much later",
			from:     r.read(),
			to:       r.read(),
			text:     r.String(),
			involved: []string{r.by},
		})
		return
	}
	earliest := time.Unix(0, before[0].nanos)
	involved := []string{r.by}
	for _, d := range before {
		involved = append(involved, d.by)
	}
	inFlight := a.inFlightWhenFrozen(r)
	if committed := a.commits.committed(r.Partition, r.read()); !committed.Before(r.offset) && !inFlight {
		a.addViolation(violation{
			what: "messages read again although committed", from: earliest, to: r.read(), involved: involved,
			text: fmt.Sprintf("%s, read by %v before; committed: %s", r, involved[1:], committed),
		})
		return
	}
	targets := slices.Concat(involved[1:], []string{allServers, machine})
	for _, e := range a.history.during(earliest.Add(-takeoverWithin), r.read(), targets...) {
		if e.effect != harmless {
			a.causes[e.what]++
			return
		}
	}
	if inFlight {
		a.causes["it was in flight when its reader was frozen"]++
		return
	}
	a.addViolation(violation{
		what: "messages read again without a cause", from: earliest, to: r.read(), involved: involved,
		text: fmt.Sprintf("%s, read by %v since %s", r, involved[1:], clock(earliest)),
	})
}

// inFlightWhenFrozen reports whether the consumer can have read the message before it was frozen,
// and continued with it just now.
func (a *audit) inFlightWhenFrozen(r record) bool {
	about := a.history.during(r.read().Add(-time.Second), r.read(), r.by, machine)
	return slices.ContainsFunc(about, func(e faultEvent) bool { return e.effect == freezing })
}
