package simulation

import (
	"math/rand/v2"
	"time"
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
	{weight: 4, does: (*world).strikeSuspend},
	{weight: 3, does: (*world).strikeOutage},
	{weight: 5, does: (*world).strikePartition},
	{weight: 5, does: (*world).strikeNode},
	{weight: 10, does: (*world).strikeStorm},
	{weight: 4, does: (*world).strikeLink},
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

// later does something after a while, unless the nemesis has gone home by then. The end of the
// schedule joins it.
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

// means all. Nobody is to be blamed for a while.
