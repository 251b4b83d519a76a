//go:build ledger

package ledger

import (
	"time"

	"github.com/rafka-streams/rafka/splits"
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
	// waitWithin bounds the time for which a message of a share group can wait without a cause. An
	// audit that finds a message without a member can be three sessions away.
	waitWithin = idleWithin + 3*sessionTimeout
)

// audit checks every message, in the order of the reads, while the test runs. A consumer group and
// a share group read the same messages, and each of them has to read all of these. Only the
// goroutine of the test uses an audit.
type audit struct {
	*writes
	consumerGroup, shareGroup *groupAudit
}

func newAudit(h *history, partitions int) *audit {
	w := &writes{history: h, partitions: partitions, count: map[string]int{}}
	return &audit{
		writes: w, consumerGroup: newGroupAudit(w, consumerGroup), shareGroup: newGroupAudit(w, shareGroup),
	}
}

func (a *audit) groups() []*groupAudit { return []*groupAudit{a.consumerGroup, a.shareGroup} }

// of returns the audit of a group.
func (a *audit) of(kind groupKind) *groupAudit {
	if kind == shareGroup {
		return a.shareGroup
	}
	return a.consumerGroup
}

// noteEntry records an entry of a stream. The entries of a stream are recorded in their order.
func (a *audit) noteEntry(partition int, e entry) {
	a.writes.noteEntry(partition, e)
	offset, err := splits.ParseOffset(e.id)
	if err != nil {
		a.addNow("altered entries", "%+v in partition %d: %v", e, partition, err)
		return
	}
	for _, g := range a.groups() {
		g.noteEntry(place{partition, offset}, e.line)
	}
}

// doneByAll returns up to which entry of a partition both groups were done before a time.
func (a *audit) doneByAll(partition int, moment time.Time) splits.Offset {
	first, second := a.consumerGroup.commits.committed(
		partition,
		moment,
	), a.shareGroup.commits.committed(
		partition,
		moment,
	)
	if second.Before(first) {
		return second
	}
	return first
}

// noteTrim records that the test deletes the entries of a partition before an offset.
func (a *audit) noteTrim(partition int, upTo splits.Offset) {
	for _, g := range a.groups() {
		g.noteTrim(partition, upTo)
	}
}

// check checks what was read before until, and forgets what is too old to matter.
func (a *audit) check(until time.Time) {
	for _, g := range a.groups() {
		g.check(until)
	}
}

// unread counts the entries of the streams that a group has not finished.
func (a *audit) unread() (n int) {
	for _, g := range a.groups() {
		n += g.unread()
	}
	return n
}

// compareNumbers compares the numbers acknowledged, in the streams, and read.
func (a *audit) compareNumbers() {
	a.checkAcknowledged()
	for _, g := range a.groups() {
		g.compareNumbers()
	}
}
