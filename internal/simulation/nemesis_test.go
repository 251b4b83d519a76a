package simulation

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// strike is one kind of misfortune. It reports what took effect, "" if nothing did.
type strike struct {
	weight int
	does   func(w *world, r *rand.Rand) string
	// destructive: the store loses something.
	destructive bool
	// gentle: it belongs to gentle schedules too.
	gentle bool
}

var strikes = []strike{
	{weight: 6, does: (*world).strikeCrash, gentle: true},
	{weight: 5, does: (*world).strikeLeave, gentle: true},
	{weight: 10, does: (*world).strikeJoin, gentle: true},
	{weight: 8, does: (*world).strikePause},
	{weight: 3, does: (*world).strikeOutage},
	{weight: 5, does: (*world).strikePartition},
	{weight: 5, does: (*world).strikeNode},
	{weight: 10, does: (*world).strikeStorm},
	{weight: 10, does: (*world).strikeReturn, gentle: true},
	{weight: 2, does: (*world).strikeTwin},
	{weight: 3, does: (*world).strikeStoreClock},
	{weight: 3, does: (*world).strikeWallClock},
	{weight: 1, does: (*world).strikeGrow, gentle: true},
	{weight: 3, does: (*world).strikeRollback, destructive: true},
	{weight: 1, does: (*world).strikeFlush, destructive: true},
	{weight: 3, does: (*world).strikeTrim, destructive: true},
	{weight: 3, does: (*world).strikeDelete, destructive: true},
	{weight: 1, does: (*world).strikeDrop, destructive: true},
	{weight: 2, does: (*world).strikeDropLease, destructive: true},
	{weight: 2, does: (*world).strikeDropGroup, destructive: true},
}

// nemesis strikes until the schedule is over.
func (w *world) nemesis() {
	r := w.luck.of("nemesis").rand()
	var total int
	for _, s := range strikes {
		total += s.weight
	}
	for until := time.Now().Add(w.plan.lasts); time.Now().Before(until) && w.oracle.failed() == ""; {
		time.Sleep(time.Duration(r.ExpFloat64() * float64(w.plan.pace)))
		at := r.IntN(total)
		for _, s := range strikes {
			if at -= s.weight; at < 0 {
				if (!s.destructive || w.plan.destructive) && (s.gentle || !w.plan.gentle) {
					if what := s.does(w, r); what != "" {
						w.tally.hit(what)
					}
				}
				break
			}
		}
	}
}

// later does something after a while, unless the nemesis has gone home by then. The end of the schedule joins it.
func (w *world) later(d time.Duration, do func()) {
	w.dying.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			do()
		case <-w.written:
		}
	})
}

func (w *world) someone(r *rand.Rand) *process {
	if len(w.processes) == 0 {
		return nil
	}
	return w.processes[r.IntN(len(w.processes))]
}

func (w *world) strikeCrash(r *rand.Rand) string {
	if len(w.processes) == 0 || w.plan.gentle && len(w.processes) == 1 {
		return ""
	}
	p := w.remove(r)
	held := p.Owned()
	w.oracle.note("nemesis", "", "kills %s, which holds %d splits", p.name, held)
	w.kill(p)
	if held == 0 {
		return ""
	}
	return "crash"
}

func (w *world) strikeLeave(r *rand.Rand) string {
	if len(w.processes) < 2 {
		return ""
	}
	p := w.remove(r)
	w.oracle.note("nemesis", "", "lets %s leave", p.name)
	p.goOn()
	w.dying.Go(p.leave)
	return "leave"
}

func (w *world) strikeJoin(r *rand.Rand) string {
	if len(w.processes) > w.plan.members+w.plan.members/2 {
		return ""
	}
	w.join()
	return "join"
}

// strikeReturn starts a static member again that was killed or has left; its session may have ended since or not.
func (w *world) strikeReturn(r *rand.Rand) string {
	if !w.plan.static || len(w.absent) == 0 {
		return ""
	}
	i := r.IntN(len(w.absent))
	member := w.absent[i]
	w.absent = append(w.absent[:i], w.absent[i+1:]...)
	w.start(member)
	return "static member comes back"
}

// strikeTwin starts a static member a second time.
func (w *world) strikeTwin(r *rand.Rand) string {
	p := w.someone(r)
	if p == nil || !w.plan.static {
		return ""
	}
	w.start(p.member)
	return "static member twice"
}

func (w *world) strikePause(r *rand.Rand) string {
	p := w.someone(r)
	if p == nil || p.gate() != nil {
		return ""
	}
	long := r.IntN(2) == 0
	d := time.Duration(r.Int64N(int64(w.plan.ttl)))
	if long {
		d += w.plan.ttl
	}
	held := p.Owned()
	w.oracle.note("nemesis", "", "pauses %s for %v", p.name, d)
	p.pause()
	w.later(d, p.goOn)
	switch {
	case held == 0:
		return ""
	case long:
		return "pause beyond the lease"
	}
	return "pause within the lease"
}

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

func (w *world) strikeStoreClock(r *rand.Rand) string {
	d := time.Duration(r.Int64N(int64(4*w.plan.ttl))) - 2*w.plan.ttl
	w.oracle.mu.Lock()
	defer w.oracle.mu.Unlock()
	w.oracle.note("nemesis", "", "sets the clock of the store by %v", d)
	w.store.StepClock(d)
	if d > 0 {
		w.oracle.shaken()
		return "clock of the store forward"
	}
	w.oracle.clockWentBack = true
	return "clock of the store back"
}

func (w *world) strikeWallClock(r *rand.Rand) string {
	p := w.someone(r)
	if p == nil {
		return ""
	}
	d := time.Duration(r.IntN(9)-4) * time.Second
	if d == 0 {
		return ""
	}
	w.oracle.note("nemesis", "", "sets the wall clock of %s by %v", p.name, d)
	p.clock.step(d)
	return "wall clock of a member"
}

func (w *world) strikeGrow(r *rand.Rand) string {
	if w.most >= w.plan.partitions+8 {
		return ""
	}
	w.most += 1 + r.IntN(3)
	w.oracle.mu.Lock()
	defer w.oracle.mu.Unlock()
	w.oracle.note("nemesis", "", "adds partitions: %d", w.most)
	w.store.SetPartitions(topicName, w.most)
	return "partitions grown"
}

// damage changes the store in a way that loses something, and has the oracle look at what is left of the splits that were struck, none given
// means all. Nobody is to be blamed for a while.
func (w *world) damage(what string, do func(), struck ...splits.Split) {
	w.oracle.mu.Lock()
	defer w.oracle.mu.Unlock()
	w.oracle.note("nemesis", "", "%s", what)
	do()
	w.oracle.damaged = true
	w.oracle.shaken()
	if len(struck) == 0 {
		for _, p := range w.oracle.parts {
			struck = append(struck, p.split)
		}
	}
	for _, s := range struck {
		w.oracle.resync(s)
	}
}

func (w *world) split(r *rand.Rand) splits.Split {
	all := w.store.Splits(topicName)
	return all[r.IntN(len(all))]
}

func (w *world) strikeRollback(r *rand.Rand) string {
	all := w.store.Splits(topicName)
	snapshot := w.store.Snapshot()
	branch := w.branch.Load()
	some := all
	if r.IntN(2) == 0 {
		some = []splits.Split{all[r.IntN(len(all))]}
	}
	topic, partitions := r.IntN(2) == 0, r.IntN(3) > 0
	w.later(time.Duration(r.Int64N(int64(w.plan.ttl))), func() {
		if !w.branch.CompareAndSwap(branch, branch+1) {
			return // a replica follows its master: it doesn't go back to what another one has thrown away
		}
		w.damage(fmt.Sprintf("rolls back (topic: %v, partitions: %v)", topic, partitions), func() {
			if topic || !partitions {
				w.store.RestoreTopic(snapshot, topicName)
			}
			if partitions {
				for _, s := range some {
					w.store.RestoreSplit(snapshot, s)
				}
			}
		})
	})
	switch {
	case topic && partitions:
		return "rollback of both shards"
	case partitions:
		return "rollback of partitions"
	}
	return "rollback of the topic"
}

func (w *world) strikeFlush(r *rand.Rand) string {
	w.branch.Add(1)
	w.damage("flushes the store", w.store.FlushAll)
	// An output writes the metadata back when it looks at the topic again.
	n := w.most
	w.later(time.Duration(r.Int64N(int64(w.plan.ttl))), func() { w.store.SetPartitions(topicName, n) })
	return "flush"
}

func (w *world) strikeTrim(r *rand.Rand) string {
	s := w.split(r)
	n := len(w.store.Entries(s))
	if n == 0 {
		return ""
	}
	keep := r.IntN(n)
	w.damage(fmt.Sprintf("trims %s to %d of %d", s.Key, keep, n), func() { w.store.TrimTo(s, keep) }, s)
	return "trim"
}

func (w *world) strikeDelete(r *rand.Rand) string {
	s := w.split(r)
	entries := w.store.Entries(s)
	if len(entries) == 0 {
		return ""
	}
	offset := entries[r.IntN(len(entries))].Offset
	w.damage(fmt.Sprintf("deletes %v of %s", offset, s.Key), func() { w.store.Delete(s, offset) }, s)
	return "deleted entry"
}

func (w *world) strikeDrop(r *rand.Rand) string {
	s := w.split(r)
	if len(w.store.Entries(s)) == 0 {
		return ""
	}
	w.branch.Add(1)
	w.damage("drops the stream "+s.Key, func() { w.store.Drop(s) }, s)
	return "stream dropped"
}

func (w *world) strikeDropGroup(*rand.Rand) string {
	if w.plan.latest {
		return "" // a group that is not known any more is made anew, and begins at the latest entry if it is made by a newcomer
	}
	w.damage("drops the group", func() { w.store.DropGroup(topicName, groupName) })
	return "group dropped"
}

func (w *world) strikeDropLease(r *rand.Rand) string {
	if w.plan.latest {
		return "" // without its position, and by who never had it, a split is begun at the latest entry
	}
	s := w.split(r)
	w.damage("drops the lease of "+s.Key, func() { w.store.DropLease(groupName, s) }, s)
	return "lease dropped"
}
