package simulation

import (
	"math/rand/v2"
	"time"
)

// fault is one kind of fault. inject returns the name under which its effect is counted, "" if it
// had no effect.
type fault struct {
	weight int
	inject func(sc *schedule, r *rand.Rand) string
	// destructive: the store loses data.
	destructive bool
	// gentle: gentle schedules include this fault too.
	gentle bool
}

var faults = []fault{
	{weight: 6, inject: (*schedule).injectCrash, gentle: true},
	{weight: 5, inject: (*schedule).injectLeave, gentle: true},
	{weight: 10, inject: (*schedule).injectJoin, gentle: true},
	{weight: 8, inject: (*schedule).injectPause},
	{weight: 4, inject: (*schedule).injectSuspend},
	{weight: 3, inject: (*schedule).injectOutage},
	{weight: 5, inject: (*schedule).injectPartition},
	{weight: 5, inject: (*schedule).injectNode},
	{weight: 10, inject: (*schedule).injectBadNetwork},
	{weight: 4, inject: (*schedule).injectBadLink},
	{weight: 10, inject: (*schedule).injectReturn, gentle: true},
	{weight: 2, inject: (*schedule).injectTwin},
	{weight: 3, inject: (*schedule).injectStoreClock},
	{weight: 3, inject: (*schedule).injectWallClock},
	{weight: 1, inject: (*schedule).injectGrow, gentle: true},
	{weight: 3, inject: (*schedule).injectSeek},
	{weight: 4, inject: (*schedule).injectSinkOutage, gentle: true},
	{weight: 4, inject: (*schedule).injectLetterFault, gentle: true},
	{weight: 3, inject: (*schedule).injectRollback, destructive: true},
	{weight: 2, inject: (*schedule).injectAdoptionRollback},
	{weight: 1, inject: (*schedule).injectFlush, destructive: true},
	{weight: 3, inject: (*schedule).injectTrim, destructive: true},
	{weight: 3, inject: (*schedule).injectDelete, destructive: true},
	{weight: 1, inject: (*schedule).injectDrop, destructive: true},
	{weight: 2, inject: (*schedule).injectDropLease, destructive: true},
	{weight: 2, inject: (*schedule).injectDropGroup, destructive: true},
}

// nemesis injects faults until the schedule is over.
func (sc *schedule) nemesis() {
	r := sc.rng.of("nemesis").rand()
	var total int
	for _, f := range faults {
		total += f.weight
	}
	for until := time.Now().Add(sc.plan.lasts); time.Now().Before(until) && sc.oracle.failed() == ""; {
		sc.plan.pass(time.Duration(r.ExpFloat64()*float64(sc.plan.pace)), sc.restartDead)
		at := r.IntN(total)
		for _, f := range faults {
			if at -= f.weight; at < 0 {
				if (!f.destructive || sc.plan.destructive) && (f.gentle || !sc.plan.gentle) {
					if what := f.inject(sc, r); what != "" {
						sc.counts.count(what)
					}
				}
				break
			}
		}
	}
}

// later calls do after d, unless the faults are over by then. The end of the schedule joins the
// goroutine.
func (sc *schedule) later(d time.Duration, do func()) {
	sc.exiting.Go(func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			do()
		case <-sc.faultsOver:
		}
	})
}
