//go:build ledger

package ledger

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// The audit of a share group finds every kind of violation, and nothing else.
func TestChaosAuditFindsViolationsOfAShareGroup(t *testing.T) {
	late := waitWithin.Seconds() + 2
	for name, c := range map[string]struct {
		plays  func(*auditFixture)
		broken string // "": no violation
	}{
		"no violation, in any order": {
			func(r *auditFixture) { r.write(one, next); r.reads("a", 2, one); r.reads("b", 1, next) },
			"",
		},
		"an unread message": {
			func(r *auditFixture) { r.write(one, next); r.reads("a", 1, next) },
			"share group: lost",
		},
		"an unread message below the mark": {
			func(r *auditFixture) { r.write(one, next); r.reads("a", 1, next); r.done(next, 2) },
			"share group: lost",
		},
		"a message that the test trimmed while it was pending": {
			func(r *auditFixture) { r.write(one, next); r.reads("a", 1, next); r.trims(next) },
			"share group: trimmed before they were read",
		},
		"a message that was acknowledged and not read, and is trimmed": {
			func(r *auditFixture) { r.write(one, next); r.reads("a", 1, next); r.done(next, 2); r.trims(next) },
			"share group: lost",
		},
		"a message that the test trimmed after it was read": {
			func(r *auditFixture) { r.write(one); r.reads("a", 1, one); r.trims(next) },
			"",
		},
		"a message without an entry": {
			func(r *auditFixture) { r.reads("a", 1, one) },
			"share group: read but not in the streams",
		},
		"a message of another key": {
			func(r *auditFixture) {
				r.write(one)
				m := r.message(one, "a", 1)
				m.Key = "another"
				r.noteRead(m)
			}, "share group: altered messages",
		},
		"a repeat without a cause": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is killed", "b", disruptive, 1, 1)
				r.happens("leaves", "a", harmless, 1, 2)
				r.reads("a", 1, one)
				r.reads("c", 2, one)
			}, "share group: messages read again without a cause",
		},
		"a repeat after the reader died": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is killed", "a", disruptive, 1, 1)
				r.reads("a", 1, one)
				r.reads("c", 4, one)
			}, "",
		},
		"a repeat long after it was acknowledged": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is killed", "a", disruptive, 2, 2)
				r.reads("a", 1, one)
				r.done(one, 1.5)
				r.reads("c", 2+takeoverWithin.Seconds(), one)
			}, "share group: messages read again although committed",
		},
		"a repeat that was taken over before it was acknowledged": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is cut off", "a", disruptive, 1, 4)
				r.reads("a", 1, one)
				r.done(one, 4)
				r.reads("c", 4.5, one)
			}, "",
		},
		"a message that waits without a fault": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("leaves", "c1", harmless, 2, late)
				r.reads("sharer2", late, one)
			}, "share group: messages that waited too long",
		},
		"a message that waits while members of its group die": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is killed", "sharer1", disruptive, 2, 2)
				r.reads("sharer2", late, one)
			}, "",
		},
		"a takeover in time": {
			func(r *auditFixture) { r.write(one); r.kills("a", 1.5, one); r.reads("b", 5, one) },
			"",
		},
		"a late takeover": {
			func(r *auditFixture) { r.write(one); r.kills("a", 1.5, one); r.reads("b", 6, one) },
			"share group: takeovers that took too long",
		},
		"a takeover of another message": {
			func(r *auditFixture) {
				r.write(one, next)
				r.kills("a", 1.5, one)
				r.reads("b", 2, next)
				r.reads("b", 6, one)
			}, "share group: takeovers that took too long",
		},
		"a message that was acknowledged when its reader died": {
			func(r *auditFixture) { r.write(one); r.reads("a", 1, one); r.kills("a", 1.5, one) },
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newFixture(shareGroup)
			c.plays(r)
			r.requireViolation(t, c.broken)
		})
	}
}

// What one group reads does not count for the other.
func TestChaosAuditTellsTheGroupsApart(t *testing.T) {
	a := newAudit(&history{}, partitions)
	r := auditFixture{a.consumerGroup, a, time.Now().Add(-time.Hour), map[string]int{}}
	r.write(one, next)
	r.reads("c1", 1, one)
	r.reads("c1", 2, next)
	a.shareGroup.noteRead(r.message(next, "sharer1", 2))
	require.Equal(t, 1, a.unread())
	a.check(time.Now())
	a.compareNumbers()
	require.Equal(t, map[string]int{"share group: lost": 1}, a.count)
}

// The test trims only what both groups were done with.
func TestChaosTrimsBelowBothGroups(t *testing.T) {
	a := newAudit(&history{}, partitions)
	now := time.Now()
	at := func(millis uint64) []lease {
		return []lease{{partition: 3, epoch: "1", offset: splits.Offset{Millis: millis}}}
	}
	a.consumerGroup.commits.add(at(20), now)
	require.Zero(t, a.doneByAll(3, now.Add(time.Second)), "nothing is known of the share group")
	a.shareGroup.commits.add(at(10), now)
	require.Equal(t, splits.Offset{Millis: 10}, a.doneByAll(3, now.Add(time.Second)))
	a.shareGroup.commits.add(at(30), now)
	require.Equal(t, splits.Offset{Millis: 20}, a.doneByAll(3, now.Add(time.Second)))
	require.Zero(t, a.doneByAll(3, now), "the states are later")
}
