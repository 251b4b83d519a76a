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

// rehearsal is an audit of messages that nobody sent.
type rehearsal struct {
	*audit
	history *history
	began   time.Time
	places  map[string]int
}

// at is a moment of the rehearsal, which is over.
func (r *rehearsal) at(second float64) time.Time {
	return r.began.Add(time.Duration(second * float64(time.Second)))
}

// write has a number acknowledged and stand in its stream.
func (r *rehearsal) write(lines ...int64) {
	for _, line := range lines {
		r.acknowledge(line)
		f, _ := r.folio(line)
		r.stand(f.partitions[f.key(line)], entry{line: line, key: f.keys[f.key(line)]})
	}
}

// message is a number as a consumer reads it.
func (r *rehearsal) message(line int64, by string, second float64) record {
	f, _ := r.folio(line)
	k := f.key(line)
	r.places[by]++
	return record{
		Line:      line,
		Key:       f.keys[k],
		Partition: f.partitions[k],
		Nanos:     r.at(second).UnixNano(),
		by:        by,
		place:     r.places[by],
		offset:    splits.Offset{Millis: uint64(line)},
	}
}

func (r *rehearsal) reads(by string, second float64, line int64) { r.hear(r.message(line, by, second)) }

func (r *rehearsal) happens(what, whom string, e effect, from, to float64) {
	r.history.past(blow{what: what, whom: []string{whom}, effect: e, from: r.at(from), to: r.at(to)})
}

// kills has a consumer die that holds the partition of a number.
func (r *rehearsal) kills(name string, second float64, line int64) {
	f, _ := r.folio(line)
	r.happens("is killed", name, harsh, second, second)
	r.takeovers = append(r.takeovers, &takeover{
		victim: name, gone: r.at(second), pending: map[int]bool{f.partitions[f.key(line)]: true},
	})
}

// Two numbers with one key.
const one, next = 1, 1 + producerKeys

// The audit finds every kind of promise broken, and no more than that.
func TestChaosAuditSees(t *testing.T) {
	for name, c := range map[string]struct {
		plays  func(*rehearsal)
		broken string // "": nothing
	}{
		"nothing wrong":                  {func(r *rehearsal) { r.write(one, next); r.reads("a", 1, one); r.reads("b", 2, next) }, ""},
		"a message that never comes out": {func(r *rehearsal) { r.write(one, next); r.reads("a", 1, one) }, "lost"},
		"an acknowledgement for nothing": {func(r *rehearsal) { r.acknowledge(one) }, "acknowledged and not in the streams"},
		"a message from nowhere":         {func(r *rehearsal) { r.reads("a", 1, one) }, "read and not in the streams"},
		"a number written twice":         {func(r *rehearsal) { r.write(one, one); r.reads("a", 1, one) }, "numbers twice in the streams"},
		"a key written out of order": {
			func(r *rehearsal) { r.write(next, one); r.reads("a", 1, one); r.reads("a", 2, next) }, "keys out of order in the streams",
		},
		"a key read out of order": {
			func(r *rehearsal) { r.write(one, next); r.reads("a", 2, one); r.reads("b", 1, next) }, "order violations",
		},
		"a key finished out of order": {
			func(r *rehearsal) {
				r.write(one, next)
				later := r.message(next, "a", 2)
				r.reads("a", 1, one)
				r.hear(later)
			}, "order violations",
		},
		"a message of another key": {
			func(r *rehearsal) {
				r.write(one)
				m := r.message(one, "a", 1)
				m.Key = "another"
				r.hear(m)
			}, "altered messages",
		},
		"a message again for no reason": {
			func(r *rehearsal) {
				r.write(one)
				r.happens("is killed", "b", harsh, 1, 1)
				r.happens("leaves", "a", gentle, 1, 2)
				r.reads("a", 1, one)
				r.reads("c", 2, one)
			}, "messages read again without a cause",
		},
		"a message again after its reader died": {
			func(r *rehearsal) {
				r.write(one)
				r.happens("is killed", "a", harsh, 1, 1)
				r.reads("a", 1, one)
				r.reads("c", 4, one)
			}, "",
		},
		"a message again after its commit": {
			func(r *rehearsal) {
				r.write(one)
				r.happens("is killed", "a", harsh, 2, 2)
				r.reads("a", 1, one)
				m := r.message(one, "c", 4)
				r.commits.note([]lease{{partition: m.Partition, epoch: "1", offset: m.offset}}, r.at(1.5))
				r.hear(m)
			}, "messages read again though committed",
		},
		"a message again by who had it in hand": {
			func(r *rehearsal) {
				r.write(one)
				r.happens("is frozen", "a", freezing, 0, 5)
				r.reads("b", 4, one)
				m := r.message(one, "a", 5.1)
				r.commits.note([]lease{{partition: m.Partition, epoch: "1", offset: m.offset}}, r.at(4.5))
				r.hear(m)
			}, "",
		},
		"a standstill in calm": {
			func(r *rehearsal) {
				r.write(one, next)
				r.happens("leaves", "b", gentle, 2, 3)
				r.reads("a", 1, one)
				r.reads("a", 4+calmWithin.Seconds(), next)
			}, "standstills without a cause",
		},
		"a standstill in trouble": {
			func(r *rehearsal) {
				r.write(one, next)
				r.happens("is frozen", theServers, harsh, 2, calmWithin.Seconds())
				r.reads("a", 1, one)
				r.reads("a", 4+calmWithin.Seconds(), next)
			}, "",
		},
		"a takeover in time": {
			func(r *rehearsal) {
				r.write(one, next)
				r.reads("a", 1, one)
				r.kills("a", 1.5, one)
				r.reads("b", 5, next)
			}, "",
		},
		"a takeover too late": {
			func(r *rehearsal) {
				r.write(one, next)
				r.reads("a", 1, one)
				r.kills("a", 1.5, one)
				r.reads("b", 6, next)
			}, "takeovers that took too long",
		},
		"a takeover too late for other reasons": {
			func(r *rehearsal) {
				r.write(one, next)
				r.reads("a", 1, one)
				r.kills("a", 1.5, one)
				r.happens("joins", "c", gentle, 3, 3)
				r.reads("b", 6, next)
			}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := &history{}
			r := &rehearsal{
				audit:   newAudit(h, partitions),
				history: h,
				began:   time.Now().Add(-time.Hour),
				places:  map[string]int{},
			}
			c.plays(r)
			r.judge(time.Now())
			r.compare()
			var want []string
			if c.broken != "" {
				want = append(want, c.broken)
				require.Contains(t, promises, c.broken)
			}
			require.Equal(t, want, slices.Collect(maps.Keys(r.count)), "%+v", r.violations)
		})
	}
}

// The same seed draws the same strikes, and another draws others.
func TestChaosSeed(t *testing.T) {
	draw := func(seed uint64) (all []any) {
		n := newNemesis(seed, processStrikes)
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
