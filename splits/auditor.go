package splits

import "context"

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
	snapshots := a.set.snapshots()
	splits := make([]Split, len(snapshots))
	for i, snap := range snapshots {
		splits[i] = snap.lease.Split
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
	samples := make([]Sample, 0, len(snapshots))
	var back []splitSnapshot
	for i, snap := range snapshots {
		switch {
		case states[i].Err != nil:
		case !snap.decided && states[i].rolledBackFrom(snap.lastState, snap.knownUpTo):
			if states[i].hasEntriesUpTo(snap.checkedUpTo) || states[i].Last.Before(snap.knownUpTo.Offset) {
				back = append(back, snap)
			} // otherwise the next read detects it: all entries are behind the position, or were read
		default:
			a.set.observe(snap.split, states[i])
			a.set.finishCount(&snap, states[i])
			samples = append(samples, a.sample(snap, states[i]))
		}
	}
	a.set.endRolledBack(back)
	a.cfg.Observer.Sampled(samples)
	return true
}

func (a *auditor) sample(snap splitSnapshot, s State) Sample {
	lag := snap.lagOf(s)
	a.set.setLag(snap.split, lag.Entries)
	if !lag.Exact {
		a.set.startCount(snap, s)
	}
	sample := Sample{Split: snap.lease.Split, Lag: lag.Entries, LagExact: lag.Exact, LastRead: snap.lastRead}
	now := a.cfg.Now()
	if lag.Entries != 0 {
		oldest := snap.oldest
		if oldest == (Offset{}) {
			oldest = s.First
		}
		sample.LagAge = oldest.age(now)
	}
	if !snap.since.IsZero() {
		sample.Unacked = now.Sub(snap.since)
	}
	if snap.bound {
		sample.Bound = snap.oldest
	}
	return sample
}
