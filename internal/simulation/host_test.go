package simulation

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rafka-streams/rafka/splits/splitstest"
)

// host is what one member runs on: its process, its clock, its network and its pipeline. The
// nemesis stops it, kills it and changes it.
type host struct {
	name    string
	rng     rng
	plan    plan
	counts  *counts
	clock   *clock
	network *network
	faults  *splitstest.Faults

	ctx      context.Context // ends with the process
	end      context.CancelFunc
	idle     chan struct{} // closed when the process takes no more batches and its pipeline has finished
	pipeline sync.WaitGroup
	batches  int
	// clocksUntil is the time until which the nemesis leaves the clocks of the process alone. If
	// both clocks were wrong at the same time, a member could not know the time.
	clocksUntil time.Time

	down   atomic.Int64 // until when the sink rejects everything
	merged atomic.Int64 // when the sink last rejected all batches that it had, for one record

	mu          sync.Mutex
	paused      chan struct{} // closed when the process continues; nil while it runs
	continuedAt time.Time     // when a pause ended last
	unblock     chan struct{} // closed when blocked pipelines continue
	gone        bool          // dead or closed: outcomes of its pipeline no longer count
}

func newHost(name string, n *network, unblock chan struct{}) *host {
	h := &host{
		name: name, rng: n.rng, plan: n.plan, counts: n.counts, clock: &clock{}, network: n,
		faults: &splitstest.Faults{}, unblock: unblock, idle: make(chan struct{}),
	}
	h.ctx, h.end = context.WithCancel(context.Background())
	h.faults.Hook(h.network.fault)
	return h
}

// takeTime lets the pipeline take the time that a batch needs: one of n batches blocks it. It
// reports whether the process still runs then.
func (h *host) takeTime(r *rand.Rand, n int) bool {
	var unblock <-chan struct{}
	takes := time.Duration(r.IntN(int(20 * time.Millisecond)))
	switch r.IntN(n) {
	case 0:
		if h.plan.gentle {
			break
		}
		h.counts.count("stuck pipeline")
		unblock, takes = h.unblock, h.plan.ttl+time.Duration(r.IntN(int(4*h.plan.ttl)))
	case 1, 2, 3:
		h.counts.count("slow pipeline")
		takes = time.Duration(r.IntN(int(h.plan.ttl / 2)))
	}
	timer := time.NewTimer(takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-unblock:
	case <-h.ctx.Done():
		return false
	}
	h.wait(h.gate())
	return !h.isGone()
}

// faultsEnded reports whether the nemesis has stopped.
func (h *host) faultsEnded() bool {
	select {
	case <-h.unblock:
		return true
	default:
		return false
	}
}

func (h *host) wait(gate <-chan struct{}) {
	if gate == nil {
		return
	}
	select {
	case <-gate:
	case <-h.ctx.Done():
	}
}

func (h *host) gate() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.paused
}

func (h *host) isGone() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone
}

func (h *host) setGone() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone = true
}

// pause stops the process as SIGSTOP does. Requests that were already sent can arrive.
func (h *host) pause() {
	h.mu.Lock()
	h.paused = make(chan struct{})
	h.mu.Unlock()
	h.clock.stop()
	h.network.freeze()
}

func (h *host) goOn() {
	h.clock.goOn()
	h.network.thaw()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.paused != nil {
		close(h.paused)
		h.paused, h.continuedAt = nil, time.Now()
	}
}

// die ends the process immediately: no further request reaches the store, except requests that are
// late already.
func (h *host) die() {
	h.setGone()
	h.faults.Outage(true)
	h.end()
	h.goOn()
}
