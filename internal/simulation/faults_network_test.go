package simulation

import (
	"math/rand/v2"
	"time"

	"github.com/rafka-streams/rafka/splits/splitstest"
)

// Faults between members and the store.

func (sc *schedule) injectOutage(r *rand.Rand) string {
	long := r.IntN(2) == 0
	d := time.Duration(r.Int64N(int64(sc.plan.ttl)))
	if long {
		d += sc.plan.ttl
	}
	sc.oracle.note("nemesis", "", "makes the store unavailable for %v", d)
	sc.cut(sc.processes, sc.producers, d)
	if long {
		return "outage longer than the session"
	}
	return "outage shorter than the session"
}

func (sc *schedule) injectPartition(r *rand.Rand) string {
	p := sc.randomProcess(r)
	if p == nil {
		return ""
	}
	d := time.Duration(r.Int64N(int64(2 * sc.plan.ttl)))
	sc.oracle.note("nemesis", "", "cuts %s off for %v", p.name, d)
	sc.cut([]*process{p}, nil, d)
	return "process cut off"
}

// injectNode makes one of several nodes unavailable, dead or frozen.
func (sc *schedule) injectNode(r *rand.Rand) string {
	node := sc.nodes.of(r.IntN(sc.nodes.count))
	frozen := r.IntN(2) == 0
	d := time.Duration(r.Int64N(int64(2 * sc.plan.ttl)))
	if !sc.nodes.takeDown(node, frozen) {
		return ""
	}
	sc.oracle.note("nemesis", "", "makes node %s unavailable for %v (frozen: %v)", node, d, frozen)
	sc.later(d, func() { sc.nodes.bringBack(node) })
	if frozen {
		return "node frozen"
	}
	return "node dead"
}

// cut makes the store unreachable for the given processes and producers.
func (sc *schedule) cut(processes []*process, producers []*producer, d time.Duration) {
	processes = append([]*process{}, processes...)
	for _, p := range processes {
		p.faults.Outage(true)
	}
	for _, p := range producers {
		p.cutOff.Store(true)
	}
	sc.later(d, func() {
		for _, p := range processes {
			if !p.isGone() {
				p.faults.Outage(false)
			}
		}
		for _, p := range producers {
			p.cutOff.Store(false)
		}
	})
}

func (sc *schedule) injectBadNetwork(r *rand.Rand) string {
	if sc.badNetwork.Swap(true) {
		return ""
	}
	d := time.Duration(r.Int64N(int64(2 * sc.plan.ttl)))
	sc.oracle.note("nemesis", "", "makes the network bad for %v", d)
	sc.later(d, func() { sc.badNetwork.Store(false) })
	return "" // every failing request is counted
}

// injectBadLink makes replies to reads fail that are larger than a limit: they take too long, or
// the connection is closed. A single entry can be too large, too.
func (sc *schedule) injectBadLink(r *rand.Rand) string {
	p := sc.randomProcess(r)
	if p == nil {
		return ""
	}
	link := splitstest.Link{MaxBytes: 100 << r.IntN(8)}
	if r.IntN(2) == 0 {
		link = splitstest.Link{Rate: 100 << r.IntN(8), Timeout: sc.plan.ttl / 2}
	}
	d := time.Duration(r.Int64N(int64(2 * sc.plan.ttl)))
	sc.oracle.note("nemesis", "", "gives %s a bad link for %v: %+v", p.name, d, link)
	p.faults.SetLink(link)
	sc.later(d, func() { p.faults.SetLink(splitstest.Link{}) })
	return "answers too large for the link"
}
