package splits

import (
	"context"
	"time"
)

// auditor periodically samples the lag of each split, and detects streams that ended up behind what
// was read: there, a read would wait forever.
type auditor struct {
	cfg    Config
	set    *splitSet
	health *health
}

// run works until stop ends. Its calls end with calls.
func (a *auditor) run(stop, calls context.Context) {
	wait := a.cfg.SampleEvery
	for sleepOr(stop, wait, nil) == nil {
		if wait = a.cfg.SampleEvery; !a.step(calls) {
			wait = min(wait, a.cfg.Heartbeat) // the input is reported as not connected until it succeeds
		}
	}
}

func (a *auditor) step(ctx context.Context) bool {
	// Snapshots first: a healthy stream never ends before a position that was taken before its
	// state.
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
			} // otherwise the next read detects it: all entries are behind the position, or were read
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
