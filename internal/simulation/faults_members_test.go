package simulation

import (
	"math/rand/v2"
	"time"
)

// Faults of members.

func (sc *schedule) randomProcess(r *rand.Rand) *process {
	if len(sc.processes) == 0 {
		return nil
	}
	return sc.processes[r.IntN(len(sc.processes))]
}

func (sc *schedule) injectCrash(r *rand.Rand) string {
	if len(sc.processes) == 0 || sc.plan.gentle && len(sc.processes) == 1 {
		return ""
	}
	p := sc.remove(r)
	held := p.Owned()
	sc.oracle.note("nemesis", "", "kills %s, which holds %d splits", p.name, held)
	sc.kill(p)
	if held == 0 {
		return ""
	}
	return "crash"
}

func (sc *schedule) injectLeave(r *rand.Rand) string {
	if len(sc.processes) < 2 {
		return ""
	}
	p := sc.remove(r)
	sc.oracle.note("nemesis", "", "lets %s leave", p.name)
	p.goOn()
	waitForPipeline := sc.plan.gentle || r.IntN(2) == 0
	sc.exiting.Go(func() { p.leave(waitForPipeline) })
	return "leave"
}

func (sc *schedule) injectJoin(r *rand.Rand) string {
	if len(sc.processes) > sc.plan.members+sc.plan.members/2 {
		return ""
	}
	sc.join()
	return "join"
}

// injectReturn restarts a static member that was killed or has left. Its session may have ended
// meanwhile.
func (sc *schedule) injectReturn(r *rand.Rand) string {
	if !sc.plan.static || len(sc.absent) == 0 {
		return ""
	}
	i := r.IntN(len(sc.absent))
	member := sc.absent[i]
	sc.absent = append(sc.absent[:i], sc.absent[i+1:]...)
	sc.start(member)
	return "static member restarted"
}

// injectTwin starts a static member a second time.
func (sc *schedule) injectTwin(r *rand.Rand) string {
	p := sc.randomProcess(r)
	if p == nil || !sc.plan.static {
		return ""
	}
	sc.start(p.member)
	return "static member duplicated"
}

func (sc *schedule) injectPause(r *rand.Rand) string {
	p := sc.randomProcess(r)
	if p == nil || p.gate() != nil {
		return ""
	}
	long := r.IntN(2) == 0
	d := time.Duration(r.Int64N(int64(sc.plan.ttl)))
	if long {
		d += sc.plan.ttl
	}
	held := p.Owned()
	sc.oracle.note("nemesis", "", "pauses %s for %v", p.name, d)
	p.pause()
	sc.later(d, p.goOn)
	switch {
	case held == 0:
		return ""
	case long:
		return "pause beyond the lease"
	}
	return "pause within the lease"
}

// injectSuspend suspends the machine of a process: its monotonic clock stands still meanwhile.
func (sc *schedule) injectSuspend(r *rand.Rand) string {
	p := sc.randomProcess(r)
	if p == nil || p.gate() != nil || p.clocksUntil.After(time.Now()) {
		return ""
	}
	d := time.Duration(1+r.IntN(4)) * time.Second
	p.clocksUntil = time.Now().Add(d + sc.plan.ttl)
	held := p.Owned()
	sc.oracle.note("nemesis", "", "suspends the machine of %s for %v", p.name, d)
	p.pause()
	sc.later(d, func() {
		p.clock.sleep(d)
		p.goOn()
	})
	if held == 0 {
		return ""
	}
	return "machine suspended"
}

func (sc *schedule) injectWallClock(r *rand.Rand) string {
	p := sc.randomProcess(r)
	d := time.Duration(r.IntN(9)-4) * time.Second
	if p == nil || d == 0 || p.clocksUntil.After(time.Now()) {
		return ""
	}
	p.clocksUntil = time.Now().Add(sc.plan.ttl)
	sc.oracle.note("nemesis", "", "sets the wall clock of %s by %v", p.name, d)
	p.clock.step(d)
	if r.IntN(2) == 0 {
		sc.cut([]*process{p}, nil, 2*sc.plan.ttl)
	}
	return "wall clock of a member"
}
