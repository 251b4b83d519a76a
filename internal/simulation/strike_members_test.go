package simulation

import (
	"math/rand/v2"
	"time"
)

// Misfortune that befalls members.

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
	patient := w.plan.gentle || r.IntN(2) == 0
	w.dying.Go(func() { p.leave(patient) })
	return "leave"
}

func (w *world) strikeJoin(r *rand.Rand) string {
	if len(w.processes) > w.plan.members+w.plan.members/2 {
		return ""
	}
	w.join()
	return "join"
}

// strikeReturn starts a static member again that was killed or has left; its session may have ended
// since or not.
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

// strikeSuspend has the machine of a process sleep: its monotonic clock does not notice.
func (w *world) strikeSuspend(r *rand.Rand) string {
	p := w.someone(r)
	if p == nil || p.gate() != nil || p.disturbed.After(time.Now()) {
		return ""
	}
	d := time.Duration(1+r.IntN(4)) * time.Second
	p.disturbed = time.Now().Add(d + w.plan.ttl)
	held := p.Owned()
	w.oracle.note("nemesis", "", "suspends the machine of %s for %v", p.name, d)
	p.pause()
	w.later(d, func() {
		p.clock.sleep(d)
		p.goOn()
	})
	if held == 0 {
		return ""
	}
	return "machine suspended"
}

func (w *world) strikeWallClock(r *rand.Rand) string {
	p := w.someone(r)
	d := time.Duration(r.IntN(9)-4) * time.Second
	if p == nil || d == 0 || p.disturbed.After(time.Now()) {
		return ""
	}
	p.disturbed = time.Now().Add(w.plan.ttl)
	w.oracle.note("nemesis", "", "sets the wall clock of %s by %v", p.name, d)
	p.clock.step(d)
	if r.IntN(2) == 0 {
		w.cut([]*process{p}, nil, 2*w.plan.ttl)
	}
	return "wall clock of a member"
}
