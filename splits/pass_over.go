package splits

// passedOver counts entries that were passed over and not reported yet.
type passedOver map[Split]int

// report reports the counts to an observer.
func (p passedOver) report(to Observer) {
	for split, n := range p {
		to.PassedOver(split, n)
	}
}

// passedBy notes that n entries of a split were passed over. The lock is held.
func (t *turns[S]) passedBy(split Split, n int) {
	if n == 0 {
		return
	}
	if t.passed == nil {
		t.passed = passedOver{}
	}
	t.passed[split] += n
}

// takePassed returns what is to be reported without the lock. The lock is held.
func (t *turns[S]) takePassed() passedOver {
	passed := t.passed
	t.passed = nil
	return passed
}

// passOver resolves the entries of a span that the group is to pass over. The lock is held.
func (set *splitSet) passOver(o *ownedSplit, s *span) {
	if set.cfg.PassOver == nil {
		return
	}
	size, n := 0, 0
	for i, e := range s.entries { // resolving the last one drops them
		if !s.isResolved(i) && set.cfg.PassOver(e) {
			size += e.Size()
			n++
			o.resolve(entryRef{s, i})
		}
	}
	if n > 0 {
		set.leaveMemory(o, size)
		set.passedBy(o.lease.Split, n)
	}
}

// passOver notes that an entry was processed, if the group is to pass over it, and reports whether
// it is. The lock is held.
func (s *shareSplit) passOver(e Entry) bool {
	if s.set.cfg.PassOver == nil || !s.set.cfg.PassOver(e) {
		return false
	}
	s.finish(e.Offset)
	s.set.passedBy(s.split, 1)
	s.set.acknowledgeLater(s)
	return true
}
