package simulation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// shareProcess is one member of the share group with its pipeline.
type shareProcess struct {
	*host  // its name is without the number of the session
	oracle *shareOracle
	*splits.ShareConsumer

	id       string // its name is not unique if the member is static
	sessions uint64 // guarded by mu
	// failing holds the entries that failed before, that the process has loaded, and not handed out
	// since. The lock of the oracle guards it.
	failing map[*shareRecord]splits.Attempted
	// deaths is what the process has to know of the members that an entry has killed, and answered
	// the same before the answer of the store has arrived; over: the process has ended. The lock of
	// the oracle guards them.
	deaths, answered map[*shareRecord]int
	over             bool
}

func (sc *shareSchedule) newProcess(name string) *shareProcess {
	l := sc.rng.of("process", name, fmt.Sprint(sc.started))
	n := newNetwork(l, sc.plan, sc.counts, &sc.badNetwork, sc.nodes)
	p := &shareProcess{
		host: newHost(name, n, sc.unblock), oracle: sc.oracle, failing: map[*shareRecord]splits.Attempted{},
		deaths: map[*shareRecord]int{}, answered: map[*shareRecord]int{},
	}
	p.id = fmt.Sprintf("%s#%d", name, sc.started)
	sc.oracle.noteStart(p)
	group, shares := sc.store.ShareGroup(topicName, groupName), sc.store.Shares(topicName, groupName)
	number := uint64(sc.started) << 20
	p.ShareConsumer = splits.NewShareConsumer(splits.ShareConfig{
		Group:              p.faults.ShareGroup(&auditedSharers{group, sc.oracle, p}),
		Shares:             &clientShares{p.faults.Shares(&auditedShares{shares, sc.oracle, p}), sc.oracle, p},
		NewName:            func(context.Context) (splits.ShareName, error) { return p.newName(number), nil },
		FetchGroup:         sc.nodes.node,
		Node:               sc.nodes.node,
		TTL:                sc.plan.ttl,
		Heartbeat:          sc.plan.heartbeat,
		CallTimeout:        sc.plan.ttl,
		FetchWithin:        sc.plan.ttl,
		BatchSize:          sc.plan.batchSize,
		CheckpointLimit:    4 * sc.plan.batchSize,
		DeadLetters:        p.deadLetters(sc.letters, sc.oracle, p.id),
		DeleteAcknowledged: sc.plan.deletes,
		Backoff:            func() splits.Backoff { return &doubling{} },
		Observer:           &shareObserver{oracle: sc.oracle, process: p},
		Now:                p.clock.now,
	})
	return p
}

// newName returns the name of the next session.
func (p *shareProcess) newName(number uint64) splits.ShareName {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sessions++
	if p.plan.static {
		owner := splits.Incarnation(p.name, number+p.sessions, "x")
		return splits.ShareName{Member: p.name, Owner: owner}
	}
	return splits.ShareName{Member: fmt.Sprintf("%s.%d", p.name, number+p.sessions)}
}

// run polls until the process ends.
func (p *shareProcess) run() {
	defer close(p.idle)
	defer p.pipeline.Wait()
	for {
		b, err := p.Poll(p.ctx)
		switch {
		case errors.Is(err, splits.ErrClosed), err != nil && p.ctx.Err() != nil:
			return
		case err != nil:
			_ = p.Await(p.ctx) // the next Poll returns an error that persists
			continue
		}
		if p.isGone() {
			return
		}
		p.oracle.noteHandOut(p, b)
		p.wait(p.gate())
		if p.isGone() {
			return
		}
		p.oracle.checkBatch(p, b)
		n := p.batches
		p.batches++
		p.pipeline.Go(func() { p.work(b, p.rng.of("batch").nth(n)) })
	}
}

// work is the pipeline: it takes some time, then acknowledges or rejects the batch. A record that
// kills does so at the beginning or at the end.
func (p *shareProcess) work(b *splits.Batch, l rng) {
	r, began := l.rand(), time.Now()
	if l.of("dies").chance() < 0.5 && p.dies(b) {
		return
	}
	if !p.takeTime(r, 60) || p.dies(b) {
		return
	}
	bad, why := p.oracle.badOnes(b)
	if failed, cause := p.rejected(bad, why, len(b.Entries), began, r); cause != nil {
		p.oracle.noteOutcome(p, b, false)
		b.Nack(cause, p.hint(failed, len(b.Entries), r))
		return
	}
	p.oracle.noteOutcome(p, b, true)
	b.Ack()
	p.oracle.noteAcknowledged(p)
}

// stale reports whether the process was paused a moment ago: then it may hold a batch that it took
// before the pause.
func (p *shareProcess) stale() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.paused != nil || time.Since(p.continuedAt) < time.Millisecond
}

// kill ends the process immediately.
func (p *shareProcess) kill() {
	p.oracle.noteEnd(p)
	p.die()
}

// leave ends the process as SIGTERM does.
func (p *shareProcess) leave() {
	_ = p.Close(p.ctx) // while the store is away, the process just ends
	p.oracle.noteEnd(p)
	p.setGone()
	p.end()
}

// noteStart notes that a process starts.
func (o *shareOracle) noteStart(p *shareProcess) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.processes[p.id] = p
}

// noteEnd notes that a process has ended.
func (o *shareOracle) noteEnd(p *shareProcess) {
	o.mu.Lock()
	defer o.mu.Unlock()
	p.over = true
	for _, s := range o.sessions {
		if s.process == p {
			s.ended = true
		}
	}
}

// shareObserver reports to the oracle what a consumer reports.
type shareObserver struct {
	splits.NopObserver
	oracle  *shareOracle
	process *shareProcess
}

func (o *shareObserver) Lost(losses []splits.Loss) {
	o.oracle.mu.Lock()
	defer o.oracle.mu.Unlock()
	for _, l := range losses {
		o.oracle.note(o.process.name, l.Split.Key, "lost %d entries after %v", l.Entries, l.After)
		if !o.oracle.damaged {
			o.oracle.violated(l.Split.Key, "%s reports a loss, but nothing was ever removed", o.process.name)
		}
	}
}

func (o *shareObserver) Unavailable(part splits.Part, err error) {
	o.oracle.note(o.process.name, "", "%v unavailable: %v", part, err)
}
