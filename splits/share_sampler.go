package splits

import "context"

// shareSampler samples the lag and the number of pending entries of each split.
type shareSampler struct {
	cfg    ShareConfig
	set    *shareSet
	health *health
}

// run works until stop ends. Its calls end with calls.
func (s *shareSampler) run(stop, calls context.Context) {
	for sleepOr(stop, s.cfg.SampleEvery, nil) == nil {
		s.step(calls)
	}
}

func (s *shareSampler) step(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Heartbeat)
	defer cancel()
	samples := s.set.samples()
	of := make([]Split, len(samples))
	for i, sample := range samples {
		of[i] = sample.Split
	}
	now := s.cfg.Now()
	var sampled []Sample
	var failed error
	for i, answer := range s.cfg.Shares.Holders(ctx, of) {
		if answer.Err != nil {
			failed = answer.Err
			continue
		}
		sample := samples[i]
		sample.Lag, sample.LagExact, sample.LagAge = answer.Lag, answer.Lag >= 0, answer.Oldest.age(now)
		for _, h := range answer.Holders {
			sample.Pending += int64(h.Pending)
		}
		sampled = append(sampled, sample)
	}
	if failed != nil && len(sampled) == 0 {
		s.health.fail(task{kind: taskSample}, failed)
		return
	}
	s.health.ok(task{kind: taskSample})
	s.cfg.Observer.Sampled(sampled)
}

// samples returns what this member itself knows of the splits that are open.
func (set *shareSet) samples() (all []Sample) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for split, s := range set.splits {
		if !s.open {
			continue
		}
		sample := Sample{Split: split, LastRead: s.lastRead}
		if s.inflight > 0 {
			sample.Unacked = max(0, now.Sub(s.oldestSince))
		}
		all = append(all, sample)
	}
	return all
}
