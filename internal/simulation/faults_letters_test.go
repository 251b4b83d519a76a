package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Faults of the sinks and of the store of letters, and what operators do to a group.

// injectSinkOutage makes the sinks of all processes, or of one, reject everything.
func (sc *schedule) injectSinkOutage(r *rand.Rand) string {
	hosts := make([]*host, len(sc.processes))
	for i, p := range sc.processes {
		hosts[i] = p.host
	}
	return sinkOutage(sc.plan, sc.oracle.history, hosts, r)
}

// sinkOutage makes the sinks of all hosts, or of one, reject everything.
func sinkOutage(p plan, h *history, hosts []*host, r *rand.Rand) string {
	if len(hosts) == 0 || !p.deadLetters {
		return ""
	}
	d, what := time.Duration(r.Int64N(int64(4*p.ttl))), "sinks down"
	if r.IntN(2) == 0 {
		one := r.IntN(len(hosts))
		hosts, what = hosts[one:one+1], "sink of a process down"
	}
	h.note("nemesis", "", "makes the sinks of %d from %s fail for %v", len(hosts), hosts[0].name, d)
	for _, h := range hosts {
		h.sinkDown(d)
	}
	return what
}

// injectLetterFault makes the store of letters fail.
func (sc *schedule) injectLetterFault(r *rand.Rand) string {
	return sc.letters.outage(sc.plan, sc.oracle.history, r)
}

// outage makes the box fail for a while.
func (b *letterBox) outage(p plan, h *history, r *rand.Rand) string {
	f, d := boxFault(r.IntN(int(boxFaults))), time.Duration(r.Int64N(int64(4*p.ttl)))
	if !p.deadLetters || !b.fail(f, d) {
		return ""
	}
	h.note("nemesis", "", "makes the store of letters fail for %v (%d)", d, f)
	return "store of letters"
}

// injectSeek moves the group in one split, as an operator does.
func (sc *schedule) injectSeek(r *rand.Rand) string {
	s := sc.randomSplit(r)
	o := sc.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	if failing := o.failingSplits(); len(failing) > 0 && r.IntN(4) > 0 {
		s = failing[r.IntN(len(failing))]
	}
	entries := sc.store.Entries(s)
	if _, begun := sc.store.Lease(groupName, s); !begun || sc.plan.adopts {
		return ""
	}
	var to splits.Offset
	if n := r.IntN(len(entries) + 1); n > 0 {
		to = entries[n-1].Offset
	}
	o.note("nemesis", s.Key, "moves the group to %v", to)
	sc.store.Seek(groupName, s, splits.Position{Offset: to, EntriesRead: splits.CountUnknown})
	o.noteSeek(s, to)
	return "seek"
}

// failingSplits returns the splits of which failures are stored.
func (o *oracle) failingSplits() (failing []splits.Split) {
	for _, s := range o.store.Splits(topicName) {
		if len(o.store.Failing(groupName, s)) > 0 {
			failing = append(failing, s)
		}
	}
	return failing
}

// noteSeek updates the model of a split after the group was moved: everything behind the offset is
// to be processed again, and what failed is forgotten. The caller holds the lock.
func (o *oracle) noteSeek(s splits.Split, to splits.Offset) {
	m := o.model(s)
	state, _ := o.store.Lease(groupName, s)
	m.owner, m.epoch, m.committed, m.finished, m.ackedPrefix = "", state.Epoch, state.Position, nil, 0
	m.sought, m.soughtUntil = true, time.Now().Add(o.plan.ttl)
	clear(m.highestDelivered)
	o.forgetDeaths(m)
	for _, r := range m.entries {
		r.acked = r.offset.Compare(to) <= 0
		r.letterNoted, r.ackedBy, r.mustRead = r.acked, "", false
		o.book.forget(r.id)
	}
}

// writeExtra writes a record to a split after the last fault, if it has waited for long: if only
// unfit records are left, there is no evidence that the sink works.
func (sc *schedule) writeExtra(split string, waited time.Duration) {
	if !sc.plan.deadLetters || split == "" || waited < sc.plan.ttl {
		return
	}
	o := sc.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	sc.extra++
	m := o.models[split]
	if all := sc.store.Splits(topicName); m == nil || sc.extra%2 == 0 { // nothing may be read of the split itself
		m = o.model(all[sc.extra/2%len(all)])
	}
	r := &record{
		id:  fmt.Sprintf("extra/%d@%d", sc.extra, m.split.Partition),
		key: "extra", split: m.split.Key, number: sc.extra, extra: true,
	}
	o.records[r.id] = r
	offset := sc.store.Append(m.split, "body", r.id, "rafka_key", r.key)
	o.checkAppend(m.split, []string{r.id}, []splits.Offset{offset}, false)
}
