package splits

import (
	"context"
	"errors"
	"time"
)

// ErrRolledBack is the cause with which a hold ends whose stream is not the one in which its
// position was reached: it is claimed anew, and begun where what was read ends.
var ErrRolledBack = errors.New("the stream was recreated or rolled back")

// auditor looks over the streams every now and then: for the lag of each split, and for streams
// that went back behind what was read, where a read would wait for ever.
type auditor struct {
	cfg    Config
	set    *splitSet
	health *health
}

// run works until stop ends; its calls end with calls.
func (a *auditor) run(stop, calls context.Context) {
	wait := a.cfg.SampleEvery
	for sleepOr(stop, wait, nil) == nil {
		if wait = a.cfg.SampleEvery; !a.step(calls) {
			wait = min(wait, a.cfg.Heartbeat) // the input counts as unconnected until it succeeds
		}
	}
}

func (a *auditor) step(ctx context.Context) bool {
	// Positions first: a healthy stream is never behind a position that was taken before it was
	// asked.
	looks := a.set.snapshots()
	splits := make([]Split, len(looks))
	for i, l := range looks {
		splits[i] = l.lease.Split
	}
	if len(splits) == 0 {
		a.health.ok(task{kind: taskSample})
		a.cfg.Observer.Sampled(nil)
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Heartbeat)
	defer cancel()
	states, err := a.cfg.Streams.State(ctx, splits)
	if err != nil {
		a.health.fail(task{kind: taskSample}, err)
		return false
	}
	a.health.ok(task{kind: taskSample})
	samples := make([]Sample, 0, len(looks))
	var back []splitSnapshot
	for i, l := range looks {
		switch {
		case states[i].Err != nil:
		case !l.decided && states[i].rolledBackFrom(l.lastState, l.knownUpTo):
			if states[i].hasEntriesUpTo(l.checkedUpTo) || states[i].Last.Before(l.knownUpTo.Offset) {
				back = append(back, l)
			} // else the next read shows it: all that is there lies behind the position, or was read
		default:
			a.set.observe(l.split, states[i])
			a.set.finishCount(&l, states[i])
			samples = append(samples, a.sample(l, states[i]))
		}
	}
	a.set.endRolledBack(back)
	a.cfg.Observer.Sampled(samples)
	return true
}

func (a *auditor) sample(l splitSnapshot, s State) Sample {
	lag := l.lagOf(s)
	a.set.setLag(l.split, lag.Entries)
	if !lag.Exact {
		a.set.startCount(l, s)
	}
	sample := Sample{Split: l.lease.Split, Lag: lag.Entries, LagExact: lag.Exact, LastRead: l.lastRead}
	now := a.cfg.Now()
	if lag.Entries != 0 {
		oldest := l.oldest
		if oldest == (Offset{}) {
			oldest = s.First
		}
		sample.LagAge = max(0, now.Sub(time.UnixMilli(int64(min(oldest.Millis, 1<<62)))))
	}
	if !l.since.IsZero() {
		sample.Unacked = now.Sub(l.since)
	}
	if l.bound {
		sample.Bound = l.oldest
	}
	return sample
}
