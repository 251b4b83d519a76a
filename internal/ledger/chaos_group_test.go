//go:build ledger

package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// groupAudit checks what one group reads. A consumer group keeps the order of each key, and commits
// offsets. A share group has no order. It acknowledges single entries.
type groupAudit struct {
	*writes
	kind groupKind
	// commits are the states of the leases. In a share group they are the offsets up to which
	// everything was acknowledged.
	commits leaseHistory
	states  []*readState // by producer, created on first use

	waiting   map[int64]place // entries of the streams that are in no ledger, by number
	unchecked []record        // read from ledgers and not checked yet
	checkedTo time.Time
	readers   map[int64][]delivery // recent readers of each number
	forget    []forgettable        // in the order of the reads
	takeovers []*takeover
	done      []*takeover

	read, repeated int
	longest        map[string]idlePeriod // of a partition, of a producer, of all, of a message
	lastRead       map[string]time.Time  // of each partition, of each producer, and of all
	causes         map[string]int        // why messages were read again
}

// forgettable is a number whose readers the audit forgets after keepReaders.
type forgettable struct {
	line int64
	read time.Time
}

func newGroupAudit(w *writes, kind groupKind) *groupAudit {
	return &groupAudit{
		writes: w, kind: kind,
		commits:  make(leaseHistory, w.partitions),
		waiting:  map[int64]place{},
		readers:  map[int64][]delivery{},
		longest:  map[string]idlePeriod{},
		lastRead: map[string]time.Time{},
		causes:   map[string]int{},
	}
}

// add adds a violation of this group.
func (a *groupAudit) add(v violation) {
	v.what = string(a.kind) + v.what
	a.addViolation(v)
}

// addRead adds a violation that concerns one delivery.
func (a *groupAudit) addRead(what string, r record) {
	a.add(violation{what: what, from: r.read(), to: r.read(), text: r.String(), involved: []string{r.by}})
}

// state returns what the group has read of the producer of a number.
func (a *groupAudit) state(line int64) *readState {
	for int64(len(a.states)) <= line/producerRange {
		a.states = append(a.states, &readState{latestRead: make([]firstRead, producerKeys)})
	}
	return a.states[line/producerRange]
}

// noteEntry records an entry of a stream.
func (a *groupAudit) noteEntry(at place, line int64) {
	if !a.state(line).read.has(line % producerRange) {
		a.waiting[line] = at
	}
}

// noteTrim records that the test deletes the entries of a partition before an offset. An entry that
// is in no ledger is not lost by rafka then, unless the group was done with it.
func (a *groupAudit) noteTrim(partition int, upTo splits.Offset) {
	done := a.commits.committed(partition, time.Now())
	for line, at := range a.waiting {
		if at.partition == partition && at.offset.Before(upTo) && done.Before(at.offset) {
			a.state(line).trimmed.add(line % producerRange)
		}
	}
}

// noteRead records a line of a ledger.
func (a *groupAudit) noteRead(r record) {
	a.state(r.Line).read.add(r.Line % producerRange)
	delete(a.waiting, r.Line)
	if r.read().Before(a.checkedTo) {
		a.addRead("lines too late to be checked", r)
	}
	a.unchecked = append(a.unchecked, r)
}

// check checks what was read before until, and forgets what is too old to matter.
func (a *groupAudit) check(until time.Time) {
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

func (a *groupAudit) checkRead(r record) {
	a.read++
	s, n := a.producer(r.Line)
	k := s.key(r.Line)
	if s.keys[k] != r.Key || s.partitions[k] != r.Partition {
		a.addRead("altered messages", r)
		return
	}
	a.noteTakeover(r)
	if a.state(r.Line).checked.add(n) {
		a.checkFirst(k, r)
		a.forget = append(a.forget, forgettable{r.Line, r.read()})
	} else {
		a.repeated++
		a.checkRepeat(r, a.readers[r.Line])
	}
	a.readers[r.Line] = append(a.readers[r.Line], r.delivery())
}

// checkFirst checks the first read of a message.
func (a *groupAudit) checkFirst(key int, r record) {
	if a.kind == shareGroup {
		a.checkWait(r)
		return
	}
	a.checkOrder(key, r)
	a.progress(r)
}

// checkOrder checks that the numbers of each key are first read in ascending order, and that each
// consumer finishes its first reads in that order, too.
func (a *groupAudit) checkOrder(key int, r record) {
	s := a.state(r.Line)
	last := s.latestRead[key]
	if r.Line < last.line || last.by == r.by && r.index < last.index {
		a.add(violation{
			what: "keys read out of order", from: r.read(), to: r.read(), involved: []string{last.by, r.by},
			text: fmt.Sprintf("%s, after number %d read by %s", r, last.line, last.by),
		})
	}
	s.latestRead[key] = firstRead{max(last.line, r.Line), r.by, r.index}
}

// unread counts the entries of the streams that the group has not finished.
func (a *groupAudit) unread() (n int) {
	for i, s := range a.producers {
		n += len(s.inStream.without(a.state(int64(i) * producerRange).read))
	}
	return n
}

// compareNumbers compares the numbers in the streams with the numbers that the group read. A number
// whose entry the test itself trimmed too early is not called lost.
func (a *groupAudit) compareNumbers() {
	for i, s := range a.producers {
		g := a.state(int64(i) * producerRange)
		var lost, trimmed []int64
		for _, n := range s.inStream.without(g.read) {
			if g.trimmed.has(n) {
				trimmed = append(trimmed, n)
			} else {
				lost = append(lost, n)
			}
		}
		a.addMissing(string(a.kind)+"lost", i, lost)
		a.addMissing(string(a.kind)+"trimmed before they were read", i, trimmed)
		a.addMissing(string(a.kind)+"read but not in the streams", i, g.read.without(s.inStream))
	}
}
