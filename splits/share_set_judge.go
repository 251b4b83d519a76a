package splits

import (
	"context"
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
		if len(s.buffer) > 0 {
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

// addLoaded adds an entry that was loaded. An entry that failed before, at this member or another,
// begins alone. An entry whose letter is written is done. The lock is held.
func (s *shareSplit) addLoaded(e Entry, failed map[Offset]Attempted) {
	switch a, before := failed[e.Offset]; {
	case !before:
		s.addToBuffer(e)
	case s.passOver(e):
		s.buried = append(s.buried, e.Offset)
	case a.Lettered:
		s.finish(e.Offset)
		s.buried = append(s.buried, e.Offset)
	default:
		s.put(e.Offset, shareOut)
		ref := entryRef{newSpan([]Entry{e}), 0}
		s.isolation.restore(ref, a, s.set.judge.successes, s.set.cfg.Now())
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

// storeNotes makes one call of the store, for the noter.
func (set *shareSet) storeNotes(ctx context.Context, tasks []noteTask[*shareSplit]) []error {
	member, _ := set.names()
	notes := make([]ShareNote, len(tasks))
	for i, t := range tasks {
		notes[i] = ShareNote{
			Split: t.split, Generation: t.under, Member: member, Failing: t.failing, Resolved: t.resolved,
		}
	}
	return set.cfg.Shares.Note(ctx, notes)
}
