package simulation

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// longestBackoff bounds the waits between attempts, so that schedules are short.
const longestBackoff = 500 * time.Millisecond

// process is one member of the group with its pipeline.
type process struct {
	name    string // as the owner of leases
	member  string // as a member of the group: the same, unless it is static
	oracle  *oracle
	luck    luck
	plan    plan
	tally   *tally
	clock   *clock
	network *network
	faults  *splitstest.Faults
	hearing *hearing
	*splits.Consumer

	ctx      context.Context // ends when the process does
	end      context.CancelFunc
	polls    context.Context // ends when it is to take no more batches
	endPolls context.CancelFunc
	idle     chan struct{} // closed when it takes none, and its pipeline is done
	pipeline sync.WaitGroup
	batches  int
	// disturbed is until when its clocks are left alone; the nemesis'. With both of them wrong at
	// once, a member can't know what time it is.
	disturbed time.Time

	mu     sync.Mutex
	paused chan struct{} // closed when the process goes on; nil while it runs
	stuck  chan struct{} // closed when nothing need be stuck any more
	gone   bool          // dead or closed: what its pipeline does counts for nothing
}

// newProcess makes a process that is to be a member; a static one is its incarnation of that
// number.
func (w *world) newProcess(member string, number uint64) *process {
	name := member
	if w.plan.static {
		name = splits.Incarnation(member, number, "x")
	}
	l := w.luck.of("process", name)
	p := &process{
		name: name, member: member, oracle: w.oracle, luck: l, plan: w.plan, tally: w.tally, clock: &clock{},
		network: w.newNetwork(l), faults: &splitstest.Faults{}, stuck: w.stuck,
	}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.polls, p.endPolls = context.WithCancel(p.ctx)
	p.idle = make(chan struct{})
	p.faults.Hook(p.network.fault)
	p.hearing = newHearing(w.oracle, name)
	cfg := splits.Config{
		Group:           heardGroup{p.faults.Group(&auditedGroup{w.store.Group(topicName, groupName), w.oracle}), p.hearing},
		Leases:          heardLeases{p.faults.Leases(&auditedLeases{w.store.Leases(groupName), w.oracle}), p.hearing},
		Log:             heardLog{p.faults.Log(&auditedLog{w.store.Log(), w.oracle}), p.hearing},
		Shard:           w.nodes.node,
		Node:            w.nodes.node,
		Member:          member,
		Owner:           name,
		TTL:             w.plan.ttl,
		Heartbeat:       w.plan.heartbeat,
		CommitEvery:     w.plan.commitEvery,
		SampleEvery:     w.plan.sampleEvery,
		DrainFor:        w.plan.ttl,
		CallTimeout:     w.plan.ttl,
		BatchSize:       w.plan.batchSize,
		Unordered:       w.plan.unordered,
		CheckpointLimit: 4 * w.plan.batchSize,
		SplitBuffer:     w.plan.splitBuffer,
		FetchMax:        w.plan.fetchMax,
		SkipNacked:      w.plan.skipNacked,
		FailOnLoss:      w.plan.failOnLoss,
		OrderKey:        func(e splits.Entry) string { return e.Fields[3] },
		Backoff:         func() splits.Backoff { return &doubling{} },
		Observer:        &witness{oracle: w.oracle, who: name},
		Now:             p.clock.now,
	}
	if w.plan.latest {
		cfg.Start = splits.Latest()
	}
	p.Consumer = splits.NewConsumer(cfg)
	return p
}

// run polls until the process ends.
func (p *process) run() {
	defer close(p.idle)
	defer p.pipeline.Wait()
	for {
		b, err := p.Poll(p.polls)
		switch {
		case errors.Is(err, splits.ErrClosed), err != nil && p.polls.Err() != nil:
			return
		case err != nil:
			_ = p.Await(p.polls) // trouble that is not over is met by the next Poll
			continue
		}
		if !p.hearing.mayHandOut(b.Split) {
			p.oracle.violated(
				b.Split.Key,
				"%s hands out %v after it was told that it holds the split no more",
				p.name,
				b.Entries[0].Fields[1],
			)
		}
		gate := p.gate()
		p.wait(gate)
		if p.isGone() {
			return
		}
		// A process that is paused on its way out of Poll has the batch, whatever comes.
		p.oracle.handedOut(p.name, b, gate != nil)
		n := p.batches
		p.batches++
		p.pipeline.Go(func() { p.work(b, p.luck.of("batch").nth(n)) })
	}
}

// work is the pipeline: it takes its time, and then acknowledges or rejects.
func (p *process) work(b *splits.Batch, l luck) {
	r := l.rand()
	var stuck <-chan struct{}
	takes := time.Duration(r.IntN(int(20 * time.Millisecond)))
	switch r.IntN(100) {
	case 0:
		if p.plan.gentle {
			break
		}
		p.tally.hit("stuck pipeline")
		stuck, takes = p.stuck, p.plan.ttl+time.Duration(r.IntN(int(4*p.plan.ttl)))
	case 1, 2, 3:
		p.tally.hit("slow pipeline")
		takes = time.Duration(r.IntN(int(p.plan.ttl / 2)))
	}
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-stuck:
	case <-p.ctx.Done():
		return
	}
	p.wait(p.gate())
	if p.isGone() {
		return
	}
	if failed := p.fails(b, r); len(failed) > 0 {
		p.oracle.resolved(p.name, b, p.plan.skipNacked) // all of it is passed over, then
		b.Nack(errRejected, p.hint(failed, len(b.Entries), r))
		return
	}
	p.oracle.resolved(p.name, b, true)
	b.Ack()
}

func (p *process) wait(gate <-chan struct{}) {
	if gate == nil {
		return
	}
	select {
	case <-gate:
	case <-p.ctx.Done():
	}
}

func (p *process) gate() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused
}

func (p *process) isGone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.gone
}

// pause stops the process as SIGSTOP does; requests that are on their way may arrive.
func (p *process) pause() {
	p.mu.Lock()
	p.paused = make(chan struct{})
	p.mu.Unlock()
	p.clock.stop()
	p.network.freeze()
}

func (p *process) goOn() {
	p.clock.goOn()
	p.network.thaw()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.paused != nil {
		close(p.paused)
		p.paused = nil
	}
}

// kill ends the process at once: nothing that it does reaches the store any more, save requests
// that are late already.
func (p *process) kill() {
	p.oracle.ends(p.name, true)
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.faults.Outage(true)
	p.end()
	p.goOn()
}

// leave ends it as SIGTERM does. Who is patient waits for the pipeline, as long as that is not
// stuck.
func (p *process) leave(patient bool) {
	if patient {
		p.endPolls()
		timer := time.NewTimer(p.plan.ttl)
		defer timer.Stop()
		select {
		case <-p.idle:
		case <-timer.C:
		}
	}
	p.oracle.ends(p.name, false)
	_ = p.Close(p.ctx) // without the store it leaves by dying
	p.mu.Lock()
	p.gone = true
	p.mu.Unlock()
	p.end()
}

// doubling is the back-off of the simulation.
type doubling struct{ last time.Duration }

func (d *doubling) NextBackOff() time.Duration {
	d.last = min(max(2*d.last, 50*time.Millisecond), longestBackoff)
	return d.last
}

func (d *doubling) Reset() { d.last = 0 }

// witness tells the oracle what a consumer says about itself.
type witness struct {
	splits.NopObserver
	oracle *oracle
	who    string
}

func (w *witness) Lost(losses []splits.Loss) {
	w.oracle.mu.Lock()
	defer w.oracle.mu.Unlock()
	for _, l := range losses {
		w.oracle.note(
			w.who,
			l.Split.Key,
			"lost %d entries behind %v (exact: %v, recreated: %v)",
			l.Entries,
			l.After,
			l.Exact,
			l.Recreated,
		)
		if !w.oracle.damaged {
			w.oracle.violated(
				l.Split.Key,
				"%s reports a loss of %d entries behind %v, but nothing was ever removed",
				w.who,
				l.Entries,
				l.After,
			)
		}
	}
}

func (w *witness) Fenced(all []splits.Split, cause error) {
	for _, s := range all {
		w.oracle.note(w.who, s.Key, "lost the lease: %v", cause)
	}
}
