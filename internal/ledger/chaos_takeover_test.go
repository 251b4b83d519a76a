//go:build ledger

package ledger

import (
	"fmt"
	"time"
)

// takeover is the time from the kill or freeze of a consumer until other consumers have read all of
// its partitions.
type takeover struct {
	victim  string
	gone    time.Time
	pending map[int]bool // partitions
	last    time.Time    // when the last of the partitions was read
}

// noteTakeover applies a message to the open takeovers.
func (a *audit) noteTakeover(r record) {
	for _, o := range a.takeovers {
		if o.pending[r.Partition] && r.by != o.victim && r.read().After(o.gone) {
			delete(o.pending, r.Partition)
			o.last = r.read()
		}
	}
}

// endTakeovers checks the takeovers that are due.
func (a *audit) endTakeovers(until time.Time) {
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
			a.addViolation(violation{
				what:     "takeovers that took too long",
				from:     o.gone,
				to:       due,
				involved: []string{o.victim},
				text: fmt.Sprintf(
					"%s was killed or frozen; after %s other consumers had not read partitions %v, or only later: %s",
					o.victim,
					takeoverWithin,
					o.pending,
					clock(o.last),
				),
			})
		}
	}
	a.takeovers = open
}

// disturbed reports whether another event happened around that time.
func (a *audit) disturbed(o *takeover) bool {
	for _, e := range a.history.all(o.gone.Add(-takeoverWithin), o.gone.Add(takeoverWithin)) {
		if !e.hits([]string{o.victim}) {
			return true
		}
	}
	return false
}

// longestTakeover returns the longest undisturbed takeover.
func (a *audit) longestTakeover() (longest time.Duration) {
	for _, o := range a.done {
		longest = max(longest, o.last.Sub(o.gone))
	}
	return longest
}
