package splits

// reportKillers returns what to report of entries that kill the process, and are not given up: each
// split at most once a minute.
func (set *splitSet) reportKillers() (all []Failing) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, o := range set.splits {
		for _, l := range o.isolation.loneFailures {
			if l.killed > 0 && !l.out && o.reportDue(now) {
				f := o.describe(l, o.lease.Split, now)
				f.Attempts, f.Certain, f.Waits = l.killed, l.killed, set.cfg.Ordering == ByPartition
				f.Cause = &PoisonError{Deaths: l.killed, Wait: max(0, l.due.Sub(now))}
				all = append(all, f)
			}
		}
	}
	return all
}
