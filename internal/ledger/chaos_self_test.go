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

// auditFixture is an audit of invented messages.
type auditFixture struct {
	*audit
	history *history
	began   time.Time
	written map[string]int
}

// at returns a time in the past.
func (r *auditFixture) at(second float64) time.Time {
	return r.began.Add(time.Duration(second * float64(time.Second)))
}

// write records numbers as acknowledged and as in their streams.
func (r *auditFixture) write(lines ...int64) {
	for _, line := range lines {
		r.noteAck(line)
		s, _ := r.producer(line)
		r.noteEntry(s.partitions[s.key(line)], entry{line: line, key: s.keys[s.key(line)]})
	}
}

// message returns a number as a consumer reads it.
func (r *auditFixture) message(line int64, by string, second float64) record {
	s, _ := r.producer(line)
	k := s.key(line)
	r.written[by]++
	return record{
		Line:      line,
		Key:       s.keys[k],
		Partition: s.partitions[k],
		Nanos:     r.at(second).UnixNano(),
		by:        by,
		index:     r.written[by],
		offset:    splits.Offset{Millis: uint64(line)},
	}
}

func (r *auditFixture) reads(by string, second float64, line int64) {
	r.noteRead(r.message(line, by, second))
}

func (r *auditFixture) happens(what, whom string, kind effect, from, to float64) {
	r.history.past(faultEvent{what: what, targets: []string{whom}, effect: kind, from: r.at(from), to: r.at(to)})
}

// kills records the death of a consumer that holds the partition of a number.
func (r *auditFixture) kills(name string, second float64, line int64) {
	s, _ := r.producer(line)
	r.happens("is killed", name, disruptive, second, second)
	r.takeovers = append(r.takeovers, &takeover{
		victim: name, gone: r.at(second), pending: map[int]bool{s.partitions[s.key(line)]: true},
	})
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
				m := r.message(one, "c", 4)
				r.commits.add([]lease{{partition: m.Partition, epoch: "1", offset: m.offset}}, r.at(1.5))
				r.noteRead(m)
			}, "messages read again although committed",
		},
		"a repeat by a reader that was frozen": {
			func(r *auditFixture) {
				r.write(one)
				r.happens("is frozen", "a", freezing, 0, 5)
				r.reads("b", 4, one)
				m := r.message(one, "a", 5.1)
				r.commits.add([]lease{{partition: m.Partition, epoch: "1", offset: m.offset}}, r.at(4.5))
				r.noteRead(m)
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
			h := &history{}
			r := &auditFixture{
				audit:   newAudit(h, partitions),
				history: h,
				began:   time.Now().Add(-time.Hour),
				written: map[string]int{},
			}
			c.plays(r)
			r.check(time.Now())
			r.compareNumbers()
			var want []string
			if c.broken != "" {
				want = append(want, c.broken)
				require.Contains(t, promises, c.broken)
			}
			require.Equal(t, want, slices.Collect(maps.Keys(r.count)), "%+v", r.violations)
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
