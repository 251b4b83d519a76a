//go:build ledger

package ledger

import (
	"fmt"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// takeover is the time from the kill or freeze of a member until other members have read what it
// had: in a consumer group an entry of each of its partitions, in a share group all entries that
// were pending at it.
type takeover struct {
	kind    groupKind
	victim  string
	gone    time.Time
	pending map[place]bool // in a consumer group without offsets
	last    time.Time      // when the last of these was read
}

// noteTakeover applies a message to the open takeovers. A member of a share group that was killed
// may have finished an entry: then the acknowledgement can be on its way.
func (a *groupAudit) noteTakeover(r record) {
	at := r.place()
	if a.kind == consumerGroup {
		at.offset = splits.Offset{}
	}
	for _, o := range a.takeovers {
		switch {
		case !o.pending[at]:
		case r.by != o.victim && r.read().After(o.gone):
			delete(o.pending, at)
			o.last = r.read()
		case r.by == o.victim && a.kind == shareGroup && !r.read().After(o.gone):
			delete(o.pending, at)
		}
	}
}

// endTakeovers checks the takeovers that are due.
func (a *groupAudit) endTakeovers(until time.Time) {
	var open []*takeover
	for _, o := range a.takeovers {
		due := o.gone.Add(takeoverWithin)
		if until.Before(due) {
			open = append(open, o)
			continue
		}
		if a.disturbed(o) {
			continue
		}
		if a.done = append(a.done, o); len(o.pending) > 0 || o.last.After(due) {
			a.add(violation{
				what: "takeovers that took too long", from: o.gone, to: due, involved: []string{o.victim},
				text: fmt.Sprintf(
					"%s was killed or frozen; after %s other members had not read %v, or only later: %s",
					o.victim, takeoverWithin, o.pending, clock(o.last),
				),
			})
		}
	}
	a.takeovers = open
}

// disturbed reports whether another event happened around that time.
func (a *groupAudit) disturbed(o *takeover) bool {
	for _, e := range a.history.all(o.gone.Add(-takeoverWithin), o.gone.Add(takeoverWithin)) {
		if !e.hits([]string{o.victim}) {
			return true
		}
	}
	return false
}

// longestTakeover returns the longest undisturbed takeover.
func (a *groupAudit) longestTakeover() (longest time.Duration) {
	for _, o := range a.done {
		longest = max(longest, o.last.Sub(o.gone))
	}
	return longest
}
