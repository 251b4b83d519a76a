package simulation

import (
	"context"
	"errors"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// longestBackoff bounds the waits between attempts. It keeps schedules short.
const longestBackoff = 500 * time.Millisecond

// process is one member of the group with its pipeline.
type process struct {
	*host         // its name is the owner of leases
	member string // as a member of the group: equal to the name, unless the member is static
	oracle *oracle
	view   *clientView
	*splits.Consumer

	polls    context.Context // ends when the process takes no more batches
	endPolls context.CancelFunc
}

// newProcess returns a process for a member. For a static member, number is the number of the
// incarnation.
func (sc *schedule) newProcess(member string, number uint64) *process {
	name := member
	if sc.plan.static {
		name = splits.Incarnation(member, number, "x")
	}
	l := sc.rng.of("process", name)
	n := newNetwork(l, sc.plan, sc.counts, &sc.badNetwork, sc.nodes)
	p := &process{host: newHost(name, n, sc.unblock), member: member, oracle: sc.oracle}
	p.polls, p.endPolls = context.WithCancel(p.ctx)
	p.view = newClientView(sc.oracle, name)
	group := sc.store.Group(topicName, groupName)
	cfg := splits.Config{
		Group:           clientGroup{p.faults.Group(&auditedGroup{group, sc.oracle}), p.view},
		Leases:          clientLeases{p.faults.Leases(&auditedLeases{sc.store.Leases(groupName), sc.oracle}), p.view},
		Streams:         clientLog{p.faults.Streams(&auditedLog{sc.store.Streams(), sc.oracle}), p.view},
		Adoptions:       p.faults.Adoptions(&auditedAdoptions{sc.store.Adoptions(groupName), sc.oracle}),
		FetchGroup:      sc.nodes.node,
		Node:            sc.nodes.node,
		Member:          member,
		Owner:           name,
		TTL:             sc.plan.ttl,
		Heartbeat:       sc.plan.heartbeat,
		CommitEvery:     sc.plan.commitEvery,
		SampleEvery:     sc.plan.sampleEvery,
		DrainFor:        sc.plan.ttl,
		CallTimeout:     sc.plan.ttl,
		BatchSize:       sc.plan.batchSize,
		Ordering:        sc.plan.ordering,
		Lanes:           sc.plan.lanes,
		CheckpointLimit: 4 * sc.plan.batchSize,
		SplitBuffer:     sc.plan.splitBuffer,
		FetchMax:        sc.plan.fetchMax,
		SkipNacked:      sc.plan.skipNacked,
		FailOnLoss:      sc.plan.failOnLoss,
		DeadLetters:     p.deadLetters(sc.letters, sc.oracle, name),
		OrderKey:        func(e splits.Entry) string { return e.Fields[3] },
		Backoff:         func() splits.Backoff { return &doubling{} },
		Observer:        &observer{oracle: sc.oracle, owner: name},
		Now:             p.clock.now,
	}
	if sc.plan.latest {
		cfg.Start = splits.Latest()
	}
	if sc.plan.adopts {
		cfg.Start = splits.Adopt()
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
			_ = p.Await(p.polls) // the next Poll returns an error that persists
			continue
		}
		if !p.view.mayHandOut(b.Split) {
			p.oracle.violated(
				b.Split.Key,
				"%s hands out %v after its lease was fenced",
				p.name,
				b.Entries[0].Fields[1],
			)
		}
		if p.isGone() {
			return
		}
		p.oracle.noteHandOut(p.name, b)
		gate := p.gate()
		p.wait(gate)
		if p.isGone() {
			return
		}
		// A process that is paused when Poll returns keeps the batch.
		p.oracle.checkBatch(p.name, b, gate != nil)
		n := p.batches
		p.batches++
		p.pipeline.Go(func() { p.work(b, p.rng.of("batch").nth(n)) })
	}
}

// work is the pipeline: it takes some time, then acknowledges or rejects the batch. A record that
// kills does so at the beginning or at the end.
func (p *process) work(b *splits.Batch, l rng) {
	r, began := l.rand(), time.Now()
	if l.of("dies").chance() < 0.5 && p.dies(b) {
		return
	}
	if !p.takeTime(r, 100) || p.dies(b) {
		return
	}
	if failed, cause := p.fails(b, began, r); cause != nil {
		p.oracle.noteOutcome(p.name, b, p.plan.skipNacked) // with skipNacked, the consumer skips the whole batch
		b.Nack(cause, p.hint(failed, len(b.Entries), r))
		return
	}
	p.oracle.noteOutcome(p.name, b, true)
	b.Ack()
	p.oracle.noteAcknowledged(p.name)
}

// kill ends the process immediately.
func (p *process) kill() {
	p.oracle.noteEnd(p.name, true)
	p.die()
}

// leave ends the process as SIGTERM does. If waitForPipeline, it first waits up to a session for
// the pipeline.
func (p *process) leave(waitForPipeline bool) {
	if waitForPipeline {
		p.endPolls()
		timer := time.NewTimer(p.plan.ttl)
		defer timer.Stop()
		select {
		case <-p.idle:
		case <-timer.C:
		}
	}
	p.oracle.noteEnd(p.name, false)
	_ = p.Close(p.ctx) // while the store is away, the process just ends
	p.setGone()
	p.end()
}

// doubling is the back-off of the simulation.
type doubling struct{ last time.Duration }

func (d *doubling) NextBackOff() time.Duration {
	d.last = min(max(2*d.last, 50*time.Millisecond), longestBackoff)
	return d.last
}

func (d *doubling) Reset() { d.last = 0 }

// observer reports to the oracle what a consumer reports.
type observer struct {
	splits.NopObserver
	oracle *oracle
	owner  string
}

func (o *observer) Lost(losses []splits.Loss) {
	o.oracle.mu.Lock()
	defer o.oracle.mu.Unlock()
	for _, l := range losses {
		o.oracle.note(
			o.owner,
			l.Split.Key,
			"lost %d entries after %v (exact: %v, recreated: %v)",
			l.Entries,
			l.After,
			l.Exact,
			l.Recreated,
		)
		if !o.oracle.damaged {
			o.oracle.violated(
				l.Split.Key,
				"%s reports a loss of %d entries after %v, but nothing was ever removed",
				o.owner,
				l.Entries,
				l.After,
			)
		}
	}
}

func (o *observer) Fenced(all []splits.Split, cause error) {
	for _, s := range all {
		o.oracle.note(o.owner, s.Key, "lost the lease: %v", cause)
	}
}

func (o *observer) DeadLettered(l splits.Letter) {
	o.oracle.mu.Lock()
	defer o.oracle.mu.Unlock()
	r := o.oracle.records[l.Entry.Fields[1]]
	o.oracle.note(o.owner, l.Split.Key, "has given up %s", r.id)
	if !r.lettered || r.present && !r.stray && !r.letterNoted {
		o.oracle.violated(l.Split.Key, "%s reports that %s is given up, but its letter is not stored and noted",
			o.owner, r.id)
	}
}
