package splits

import (
	"iter"
	"maps"
	"time"
)

// What the judge of a member of a share group needs of the set, see judgedSet and judged. What is
// stored of an entry that fails is stored under the generation, and only while the entry is pending
// at this member.

func (s *shareSplit) fence() (Split, uint64) { return s.split, s.generation }

func (s *shareSplit) over() bool { return s.set.splits[s.split] != s }

func (s *shareSplit) has(l *loneFailure) bool {
	return !s.over() && s.entries[l.ref.entry().Offset] == shareOut
}

func (set *shareSet) each() iter.Seq[*shareSplit] { return maps.Values(set.splits) }

func (set *shareSet) handOutAgain(s *shareSplit) { set.enqueue(s) }

// hasOthers reports whether this member has other entries that are not processed. The lock is held.
func (set *shareSet) hasOthers(*shareSplit, *loneFailure) bool { return set.out+set.ahead > 1 }

// tryAnother makes Poll look at all splits: entries have no order, so any entry will do. Nothing
// has to be done unless as many entries are out as may be, see nextProbe. The lock is held.
func (set *shareSet) tryAnother(*shareSplit) { set.enqueueBuffered() }

func (set *shareSet) enqueueBuffered() {
	for _, s := range set.splits {
		if len(s.buffer) > 0 || len(s.poison.waiting) > 0 {
			set.enqueue(s)
		}
	}
}

// nextProbe returns an entry that fails, if another entry is to be handed out although as many are
// out as may be: while all of these fail, nothing shows whether any entry can be processed. The
// lock is held.
func (set *shareSet) nextProbe() (wanting *loneFailure) {
	failed := 0
	for _, s := range set.splits {
		l, probes := s.isolation.probes(set.cfg.DeadLetters.MaxDeliveries)
		if failed += probes; probes < 0 || failed > maxFailedProbes {
			return nil
		}
		if wanting == nil {
			wanting = l
		}
	}
	return wanting
}

// refused looks for the generation that the store has now.
func (set *shareSet) refused(split Split, under uint64, _ error) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if s := set.splits[split]; s != nil && s.generation == under {
		s.poison.putBack()
		set.cfg.Failures.endAlone(s)
		s.auditDue = time.Time{}
		set.wakeReaders()
	}
}

// bury resolves an entry whose letter is written and noted, unless other members may have it.
func (set *shareSet) bury(c condemned[*shareSplit]) {
	set.mu.Lock()
	defer set.mu.Unlock()
	s := c.split
	if !set.judge.holds(s, c.lone) {
		return
	}
	s.finish(c.letter.Entry.Offset)
	s.buried = append(s.buried, c.letter.Entry.Offset)
	s.isolation.remove(c.lone)
	s.calmDown()
	set.judge.failingSince = time.Time{}
	set.acknowledgeLater(s)
	set.enqueue(s)
	set.enqueueBuffered()
}

// finish notes that an entry was processed. The lock is held.
func (s *shareSplit) finish(o Offset) {
	s.put(o, shareDone)
	s.done = append(s.done, o)
}

// loadedEntry is an entry that was loaded, and what is stored of it.
type loadedEntry struct {
	Entry
	failed    *Attempted // nil if it did not fail before, at this member or another
	suspected Suspected
}

// addLoaded adds an entry that was loaded. An entry that failed before begins alone. An entry that
// has killed LoneDeaths members is set aside. An entry whose letter is written is done. The lock is
// held.
func (s *shareSplit) addLoaded(e loadedEntry) {
	killer := e.suspected.Deaths >= LoneDeaths
	switch {
	case e.failed == nil && !e.suspected.suspected():
		s.addToBuffer(e.Entry)
	case s.passOver(e.Entry):
		s.buried = append(s.buried, e.Offset)
	case e.failed != nil && e.failed.Lettered:
		s.finish(e.Offset)
		s.buried = append(s.buried, e.Offset)
	case e.failed == nil && !killer:
		s.suspect(e.suspected, false)
		s.poison.wait(e.Entry)
		s.buffered(e.Entry, 1, shareBuffered)
	default:
		s.restore(e, killer)
	}
}

// restore adds an entry that failed before or has killed LoneDeaths members. The lock is held.
func (s *shareSplit) restore(e loadedEntry, killer bool) {
	now, p := s.set.cfg.Now(), piece{refs: []entryRef{{newSpan([]Entry{e.Entry}), 0}}}
	s.put(e.Offset, shareOut)
	if e.failed != nil {
		p.lone = s.isolation.restore(p.refs[0], *e.failed, s.set.judge.successes, now)
		p.deliveries = p.lone.deliveries
	}
	if e.suspected.suspected() {
		s.suspect(e.suspected, killer)
	}
	if killer {
		s.isolation.setAside(p, e.suspected.Deaths, now)
		s.set.judge.verdictWanted.raise()
	}
}

// newSpan returns a span of entries without a tracker.
func newSpan(entries []Entry) *span {
	n := len(entries)
	return &span{entries: entries, size: n, resolved: make([]bool, n), open: n}
}

// forgetBuried makes the noter remove what is stored of entries whose acknowledgement the store has
// confirmed. The lock is held.
func (s *shareSplit) forgetBuried() {
	kept := s.buried[:0]
	for _, o := range s.buried {
		if s.entries[o] == shareDone {
			kept = append(kept, o)
		} else {
			s.set.judge.forget(s, o)
		}
	}
	s.buried = kept
}
