//go:build ledger

package ledger

import (
	"fmt"
	"slices"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// checkRepeat looks for the reason why a message was read again: faults of the consumers that read
// it before.
func (a *groupAudit) checkRepeat(r record, before []delivery) {
	if len(before) == 0 {
		a.addRead("messages read again much later", r)
		return
	}
	earliest := time.Unix(0, before[0].nanos)
	involved := []string{r.by}
	for _, d := range before {
		involved = append(involved, d.by)
	}
	inFlight := a.inFlightWhenFrozen(r)
	if done := a.doneBefore(r); !done.Before(r.offset) && !inFlight {
		a.add(violation{
			what: "messages read again although committed", from: earliest, to: r.read(), involved: involved,
			text: fmt.Sprintf("%s, read by %v before; committed: %s", r, involved[1:], done),
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
	a.add(violation{
		what: "messages read again without a cause", from: earliest, to: r.read(), involved: involved,
		text: fmt.Sprintf("%s, read by %v since %s", r, involved[1:], clock(earliest)),
	})
}

// doneBefore returns up to which entry of its partition the group was done when a message was read.
// A member of a share group can have taken over a message from a member that acknowledges it a
// moment later. It hands the message out all the same, but only as long as its session lasts.
func (a *groupAudit) doneBefore(r record) splits.Offset {
	moment := r.read()
	if a.kind == shareGroup {
		moment = moment.Add(-takeoverWithin)
	}
	return a.commits.committed(r.Partition, moment)
}

// inFlightWhenFrozen reports whether the consumer can have read the message before it was frozen,
// and continued with it just now.
func (a *groupAudit) inFlightWhenFrozen(r record) bool {
	about := a.history.during(r.read().Add(-time.Second), r.read(), r.by, machine)
	return slices.ContainsFunc(about, func(e faultEvent) bool { return e.effect == freezing })
}
