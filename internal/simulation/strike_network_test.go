package simulation

import (
	"math/rand/v2"
	"time"

	"github.com/rafka-streams/rafka/splits/splitstest"
)

// Misfortune on the way to the store.

func (w *world) strikeOutage(r *rand.Rand) string {
	long := r.IntN(2) == 0
	d := time.Duration(r.Int64N(int64(w.plan.ttl)))
	if long {
		d += w.plan.ttl
	}
	w.oracle.note("nemesis", "", "takes the store away for %v", d)
	w.cut(w.processes, w.producers, d)
	if long {
		return "outage longer than the session"
	}
	return "outage shorter than the session"
}

func (w *world) strikePartition(r *rand.Rand) string {
	p := w.someone(r)
	if p == nil {
		return ""
	}
	d := time.Duration(r.Int64N(int64(2 * w.plan.ttl)))
	w.oracle.note("nemesis", "", "cuts %s off for %v", p.name, d)
	w.cut([]*process{p}, nil, d)
	return "process cut off"
}

// strikeNode takes one node of several away, dead or frozen.
func (w *world) strikeNode(r *rand.Rand) string {
	node := w.nodes.of(r.IntN(w.nodes.count))
	frozen := r.IntN(2) == 0
	d := time.Duration(r.Int64N(int64(2 * w.plan.ttl)))
	if !w.nodes.take(node, frozen) {
		return ""
	}
	w.oracle.note("nemesis", "", "takes node %s away for %v (frozen: %v)", node, d, frozen)
	w.later(d, func() { w.nodes.bringBack(node) })
	if frozen {
		return "node frozen"
	}
	return "node dead"
}

// cut takes the store away from some.
func (w *world) cut(processes []*process, producers []*producer, d time.Duration) {
	processes = append([]*process{}, processes...)
	for _, p := range processes {
		p.faults.Outage(true)
	}
	for _, p := range producers {
		p.away.Store(true)
	}
	w.later(d, func() {
		for _, p := range processes {
			if !p.isGone() {
				p.faults.Outage(false)
			}
		}
		for _, p := range producers {
			p.away.Store(false)
		}
	})
}

func (w *world) strikeStorm(r *rand.Rand) string {
	if w.storm.Swap(true) {
		return ""
	}
	d := time.Duration(r.Int64N(int64(2 * w.plan.ttl)))
	w.oracle.note("nemesis", "", "makes the network bad for %v", d)
	w.later(d, func() { w.storm.Store(false) })
	return "" // each request counts for itself
}

// strikeLink makes answers of reads fail that are larger than some: they take too long, or their
// connection is closed. Single entries may be too large as well.
func (w *world) strikeLink(r *rand.Rand) string {
	p := w.someone(r)
	if p == nil {
		return ""
	}
	link := splitstest.Link{Most: 100 << r.IntN(8)}
	if r.IntN(2) == 0 {
		link = splitstest.Link{Rate: 100 << r.IntN(8), Patience: w.plan.ttl / 2}
	}
	d := time.Duration(r.Int64N(int64(2 * w.plan.ttl)))
	w.oracle.note("nemesis", "", "gives %s a bad link for %v: %+v", p.name, d, link)
	p.faults.SetLink(link)
	w.later(d, func() { p.faults.SetLink(splitstest.Link{}) })
	return "answers too large for the link"
}
