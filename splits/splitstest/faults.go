package splitstest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Method names one method of the three interfaces, or the hints of a subscription.
type Method string

// The methods of splits.Group, splits.Leases and splits.Log. Hint is one call of the notify
// function of Wake.
const (
	Beat    Method = "Beat"
	Propose Method = "Propose"
	Leave   Method = "Leave"
	Wake    Method = "Wake"
	Hint    Method = "Hint"
	Claim   Method = "Claim"
	Commit  Method = "Commit"
	Renew   Method = "Renew"
	Reset   Method = "Reset"
	Release Method = "Release"
	Fetch   Method = "Fetch"
	Peek    Method = "Peek"
	State   Method = "State"
	Count   Method = "Count"
)

// ErrOutage is the error of every call during an outage.
var ErrOutage = errors.New("splitstest: the store is away")

// Fault is what happens to one call. The zero Fault is none; faults may be combined, and take
// effect in the order of the fields. All waits but one end early with the call's context, whose
// error is then the call's.
type Fault struct {
	// Delay is how long the request takes to the store.
	Delay time.Duration
	// Hold keeps the request from the store until the channel is closed.
	Hold <-chan struct{}
	// Fail is returned without that the store sees the request, or with Late not before that.
	Fail error
	// Late, with Fail, lets the store apply the request that long after the call failed; see
	// Faults.Wait.
	Late time.Duration
	// DelayReply is how long the reply takes, after the request was applied.
	DelayReply time.Duration
	// HoldReply keeps the reply back until the channel is closed.
	HoldReply <-chan struct{}
	// PauseReply keeps the reply back until the channel is closed, whatever becomes of the context:
	// the caller is paused, so that none of its timers fires, and finds the reply when it goes on.
	PauseReply <-chan struct{}
	// Lose is returned in the place of the reply, after the request was applied.
	Lose error
}

// Call is one call as a hook sees it.
type Call struct {
	Method Method
	// Member is the caller, if the request names one.
	Member string
	// Splits are those of the request, in its order.
	Splits []splits.Split
}

// Counts tells how often calls of one method met each fault.
type Counts struct {
	Calls, Delayed, Held, Failed, Late, Lost int
}

// Faults sits between users of the three interfaces and a store, and lets calls fail as a network
// and a server do. One Faults may wrap any number of stores' interfaces; give every simulated
// process one of its own. The zero Faults is ready to use and harmless. All methods may be called
// at any time.
//
// The fault of a call is, in this order: the outage; the next one of those given to Next; the one
// given to Set; what the hook says.
type Faults struct {
	mu     sync.Mutex
	outage bool
	next   map[Method][]Fault
	set    map[Method]Fault
	hook   func(Call) Fault
	counts map[Method]Counts
	wakes  map[*context.CancelCauseFunc]struct{} // running subscriptions, which an outage ends
	link   Link

	late sync.WaitGroup
}

// Set gives every following call of the method this fault; the zero Fault ends that.
func (f *Faults) Set(method Method, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.set == nil {
		f.set = map[Method]Fault{}
	}
	if fault == (Fault{}) {
		delete(f.set, method)
		return
	}
	f.set[method] = fault
}

// Next gives each of the next calls of the method one of the faults, behind those given to Next
// before. A zero Fault lets one pass.
func (f *Faults) Next(method Method, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = map[Method][]Fault{}
	}
	f.next[method] = append(f.next[method], faults...)
}

// Hook has the function choose the fault of every call that no other setting covers; nil ends that.
// It is called by many goroutines at once, and without locks held.
func (f *Faults) Hook(hook func(Call) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Hold keeps all calls of the method from the store until release is called, which may happen more
// than once.
func (f *Faults) Hold(method Method) (release func()) {
	gate := make(chan struct{})
	f.Set(method, Fault{Hold: gate})
	return sync.OnceFunc(func() {
		f.Set(method, Fault{})
		close(gate)
	})
}

// Outage makes the store unreachable, or reachable again: calls fail with ErrOutage, those under
// way at its begin too, be it that they were applied, and subscriptions end.
func (f *Faults) Outage(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.outage = on
	if on {
		for cancel := range f.wakes {
			(*cancel)(ErrOutage)
		}
	}
}

// Counts tells what calls of the method met so far.
func (f *Faults) Counts(method Method) Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[method]
}

// Wait returns when all late requests were applied, those too that are yet to fail.
func (f *Faults) Wait() { f.late.Wait() }

// Group wraps a splits.Group.
func (f *Faults) Group(inner splits.Group) splits.Group { return &faultyGroup{inner, f} }

// Leases wraps a splits.Leases. A fault is that of the whole call: it becomes the error of every
// single request.
func (f *Faults) Leases(inner splits.Leases) splits.Leases { return &faultyLeases{inner, f} }

// Log wraps a splits.Log.
func (f *Faults) Streams(inner splits.Streams) splits.Streams { return &faultyStreams{inner, f} }

// run takes one call through its fault. It returns nil if the results that apply has stored are the
// answer; with an error they must not be touched, since a late request may still be storing them.
func (f *Faults) run(ctx context.Context, call Call, apply func(context.Context)) error {
	fault := f.choose(call)
	if fault.Late > 0 {
		f.late.Add(1)
		defer f.late.Done()
	}
	if err := f.travel(ctx, call.Method, fault.Delay, fault.Hold); err != nil {
		return err
	}
	if f.away() {
		fault = Fault{Fail: ErrOutage}
	}
	if fault.Fail != nil {
		f.count(call.Method, func(c *Counts) { c.Failed++ })
		if fault.Late > 0 {
			f.applyLate(ctx, call.Method, fault.Late, apply)
		}
		return fault.Fail
	}
	apply(ctx)
	if err := f.travel(ctx, call.Method, fault.DelayReply, fault.HoldReply); err != nil {
		return err
	}
	if err := f.travel(context.WithoutCancel(ctx), call.Method, 0, fault.PauseReply); err != nil {
		return err
	}
	if fault.Lose == nil && f.away() {
		fault.Lose = ErrOutage
	}
	if fault.Lose != nil {
		f.count(call.Method, func(c *Counts) { c.Lost++ })
	}
	return fault.Lose
}

// choose finds the fault of a call and counts the call.
func (f *Faults) choose(call Call) Fault {
	f.count(call.Method, func(c *Counts) { c.Calls++ })
	f.mu.Lock()
	if f.outage {
		f.mu.Unlock()
		return Fault{}
	}
	if queue := f.next[call.Method]; len(queue) > 0 {
		f.next[call.Method] = queue[1:]
		f.mu.Unlock()
		return queue[0]
	}
	fault, set := f.set[call.Method]
	hook := f.hook
	f.mu.Unlock()
	if !set && hook != nil {
		return hook(call)
	}
	return fault
}

// travel waits as long as a request or a reply is under way.
func (f *Faults) travel(ctx context.Context, method Method, delay time.Duration, hold <-chan struct{}) error {
	if delay > 0 {
		f.count(method, func(c *Counts) { c.Delayed++ })
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if hold != nil {
		f.count(method, func(c *Counts) { c.Held++ })
		select {
		case <-hold:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// applyLate starts a goroutine that ends once it has applied the request; Wait joins it.
func (f *Faults) applyLate(ctx context.Context, method Method, after time.Duration, apply func(context.Context)) {
	f.late.Go(func() {
		time.Sleep(after)
		apply(context.WithoutCancel(ctx))
		f.count(method, func(c *Counts) { c.Late++ })
	})
}

func (f *Faults) away() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.outage
}

func (f *Faults) count(method Method, change func(*Counts)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = map[Method]Counts{}
	}
	counts := f.counts[method]
	change(&counts)
	f.counts[method] = counts
}
