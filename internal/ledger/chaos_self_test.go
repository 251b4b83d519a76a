//go:build ledger

package ledger

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// auditFixture is the audit of one group, and invented messages. The other group reads nothing.
type auditFixture struct {
	*groupAudit
	all    *audit
	began  time.Time
	counts map[string]int // lines in the ledger of each consumer
}

// newFixture returns a fixture. What happens in it happened an hour ago.
func newFixture(kind groupKind) *auditFixture {
	all := newAudit(&history{}, partitions)
	return &auditFixture{all.of(kind), all, time.Now().Add(-time.Hour), map[string]int{}}
}

// at returns a time in the past.
func (r *auditFixture) at(second float64) time.Time {
	return r.began.Add(time.Duration(second * float64(time.Second)))
}

// offset returns the offset of a number: it was written in the first second.
func (r *auditFixture) offset(line int64) splits.Offset {
	return splits.Offset{Millis: uint64(r.began.UnixMilli() + line)}
}

// write records numbers as acknowledged and as in their streams.
func (r *auditFixture) write(lines ...int64) {
	for _, line := range lines {
		r.all.noteAck(line)
		s, _ := r.producer(line)
		e := entry{id: r.offset(line).String(), line: line, key: s.keys[s.key(line)]}
		r.all.noteEntry(s.partitions[s.key(line)], e)
	}
}

// message returns a number as a consumer reads it.
func (r *auditFixture) message(line int64, by string, second float64) record {
	s, _ := r.producer(line)
	k := s.key(line)
	r.counts[by]++
	return record{
		Line:      line,
		Key:       s.keys[k],
		Partition: s.partitions[k],
		Nanos:     r.at(second).UnixNano(),
		by:        by,
		index:     r.counts[by],
		offset:    r.offset(line),
	}
}

func (r *auditFixture) reads(by string, second float64, line int64) {
	r.noteRead(r.message(line, by, second))
}

// done records that the group was done with everything up to a number.
func (r *auditFixture) done(line int64, second float64) {
	m := r.message(line, "nobody", second)
	r.commits.add([]lease{{partition: m.Partition, epoch: "1", offset: m.offset}}, r.at(second))
}

// trims records that the test deletes the entries before a number.
func (r *auditFixture) trims(before int64) {
	s, _ := r.producer(before)
	r.all.noteTrim(s.partitions[s.key(before)], r.offset(before))
}

func (r *auditFixture) happens(what, whom string, kind effect, from, to float64) {
	r.history.past(faultEvent{what: what, targets: []string{whom}, effect: kind, from: r.at(from), to: r.at(to)})
}

// kills records the death of a consumer that has the partition of a number, or a member of the
// share group at which the number is pending.
func (r *auditFixture) kills(name string, second float64, line int64) {
	m := r.message(line, "nobody", second)
	at := place{partition: m.Partition}
	if r.kind == shareGroup {
		at.offset = m.offset
	}
	r.happens("is killed", name, disruptive, second, second)
	r.takeovers = append(r.takeovers, &takeover{
		kind: r.kind, victim: name, gone: r.at(second), pending: map[place]bool{at: true},
	})
}

// requireViolation checks that the audit finds exactly one kind of violation, or none.
func (r *auditFixture) requireViolation(t *testing.T, broken string) {
	t.Helper()
	r.check(time.Now())
	r.checkAcknowledged()
	r.compareNumbers()
	var want []string
	if broken != "" {
		want = append(want, broken)
		require.Contains(t, promises, broken)
	}
	require.Equal(t, want, slices.Collect(maps.Keys(r.count)), "%+v", r.violations)
}

// Two numbers with the same key.
const one, next = 1, 1 + producerKeys

// The audit finds every kind of violation, and nothing else.
func TestChaosAuditFindsViolations(t *testing.T) {
	for name, c := range map[string]struct {
		plays  func(*auditFixture)
		broken string // "": no violation
	}{
		"no violation": {
			func(r *auditFixture) { r.write(one, next); r.reads("a", 1, one); r.reads("b", 2, next) },
			"",
		},
		"an unread message": {
			func(r *auditFixture) { r.write(one, next); r.reads("a", 1, one) },
			"lost",
		},
		"an unread message that the test trimmed": {
			func(r *auditFixture) { r.write(one); r.trims(next) },
			"trimmed before they were read",
		},
		"an acknowledgement without an entry": {
			func(r *auditFixture) { r.noteAck(one) },
			"acknowledged but not in the streams",
		},
		"a message without an entry": {
			func(r *auditFixture) { r.reads("a", 1, one) },
			"read but not in the streams",
		},
		"a number written twice": {
			func(r *auditFixture) { r.write(one, one); r.reads("a", 1, one) },
			"numbers written twice",
		},
		"a key written out of order": {
			func(r *auditFixture) { r.write(next, one); r.reads("a", 1, one); r.reads("a", 2, next) },
			"keys written out of order",
		},
		"a key read out of order": {
			func(r *auditFixture) { r.write(one, next); r.reads("a", 2, one); r.reads("b", 1, next) },
			"keys read out of order",
		},
		"a key finished out of order": {
			func(r *auditFixture) {
				r.write(one, next)
				later := r.message(next, "a", 2)
				r.reads("a", 1, one)
				r.noteRead(later)
			}, "keys read out of order",
		},
		"a message of another key": {
			func(r *auditFixture) {
				r.write(one)
				m := r.message(one, "a", 1)
				m.Key = "another"
				r.noteRead(m)
			}, "altered messages",
		},
		"a repeat without a cause": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is killed", "b", disruptive, 1, 1)
				r.happens("leaves", "a", harmless, 1, 2)
				r.reads("a", 1, one)
				r.reads("c", 2, one)
			}, "messages read again without a cause",
		},
		"a repeat after the reader died": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is killed", "a", disruptive, 1, 1)
				r.reads("a", 1, one)
				r.reads("c", 4, one)
			}, "",
		},
		"a repeat after the commit": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is killed", "a", disruptive, 2, 2)
				r.reads("a", 1, one)
				r.done(one, 1.5)
				r.reads("c", 4, one)
			}, "messages read again although committed",
		},
		"a repeat by a reader that was frozen": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is frozen", "a", freezing, 0, 5)
				r.reads("b", 4, one)
				r.done(one, 4.5)
				r.reads("a", 5.1, one)
			}, "",
		},
		"an idle period without a fault": {
			func(r *auditFixture) {
				r.write(one, next)
				r.happens("leaves", "b", harmless, 2, 3)
				r.reads("a", 1, one)
				r.reads("a", 4+idleWithin.Seconds(), next)
			}, "idle periods without a cause",
		},
		"an idle period during a fault": {
			func(r *auditFixture) {
				r.write(one, next)
				r.happens("is frozen", allServers, disruptive, 2, idleWithin.Seconds())
				r.reads("a", 1, one)
				r.reads("a", 4+idleWithin.Seconds(), next)
			}, "",
		},
		"a takeover in time": {
			func(r *auditFixture) {
				r.write(one, next)
				r.reads("a", 1, one)
				r.kills("a", 1.5, one)
				r.reads("b", 5, next)
			}, "",
		},
		"a late takeover": {
			func(r *auditFixture) {
				r.write(one, next)
				r.reads("a", 1, one)
				r.kills("a", 1.5, one)
				r.reads("b", 6, next)
			}, "takeovers that took too long",
		},
		"a late takeover with another fault": {
			func(r *auditFixture) {
				r.write(one, next)
				r.reads("a", 1, one)
				r.kills("a", 1.5, one)
				r.happens("joins", "c", harmless, 3, 3)
				r.reads("b", 6, next)
			}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newFixture(consumerGroup)
			c.plays(r)
			r.requireViolation(t, c.broken)
		})
	}
}

// The same seed draws the same faults; another seed draws others.
func TestChaosSeedDrawsTheSameFaults(t *testing.T) {
	draw := func(seed uint64) (all []any) {
		n := newNemesis(seed, processFaults)
		for range 100 {
			pause, s, lasts, pick := n.next()
			require.GreaterOrEqual(t, pause, pauseLeast)
			require.LessOrEqual(t, pause, pauseMost)
			require.GreaterOrEqual(t, lasts, s.least)
			require.LessOrEqual(t, lasts, s.most)
			all = append(all, pause, s.what, lasts, pick)
		}
		return all
	}
	first := draw(1)
	require.Equal(t, first, draw(1))
	require.NotEqual(t, first, draw(2))
}
