package splitstest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rafka-streams/rafka/splits"
)

// Method names one method of the interfaces of a store, or the hints of a subscription.
type Method string

// The methods of splits.Group, splits.Leases, splits.Streams and splits.Adoptions. Hint is one call of the notify
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
	Note    Method = "Note"
	Survive Method = "Survive"
	Release Method = "Release"
	Fetch   Method = "Fetch"
	Load    Method = "Load"
	Peek    Method = "Peek"
	State   Method = "State"
	Count   Method = "Count"
	Pending Method = "Pending"
	Settle  Method = "Settle"
)

// ErrOutage is the error of every call during an outage.
var ErrOutage = errors.New("splitstest: the store is away")

// Fault is what happens to one call. The zero Fault is no fault. Faults may be combined, and take
// effect in the order of the fields. All waits except PauseReply end early with the call's context,
// and the call then returns the context's error.
type Fault struct {
	// Delay is how long the request takes to reach the store.
	Delay time.Duration
	// Hold delays the request until the channel is closed.
	Hold <-chan struct{}
	// Fail is returned to the caller, and the request never reaches the store; with Late it reaches
	// the store later.
	Fail error
	// Late, with Fail, is how long after the failed call the store applies the request; see
	// Faults.Wait.
	Late time.Duration
	// DelayReply is how long the reply takes, after the request was applied.
	DelayReply time.Duration
	// HoldReply delays the reply until the channel is closed.
	HoldReply <-chan struct{}
	// PauseReply delays the reply until the channel is closed, even if the context ends: the caller
	// is paused, so that none of its timers fires, and receives the reply when it continues.
	PauseReply <-chan struct{}
	// Lose is returned instead of the reply, after the request was applied.
	Lose error
}

// Call is one call as a hook receives it.
type Call struct {
	Method Method
	// Member is the caller, if the request names one.
	Member string
	// Splits are the splits of the request, in its order.
	Splits []splits.Split
}

// Counts is the number of calls of one method with each fault.
type Counts struct {
	Calls, Delayed, Held, Failed, Late, Lost int
}

// Faults sits between the users of the three interfaces and a store, and makes calls fail as a
// network and a server do. One Faults can wrap the interfaces of any number of stores; give each
// simulated process one of its own. The zero Faults is ready to use and injects nothing. All
// methods are safe for concurrent use.
//
// The fault of a call is the first of these: the outage; the next fault given to Next; the fault
// given to Set; the result of the hook.
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

// Next gives each of the next calls of the method one of the faults, after the faults of earlier
// calls of Next. A zero Fault lets one call pass.
func (f *Faults) Next(method Method, faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = map[Method][]Fault{}
	}
	f.next[method] = append(f.next[method], faults...)
}

// Hook makes the function choose the fault of every call that has no other fault; nil ends that.
// Many goroutines call the function concurrently, without locks.
func (f *Faults) Hook(hook func(Call) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Hold delays all calls of the method until release is called, which may happen more than once.
func (f *Faults) Hold(method Method) (release func()) {
	gate := make(chan struct{})
	f.Set(method, Fault{Hold: gate})
	return sync.OnceFunc(func() {
		f.Set(method, Fault{})
		close(gate)
	})
}

// Outage makes the store unreachable, or reachable again. In an outage calls fail with ErrOutage.
// So do the calls in flight when it begins, even if they were applied. Subscriptions end.
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

// Counts returns which faults the calls of the method have had so far.
func (f *Faults) Counts(method Method) Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[method]
}

// Wait returns when all late requests have been applied, including the ones whose calls have yet to
// fail.
func (f *Faults) Wait() { f.late.Wait() }

// Group wraps a splits.Group.
func (f *Faults) Group(inner splits.Group) splits.Group { return &faultyGroup{inner, f} }

// Leases wraps a splits.Leases. A fault concerns the whole call: it becomes the error of every
// request in it.
func (f *Faults) Leases(inner splits.Leases) splits.Leases { return &faultyLeases{inner, f} }

// Streams wraps a splits.Streams.
func (f *Faults) Streams(inner splits.Streams) splits.Streams { return &faultyStreams{inner, f} }

// Adoptions wraps a splits.Adoptions. A fault concerns the whole call.
func (f *Faults) Adoptions(inner splits.Adoptions) splits.Adoptions {
	return &faultyAdoptions{inner, f}
}

// run passes one call through its fault. If it returns nil, the results that apply has stored are
// the answer. If it returns an error, the caller must not read them: a late request may still be
// storing them.
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

// choose returns the fault of a call and counts the call.
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

// travel waits for the time that a request or a reply takes.
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

// applyLate starts a goroutine that ends when it has applied the request; Wait joins it.
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
