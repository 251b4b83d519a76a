//go:build ledger

package ledger

import (
	"fmt"
	"time"
)

// takeover is the time from when a consumer was killed or frozen until all of its partitions were
// read by others.
type takeover struct {
	victim  string
	gone    time.Time
	pending map[int]bool // partitions
	last    time.Time    // when the latest of the others was read
}

// follow holds a message against the takeovers that are under way.
func (a *audit) follow(r record) {
	for _, o := range a.takeovers {
		if o.pending[r.Partition] && r.by != o.victim && r.read().After(o.gone) {
			delete(o.pending, r.Partition)
			o.last = r.read()
		}
	}
}

// endTakeovers judges those that are over, or are undisturbed and overdue.
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
			a.blame(violation{
				what:     "takeovers that took too long",
				from:     o.gone,
				to:       due,
				involved: []string{o.victim},
				text: fmt.Sprintf(
					"%s was gone; after %s others had not read partitions %v, or only later than that: %s",
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

// disturbed reports whether something else happened about that time.
func (a *audit) disturbed(o *takeover) bool {
	for _, b := range a.history.all(o.gone.Add(-takeoverWithin), o.gone.Add(takeoverWithin)) {
		if !b.hits([]string{o.victim}) {
			return true
		}
	}
	return false
}

// longestTakeover of those that nothing disturbed.
func (a *audit) longestTakeover() (longest time.Duration) {
	for _, o := range a.done {
		longest = max(longest, o.last.Sub(o.gone))
	}
	return longest
}
