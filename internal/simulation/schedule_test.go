package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// schedule is one schedule while it runs.
type schedule struct {
	rng        rng
	plan       plan
	store      *splitstest.Store
	oracle     *oracle
	counts     *counts
	badNetwork atomic.Bool
	nodes      *nodes
	unblock    chan struct{} // closed when blocked pipelines continue
	letters    *letterBox

	processes     []*process // the live ones
	absent        []string   // members that were removed
	started       int
	branch        atomic.Int64   // changes when the store loses data that a snapshot may hold
	maxPartitions int            // the highest number of partitions that the topic ever had
	extra         int            // records that were written after the last fault
	exiting       sync.WaitGroup // goroutines of processes that ended
	finished      []*process     // all that ended
	producers     []*producer
	writing       sync.WaitGroup
	faultsOver    chan struct{} // closed when the nemesis stops; producers stop then, too
}

// play runs the schedule of a seed.
func play(seed uint64) report {
	l := rng{seed}
	if ofShareGroup(l) {
		return playShare(seed)
	}
	p := newPlan(l)
	h := &history{began: time.Now()}
	store := splitstest.NewStore()
	counts := newCounts()
	sc := &schedule{
		rng:        l,
		plan:       p,
		store:      store,
		oracle:     newOracle(h, store, p, counts),
		counts:     counts,
		nodes:      newNodes(p.shards),
		unblock:    make(chan struct{}),
		letters:    newLetterBox(counts),
		faultsOver: make(chan struct{}),
	}
	sc.maxPartitions = p.partitions
	store.SetPartitions(topicName, sc.maxPartitions)
	if p.adopts {
		sc.addForeignGroups()
	}
	sc.begin()
	sc.nemesis()
	sc.heal()
	sc.awaitRecovery()
	sc.end()
	r := report{
		Seed:       seed,
		Members:    p.members,
		Partitions: p.partitions,
		Faults:     counts.faults(),
		Counts:     counts.byKind,
		Violation:  h.failed(),
	}
	if r.Violation != "" {
		r.Plan = fmt.Sprintf("%+v", p)
	}
	return r
}

func (sc *schedule) begin() {
	for i := range sc.plan.producers {
		p := sc.newProducer(fmt.Sprint("p", i))
		sc.producers = append(sc.producers, p)
		p.Start()
		sc.writing.Go(func() { sc.produce(p) })
	}
	for range sc.plan.members {
		sc.join()
	}
}

// produce writes until the faults are over.
func (sc *schedule) produce(p *producer) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-sc.faultsOver:
			return
		case <-timer.C:
		}
		p.write()
		timer.Reset(time.Duration(p.rand.IntN(int(2 * sc.plan.produceEvery))))
	}
}

// join starts a new member.
func (sc *schedule) join() { sc.start(fmt.Sprint("m", sc.started+1)) }

// start starts a process for a member.
func (sc *schedule) start(member string) {
	sc.started++
	p := sc.newProcess(member, uint64(sc.started))
	sc.oracle.note(p.name, "", "joins")
	sc.processes = append(sc.processes, p)
	p.Start()
	sc.exiting.Go(p.run)
}

// remove takes a random process off the list of live processes.
func (sc *schedule) remove(r *rand.Rand) *process {
	i := r.IntN(len(sc.processes))
	p := sc.processes[i]
	sc.absent = append(sc.absent, p.member)
	sc.processes = append(sc.processes[:i], sc.processes[i+1:]...)
	sc.finished = append(sc.finished, p)
	return p
}

// kill ends a process immediately. Its goroutines end without touching the store.
func (sc *schedule) kill(p *process) {
	p.kill()
	sc.exiting.Go(func() { _ = p.Close(p.ctx) })
}

// heal ends all faults.
func (sc *schedule) heal() {
	sc.oracle.note("nemesis", "", "stops injecting faults")
	sc.restartDead()
	sc.badNetwork.Store(false)
	sc.nodes.bringAllBack()
	sc.letters.heal()
	for _, p := range sc.processes {
		p.goOn()
		p.sinkUp()
		p.faults.Outage(p.isGone())
		p.faults.SetLink(splitstest.Link{})
	}
	for _, p := range sc.producers {
		p.cutOff.Store(false)
	}
	sc.store.SetPartitions(topicName, sc.maxPartitions)
	close(sc.unblock)
	close(sc.faultsOver)
	sc.writing.Wait()
	if len(sc.processes) == 0 {
		sc.join()
	}
}

// owners returns the processes that should own leases, by name: the latest incarnation of every
// static member.
func (sc *schedule) owners() map[string]*process {
	latest := map[string]*process{}
	for _, p := range sc.processes {
		if before := latest[p.member]; before == nil || splits.Supersedes(p.name, before.name) {
			latest[p.member] = p
		}
	}
	live := map[string]*process{}
	for _, p := range latest {
		live[p.name] = p
	}
	return live
}

// awaitRecovery waits until everything is in order, and reports a violation if that takes too long.
// Without letters, that is first everything that does not wait for a record that kills.
func (sc *schedule) awaitRecovery() {
	for _, p := range sc.producers {
		p.results.Wait()
		p.late.Wait()
		p.losses.check()
	}
	for _, p := range slices.Concat(sc.finished, sc.processes) {
		p.faults.Wait() // late requests
	}
	time.Sleep(sc.plan.ttl / 2) // an owner whose lease a late request claimed again notices that at its next renewal
	sc.recoverWithin(sc.plan.recoverWithin())
	if sc.plan.killers > 0 && !sc.plan.deadLetters {
		sc.plan.pass(time.Duration(sc.rng.of("cure").chance()*float64(8*sc.plan.ttl)), sc.restartDead)
		sc.oracle.cure()
		sc.recoverWithin(sc.plan.recoverWithin() + untilHandedOut)
	}
}

// recoverWithin waits until everything is in order. Pipelines may be slower than the producers were,
// so the backlog only has to shrink within the limit.
func (sc *schedule) recoverWithin(limit time.Duration) {
	began := time.Now()
	shrank, before := began, 0
	for sc.oracle.failed() == "" {
		sc.restartDead()
		missing, split := sc.oracle.misowned(sc.owners())
		since := began
		if missing == "" || sc.plan.killers > 0 { // splits change their owners when processes die
			left, at, done := sc.oracle.backlog()
			if done > before {
				shrank, before = time.Now(), done
			}
			if since = shrank; missing == "" {
				missing, split = left, at
			}
		}
		if missing == "" {
			return
		}
		sc.writeExtra(split, time.Since(shrank))
		if time.Since(since) > limit {
			sc.oracle.violated(split, "not recovered %v after the last fault: %s", limit, missing)
		}
		time.Sleep(sc.plan.ttl / 7)
	}
}

// end stops everything.
func (sc *schedule) end() {
	sc.oracle.cure()
	for _, p := range sc.processes {
		sc.exiting.Go(func() { p.leave(true) })
	}
	for _, p := range sc.producers {
		_ = p.Close(context.Background())
		p.results.Wait()
		p.late.Wait()
	}
	sc.exiting.Wait()
	for _, p := range append(sc.finished, sc.processes...) {
		p.end()
		p.pipeline.Wait()
		p.faults.Wait()
	}
	if sc.oracle.failed() == "" {
		sc.oracle.checkClean(sc.processes)
	}
}
