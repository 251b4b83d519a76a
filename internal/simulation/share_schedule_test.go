package simulation

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// shareSchedule is one schedule with a share group while it runs.
type shareSchedule struct {
	rng        rng
	plan       plan
	store      *splitstest.Store
	oracle     *shareOracle
	counts     *counts
	badNetwork atomic.Bool
	nodes      *nodes
	unblock    chan struct{} // closed when blocked pipelines continue
	faultsOver chan struct{} // closed when the nemesis stops; producers stop then, too
	letters    *letterBox

	partitions int // the number that the topic has
	processes  []*shareProcess
	finished   []*shareProcess
	absent     []string
	started    int
	extra      int            // records that were written after the last fault
	exiting    sync.WaitGroup // goroutines of processes that ended
	writing    sync.WaitGroup
}

// ofShareGroup reports whether the schedule of a seed has a share group.
func ofShareGroup(l rng) bool { return l.of("group type").chance() < 0.25 }

// newSharePlan draws a plan for a share group.
func newSharePlan(l rng) plan {
	p := newPlan(l)
	r := l.of("share plan").rand()
	p.partitions = 1 + r.IntN(12)
	p.gentle = r.IntN(4) == 0
	p.failRate = 0.05 + 0.3*r.Float64()
	p.destructive = r.IntN(2) == 0
	if p.gentle {
		p.destructive, p.failRate = false, 0
	}
	p.latest, p.skipNacked, p.failOnLoss = false, false, false
	p.addLetters(l.of("dead letters").rand())
	return p
}

// playShare runs the schedule of a seed with a share group.
func playShare(seed uint64) report {
	l := rng{seed}
	p := newSharePlan(l)
	h := &history{began: time.Now()}
	store, counts := splitstest.NewStore(), newCounts()
	sc := &shareSchedule{
		rng:    l,
		plan:   p,
		store:  store,
		oracle: newShareOracle(h, store, p, counts),
		counts: counts,
		nodes: newNodes(
			p.shards,
		),
		unblock:    make(chan struct{}),
		faultsOver: make(chan struct{}),
		letters:    newLetterBox(counts),
		partitions: p.partitions,
	}
	store.SetPartitions(topicName, p.partitions)
	for i := range p.producers {
		sc.writing.Go(func() { sc.produce(i) })
	}
	for range p.members {
		sc.join()
	}
	sc.nemesis()
	sc.heal()
	sc.awaitRecovery()
	sc.end()
	r := report{
		Seed:       seed,
		Share:      true,
		Members:    p.members,
		Partitions: p.partitions,
		Faults:     counts.faults(),
		Counts:     counts.byKind,
		Violation:  h.failed(),
	}
	if r.Violation != "" {
		r.Plan = "{share group " + fmt.Sprintf("%+v", p)[1:]
	}
	return r
}

// produce writes until the faults are over.
func (sc *shareSchedule) produce(producer int) {
	r := sc.rng.of("producer").nth(producer).rand()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; {
		select {
		case <-sc.faultsOver:
			return
		case <-timer.C:
		}
		of := sc.store.Splits(topicName)
		split := of[r.IntN(len(of))]
		for range 1 + r.IntN(10) {
			sc.oracle.append(shareRecord{
				id: fmt.Sprintf("p%d/%d", producer, n), split: split,
				unfit: sc.plan.deadLetters && r.IntN(60) == 0, killer: sc.oracle.drawKiller(r),
			})
			n++
		}
		timer.Reset(time.Duration(r.IntN(int(2 * sc.plan.produceEvery))))
	}
}

// join starts a new member.
func (sc *shareSchedule) join() { sc.start(fmt.Sprint("m", sc.started+1)) }

func (sc *shareSchedule) start(name string) {
	sc.started++
	p := sc.newProcess(name)
	sc.oracle.note(p.name, "", "joins")
	sc.processes = append(sc.processes, p)
	p.Start()
	sc.exiting.Go(p.run)
}

// remove takes a random process off the list of live processes.
func (sc *shareSchedule) remove(r *rand.Rand) *shareProcess {
	i := r.IntN(len(sc.processes))
	p := sc.processes[i]
	sc.absent = append(sc.absent, p.name)
	sc.processes = append(sc.processes[:i], sc.processes[i+1:]...)
	sc.finished = append(sc.finished, p)
	return p
}

// heal ends all faults.
func (sc *shareSchedule) heal() {
	sc.oracle.note("nemesis", "", "stops injecting faults")
	sc.restartDead()
	sc.badNetwork.Store(false)
	sc.nodes.bringAllBack()
	sc.letters.heal()
	for _, p := range sc.processes {
		p.goOn()
		p.sinkUp()
		p.faults.Outage(p.isGone())
	}
	sc.oracle.mu.Lock()
	sc.store.SetPartitions(topicName, sc.partitions)
	sc.oracle.mu.Unlock()
	close(sc.unblock)
	close(sc.faultsOver)
	sc.writing.Wait()
	if len(sc.processes) == 0 {
		sc.join()
	}
}

// awaitRecovery waits until everything was processed and acknowledged, and reports a violation if
// that takes too long. Without letters, that is first everything except the records that kill.
func (sc *shareSchedule) awaitRecovery() {
	for _, p := range append(append([]*shareProcess{}, sc.finished...), sc.processes...) {
		p.faults.Wait() // late requests
	}
	// An audit or a look that was just made has to come again.
	limit := 6*sc.plan.ttl + 10*longestBackoff + 3*sc.plan.ttl
	if sc.plan.deadLetters {
		limit += untilGivenUp
	}
	limit += sc.plan.untilFound()
	sc.recoverWithin(limit)
	if sc.plan.killers > 0 && !sc.plan.deadLetters {
		sc.plan.pass(time.Duration(sc.rng.of("cure").chance()*float64(8*sc.plan.ttl)), sc.restartDead)
		sc.oracle.cure()
		sc.recoverWithin(limit + untilHandedOut)
	}
}

// recoverWithin waits until everything was processed and acknowledged. The backlog has to shrink
// within the limit.
func (sc *shareSchedule) recoverWithin(limit time.Duration) {
	shrank, before := time.Now(), 0
	for sc.oracle.failed() == "" {
		sc.restartDead()
		missing, split, done := sc.oracle.unfinished()
		if missing == "" {
			return
		}
		if done > before {
			shrank, before = time.Now(), done
		}
		sc.writeExtra(split, time.Since(shrank))
		if time.Since(shrank) > limit {
			sc.oracle.violated(split, "not recovered %v after the last fault: %s", limit, missing)
		}
		time.Sleep(sc.plan.ttl / 7)
	}
}

// end stops everything.
func (sc *shareSchedule) end() {
	sc.oracle.cure()
	for _, p := range sc.processes {
		sc.exiting.Go(p.leave)
	}
	sc.exiting.Wait()
	for _, p := range append(sc.finished, sc.processes...) {
		p.end()
		p.pipeline.Wait()
		p.faults.Wait()
	}
}

// later calls do after d, unless the faults are over by then.
func (sc *shareSchedule) later(d time.Duration, do func()) {
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

// damage calls do, which removes data from the store or brings it back.
func (sc *shareSchedule) damage(what string, do func()) string {
	sc.oracle.mu.Lock()
	defer sc.oracle.mu.Unlock()
	sc.oracle.note("nemesis", "", "%s", what)
	do()
	sc.oracle.resync()
	return what
}

func (sc *shareSchedule) randomSplit(r *rand.Rand) splits.Split {
	of := sc.store.Splits(topicName)
	return of[r.IntN(len(of))]
}

func (sc *shareSchedule) randomProcess(r *rand.Rand) *shareProcess {
	if len(sc.processes) == 0 {
		return nil
	}
	return sc.processes[r.IntN(len(sc.processes))]
}
