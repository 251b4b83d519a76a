//go:build ledger

package ledger

import (
	"fmt"
	"time"
)

// idlePeriod is a time in which nothing new was read.
type idlePeriod struct {
	kind, of string
	from, to time.Time
}

func (s idlePeriod) length() time.Duration { return s.to.Sub(s.from) }

// progress records the time since the last new message: of all, of the partition and of the
// producer. The producers together write to all partitions all the time. If all of them are idle, a
// partition counts as idle only from the write of its next message.
func (a *groupAudit) progress(r record) {
	if s, known := a.idlePeriod("all", "all", r); known {
		a.noteIdle(s)
	}
	if s, known := a.idlePeriod("a partition", fmt.Sprint("partition ", r.Partition), r); known {
		if s.from.Before(r.written()) {
			s.from = r.written()
		}
		a.noteIdle(s)
		a.checkIdle(s, r, func() []faultEvent {
			return a.history.causes(s.from, s.to, a.commits.owners(r.Partition, s.from, s.to))
		})
	}
	producer := producerName(int(r.Line / producerRange))
	if s, known := a.idlePeriod("a producer", producer, r); known {
		a.noteIdle(s)
		a.checkIdle(s, r, func() []faultEvent { return a.history.during(s.from, s.to, allServers, machine, producer) })
	}
}

// idlePeriod returns the time since the last new message of a partition, a producer or all.
func (a *groupAudit) idlePeriod(kind, of string, r record) (s idlePeriod, known bool) {
	last, known := a.lastRead[of]
	a.lastRead[of] = r.read()
	return idlePeriod{kind, of, last, r.read()}, known
}

func (a *groupAudit) noteIdle(s idlePeriod) {
	if s.length() > a.longest[s.kind].length() {
		a.longest[s.kind] = s
	}
}

// checkIdle reports an idle period that is too long and has no cause.
func (a *groupAudit) checkIdle(s idlePeriod, r record, causes func() []faultEvent) {
	if s.length() <= idleWithin {
		return
	}
	if idle, _ := undisturbed(s.from, s.to, causes()); idle > idleWithin {
		a.add(violation{
			what: "idle periods without a cause", from: s.from, to: s.to, involved: []string{r.by},
			text: fmt.Sprintf("%s idle for %s, %s of it without a fault, until %s", s.of, s.length(), idle, r),
		})
	}
}

// checkWait checks how long a message of a share group waited for its first read. Any member can
// have held the message, so faults of all members are causes. They happen all the time, so what
// counts is all of the time without a fault together.
func (a *groupAudit) checkWait(r record) {
	if s, known := a.idlePeriod("all", "all", r); known {
		a.noteIdle(s)
	}
	s := idlePeriod{"a message", r.String(), r.written(), r.read()}
	a.noteIdle(s)
	if s.length() <= waitWithin {
		return
	}
	if _, idle := undisturbed(s.from, s.to, a.history.causesOfWait(s.from, s.to)); idle > waitWithin {
		a.add(violation{
			what: "messages that waited too long", from: s.from, to: s.to, involved: []string{r.by},
			text: fmt.Sprintf("%s, %s after it was written, %s of it without a fault", r, s.length(), idle),
		})
	}
}
