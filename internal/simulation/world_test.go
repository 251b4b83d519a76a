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

// world is one schedule while it is played.
type world struct {
	luck   luck
	plan   plan
	store  *splitstest.Store
	oracle *oracle
	tally  *tally
	storm  atomic.Bool
	nodes  *nodes
	stuck  chan struct{} // closed when pipelines need not be stuck any more

	processes []*process // those that live
	absent    []string   // members that were removed
	born      int
	branch    atomic.Int64   // changes whenever the store loses what a snapshot may have
	most      int            // partitions that the topic ever had
	dying     sync.WaitGroup // what processes that are gone still have running
	finished  []*process     // all that are gone
	producers []*producer
	writing   sync.WaitGroup
	written   chan struct{} // closed when producers are to stop
}

// play plays the schedule of a seed.
func play(seed uint64) report {
	l := luck{seed}
	p := newPlan(l)
	h := &history{began: time.Now()}
	store := splitstest.NewStore()
	tally := newTally()
	w := &world{
		luck: l, plan: p, store: store, oracle: newOracle(h, store, p, tally), tally: tally, nodes: newNodes(p.shards),
		stuck: make(chan struct{}), written: make(chan struct{}),
	}
	w.most = p.partitions
	store.SetPartitions(topicName, w.most)
	w.begin()
	w.nemesis()
	w.heal()
	w.settle()
	w.end()
	r := report{
		Seed:       seed,
		Members:    p.members,
		Partitions: p.partitions,
		Faults:     tally.sum(),
		Tally:      tally.counts,
		Violation:  h.failed(),
	}
	if r.Violation != "" {
		r.Plan = fmt.Sprintf("%+v", p)
	}
	return r
}

func (w *world) begin() {
	for i := range w.plan.producers {
		p := w.newProducer(fmt.Sprint("p", i))
		w.producers = append(w.producers, p)
		p.Start()
		w.writing.Go(func() { w.produce(p) })
	}
	for range w.plan.members {
		w.join()
	}
}

// produce writes until it is told to stop.
func (w *world) produce(p *producer) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-w.written:
			return
		case <-timer.C:
		}
		p.write()
		timer.Reset(time.Duration(p.rand.IntN(int(2 * w.plan.produceEvery))))
	}
}

// join starts a new member.
func (w *world) join() { w.start(fmt.Sprint("m", w.born+1)) }

// start starts a process that is to be a member.
func (w *world) start(member string) {
	w.born++
	p := w.newProcess(member, uint64(w.born))
	w.oracle.note(p.name, "", "joins")
	w.processes = append(w.processes, p)
	p.Start()
	w.dying.Go(p.run)
}

// remove takes one process off the living.
func (w *world) remove(r *rand.Rand) *process {
	i := r.IntN(len(w.processes))
	p := w.processes[i]
	w.absent = append(w.absent, p.member)
	w.processes = append(w.processes[:i], w.processes[i+1:]...)
	w.finished = append(w.finished, p)
	return p
}

// kill ends a process at once. Its goroutines end without touching the store.
func (w *world) kill(p *process) {
	p.kill()
	w.dying.Go(func() { _ = p.Close(p.ctx) })
}

// heal ends all misfortune.
func (w *world) heal() {
	w.oracle.note("nemesis", "", "goes home")
	w.storm.Store(false)
	w.nodes.bringAllBack()
	for _, p := range w.processes {
		p.goOn()
		p.faults.Outage(false)
		p.faults.SetLink(splitstest.Link{})
	}
	for _, p := range w.producers {
		p.away.Store(false)
	}
	w.store.SetPartitions(topicName, w.most)
	close(w.stuck)
	close(w.written)
	w.writing.Wait()
	if len(w.processes) == 0 {
		w.join()
	}
}

// owners are those who are to own leases, by name: of several incarnations of a static member the
// latest.
func (w *world) owners() map[string]*process {
	latest := map[string]*process{}
	for _, p := range w.processes {
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

// settle waits until everything is in order, and judges how long that takes.
func (w *world) settle() {
	live := w.owners()
	for _, p := range w.producers {
		p.results.Wait()
		p.late.Wait()
		p.losses.judge()
	}
	for _, p := range slices.Concat(w.finished, w.processes) {
		p.faults.Wait() // requests that are late
	}
	time.Sleep(w.plan.ttl / 2) // whose lease was claimed anew by one of those sees it by its next renewal
	began := time.Now()
	// the backlog: pipelines may be slower than producers were, so it has to shrink, that is all
	shrank, before := began, 0
	for w.oracle.failed() == "" {
		since := began
		missing, split := w.oracle.misowned(live)
		if missing == "" {
			var done int
			if missing, split, done = w.oracle.backlog(); done > before {
				shrank, before = time.Now(), done
			}
			since = shrank
		}
		if missing == "" {
			return
		}
		if time.Since(since) > w.plan.settleWithin() {
			w.oracle.violated(split, "not in order %v after the last misfortune: %s", w.plan.settleWithin(), missing)
		}
		time.Sleep(w.plan.ttl / 7)
	}
}

// end stops everything.
func (w *world) end() {
	for _, p := range w.processes {
		w.dying.Go(func() { p.leave(true) })
	}
	for _, p := range w.producers {
		_ = p.Close(context.Background())
		p.results.Wait()
		p.late.Wait()
	}
	w.dying.Wait()
	for _, p := range append(w.finished, w.processes...) {
		p.end()
		p.pipeline.Wait()
		p.faults.Wait()
	}
	if w.oracle.failed() == "" {
		w.oracle.left(w.processes)
	}
}
