package simulation

import (
	"math/rand/v2"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// shareFault is one kind of fault in a schedule with a share group.
type shareFault struct {
	weight              int
	inject              func(sc *shareSchedule, r *rand.Rand) string
	destructive, gentle bool
}

var shareFaults = []shareFault{
	{weight: 8, inject: (*shareSchedule).crash, gentle: true},
	{weight: 6, inject: (*shareSchedule).stop, gentle: true},
	{weight: 12, inject: (*shareSchedule).joinOne, gentle: true},
	{weight: 4, inject: (*shareSchedule).restart, gentle: true},
	{weight: 8, inject: (*shareSchedule).pause},
	{weight: 4, inject: (*shareSchedule).outage},
	{weight: 6, inject: (*shareSchedule).cutOff},
	{weight: 5, inject: (*shareSchedule).node},
	{weight: 10, inject: (*shareSchedule).badNet},
	{weight: 3, inject: (*shareSchedule).storeClock},
	{weight: 2, inject: (*shareSchedule).wallClock},
	{weight: 1, inject: (*shareSchedule).grow, gentle: true},
	{weight: 4, inject: (*shareSchedule).seek},
	{weight: 3, inject: (*shareSchedule).evictMembers},
	{weight: 5, inject: (*shareSchedule).sinkOutage, gentle: true},
	{weight: 5, inject: (*shareSchedule).letterFault, gentle: true},
	{weight: 3, inject: (*shareSchedule).rollBack, destructive: true},
	{weight: 1, inject: (*shareSchedule).flush, destructive: true},
	{weight: 3, inject: (*shareSchedule).trim, destructive: true},
	{weight: 1, inject: (*shareSchedule).drop, destructive: true},
	{weight: 2, inject: (*shareSchedule).destroyGroup, destructive: true},
	{weight: 2, inject: (*shareSchedule).dropMark, destructive: true},
}

// nemesis injects faults until the schedule is over.
func (sc *shareSchedule) nemesis() {
	r := sc.rng.of("nemesis").rand()
	total := 0
	for _, f := range shareFaults {
		total += f.weight
	}
	for until := time.Now().Add(sc.plan.lasts); time.Now().Before(until) && sc.oracle.failed() == ""; {
		sc.plan.pass(time.Duration(r.ExpFloat64()*float64(sc.plan.pace)), sc.restartDead)
		at := r.IntN(total)
		for _, f := range shareFaults {
			if at -= f.weight; at >= 0 {
				continue
			}
			if (!f.destructive || sc.plan.destructive) && (f.gentle || !sc.plan.gentle) {
				if what := f.inject(sc, r); what != "" {
					sc.counts.count("share: " + what)
				}
			}
			break
		}
	}
}

func (sc *shareSchedule) crash(r *rand.Rand) string {
	if len(sc.processes) == 0 || sc.plan.gentle && len(sc.processes) < 3 {
		return ""
	}
	p := sc.remove(r)
	sc.oracle.note("nemesis", "", "kills %s", p.name)
	names := sc.oracle.namesOf(p)
	p.kill()
	sc.exiting.Go(func() { _ = p.Close(p.ctx) })
	// Members that are full of failing entries take no others.
	if sc.plan.gentle && !sc.plan.deadLetters && sc.plan.killers == 0 {
		sc.later(sc.plan.ttl+takeoverBeyond, func() { sc.oracle.checkTakenOver(names) })
	}
	return "crash"
}

// namesOf returns the names of a process whose sessions have not ended.
func (o *shareOracle) namesOf(p *shareProcess) (names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, s := range o.sessions {
		if s.process == p && !s.ended {
			names = append(names, name)
		}
	}
	return names
}

// checkTakenOver checks that nothing is pending at names whose sessions have ended.
func (o *shareOracle) checkTakenOver(names []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.counts.count("(takeover in time)")
	for _, split := range o.store.Splits(topicName) {
		for offset, at := range o.store.Share(groupName, split).Pending {
			for _, name := range names {
				if at == name {
					o.violated(split.Key, "%v is pending at %s a second after the end of its session", offset, name)
				}
			}
		}
	}
}

func (sc *shareSchedule) stop(r *rand.Rand) string {
	if len(sc.processes) < 3 {
		return ""
	}
	p := sc.remove(r)
	sc.oracle.note("nemesis", "", "lets %s leave", p.name)
	p.goOn()
	sc.exiting.Go(p.leave)
	return "leave"
}

func (sc *shareSchedule) joinOne(*rand.Rand) string {
	if len(sc.processes) > sc.plan.members+sc.plan.members/2 {
		return ""
	}
	sc.join()
	return "join"
}

// restart starts a static member again.
func (sc *shareSchedule) restart(r *rand.Rand) string {
	if !sc.plan.static || len(sc.absent) == 0 {
		return ""
	}
	i := r.IntN(len(sc.absent))
	name := sc.absent[i]
	sc.absent = append(sc.absent[:i], sc.absent[i+1:]...)
	sc.start(name)
	return "static member restarted"
}

func (sc *shareSchedule) pause(r *rand.Rand) string {
	p := sc.randomProcess(r)
	if p == nil || p.gate() != nil {
		return ""
	}
	d := time.Duration(r.Int64N(int64(2 * sc.plan.ttl)))
	sc.oracle.note("nemesis", "", "pauses %s for %v", p.name, d)
	p.pause()
	sc.later(d, p.goOn)
	return "pause"
}

func (sc *shareSchedule) outage(r *rand.Rand) string {
	d := time.Duration(r.Int64N(int64(2 * sc.plan.ttl)))
	sc.oracle.note("nemesis", "", "makes the store unavailable for %v", d)
	sc.cut(sc.processes, d)
	return "outage"
}

func (sc *shareSchedule) cutOff(r *rand.Rand) string {
	p := sc.randomProcess(r)
	if p == nil {
		return ""
	}
	d := time.Duration(r.Int64N(int64(2 * sc.plan.ttl)))
	sc.oracle.note("nemesis", "", "cuts %s off for %v", p.name, d)
	sc.cut([]*shareProcess{p}, d)
	return "process cut off"
}

// cut makes the store unreachable for processes.
func (sc *shareSchedule) cut(processes []*shareProcess, d time.Duration) {
	processes = append([]*shareProcess{}, processes...)
	for _, p := range processes {
		p.faults.Outage(true)
	}
	sc.later(d, func() {
		for _, p := range processes {
			if !p.isGone() {
				p.faults.Outage(false)
			}
		}
	})
}

func (sc *shareSchedule) node(r *rand.Rand) string {
	node := sc.nodes.of(r.IntN(sc.nodes.count))
	d := time.Duration(r.Int64N(int64(2 * sc.plan.ttl)))
	if !sc.nodes.takeDown(node, r.IntN(2) == 0) {
		return ""
	}
	sc.oracle.note("nemesis", "", "makes node %s unavailable for %v", node, d)
	sc.later(d, func() { sc.nodes.bringBack(node) })
	return "node"
}

func (sc *shareSchedule) badNet(r *rand.Rand) string {
	if sc.badNetwork.Swap(true) {
		return ""
	}
	d := time.Duration(r.Int64N(int64(2 * sc.plan.ttl)))
	sc.oracle.note("nemesis", "", "makes the network bad for %v", d)
	sc.later(d, func() { sc.badNetwork.Store(false) })
	return "" // every failing request is counted
}

// storeClock sets the clock of the store. A clock that goes back could give the offsets of lost
// entries to other entries, so that is not combined with losses.
func (sc *shareSchedule) storeClock(r *rand.Rand) string {
	d := time.Duration(r.Int64N(int64(4*sc.plan.ttl))) - 2*sc.plan.ttl
	if d < 0 && sc.plan.destructive {
		d = -d
	}
	sc.oracle.mu.Lock()
	defer sc.oracle.mu.Unlock()
	sc.oracle.note("nemesis", "", "sets the clock of the store by %v", d)
	sc.store.StepClock(d)
	sc.oracle.book.clockAhead += max(0, d)
	sc.oracle.graceUntil = time.Now().Add(sc.plan.ttl)
	return "clock of the store"
}

func (sc *shareSchedule) wallClock(r *rand.Rand) string {
	p := sc.randomProcess(r)
	d := time.Duration(r.IntN(9)-4) * time.Second
	if p == nil || d == 0 || p.clocksUntil.After(time.Now()) {
		return ""
	}
	p.clocksUntil = time.Now().Add(sc.plan.ttl)
	sc.oracle.note("nemesis", "", "sets the wall clock of %s by %v", p.name, d)
	p.clock.step(d)
	return "wall clock of a member"
}

func (sc *shareSchedule) grow(r *rand.Rand) string {
	sc.partitions = min(sc.partitions+1+r.IntN(3), sc.plan.partitions+8)
	sc.oracle.mu.Lock()
	defer sc.oracle.mu.Unlock()
	sc.store.SetPartitions(topicName, sc.partitions)
	return "partitions grown"
}

// seek moves the group in one split.
func (sc *shareSchedule) seek(r *rand.Rand) string {
	split := sc.randomSplit(r)
	o := sc.oracle
	o.mu.Lock()
	defer o.mu.Unlock()
	entries := sc.store.Entries(split)
	if len(entries) == 0 {
		return ""
	}
	to := entries[r.IntN(len(entries))].Offset
	if r.IntN(3) == 0 {
		to = splits.Offset{}
	}
	o.note("nemesis", split.Key, "moves the group to %v", to)
	sc.store.SeekShare(groupName, split, to)
	o.sought[split.Key] = time.Now()
	o.forgetDeaths(split.Key)
	for _, rec := range o.at[split.Key] {
		rec.skipped = rec.offset.Compare(to) <= 0
		rec.ever = rec.ever || rec.skipped // a rollback can take back a later move
		rec.processed, rec.lettered, rec.letterNoted = false, false, false
		clear(rec.by)
		o.book.forget(rec.id)
	}
	return "seek"
}
