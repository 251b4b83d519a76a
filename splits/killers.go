package splits

// reportKillers returns what to report of entries that kill the process, and are not given up: each
// split at most once a minute. waits is the field of Failing.
func (j *judge[S]) reportKillers(waits bool) (all []Failing) {
	now := j.now()
	j.mu.Lock()
	defer j.mu.Unlock()
	for s := range j.set.each() {
		h := s.handOuts()
		for _, l := range h.isolation.loneFailures {
			if l.killed > 0 && !l.out && h.reportDue(now) {
				split, _ := s.fence()
				f := h.describe(l, split, now)
				f.Attempts, f.Certain, f.Waits = l.killed, l.killed, waits
				f.Cause = &PoisonError{Deaths: l.killed, Wait: max(0, l.due.Sub(now))}
				all = append(all, f)
			}
		}
	}
	return all
}
