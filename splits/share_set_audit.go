package splits

import (
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// The waits before a split whose stream does not exist yet is opened again: they double.
const (
	minOpenWait = 50 * time.Millisecond
	maxOpenWait = time.Second
)

// inGroup returns the splits of a fetch group, in the order of their partitions. The lock is held.
func (set *shareSet) inGroup(group string) (all []*shareSplit) {
	for _, s := range set.ordered {
		if set.cfg.FetchGroup(s.split) == group {
			all = append(all, s)
		}
	}
	return all
}

// dueOpens returns the splits of a fetch group that are to be opened now.
func (set *shareSet) dueOpens(group string) (due []ShareOpen) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, s := range set.inGroup(group) {
		if !s.open && !now.Before(s.openDue) {
			due = append(due, ShareOpen{Split: s.split, Start: s.start})
		}
	}
	return due
}

// opened handles the answer to a ShareOpen. It reports whether the split is open for the first
// time.
func (set *shareSet) opened(split Split, answer ShareOpened) (first bool) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	s := set.splits[split]
	switch {
	case s == nil:
	case answer.Err != nil || !answer.Exists:
		s.openWait = min(max(2*s.openWait, minOpenWait), maxOpenWait, set.cfg.Heartbeat)
		s.openDue = now.Add(s.openWait)
	default:
		first = !s.opened
		s.open, s.opened, s.openWait = true, true, 0
		s.sync(answer.Generation)
	}
	return first
}

// anyOpen reports whether a split of a fetch group is open.
func (set *shareSet) anyOpen(group string) bool { return len(set.openSplits(group)) > 0 }

// openSplits returns the splits of a fetch group that are open.
func (set *shareSet) openSplits(group string) (all []Split) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, s := range set.inGroup(group) {
		if s.open {
			all = append(all, s.split)
		}
	}
	return all
}

// groupGone notes that the store does not have the group in a split.
func (set *shareSet) groupGone(split Split) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if s := set.splits[split]; s != nil {
		s.close()
	}
}

// auditNow makes an audit of a split due.
func (set *shareSet) auditNow(split Split) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if s := set.splits[split]; s != nil {
		s.auditDue = time.Time{}
	}
}

// beginAudit begins the audits that are due of a fetch group. What is acknowledged before they end
// is remembered: it may be pending in the answers.
func (set *shareSet) beginAudit(group string) (due []Split) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, s := range set.inGroup(group) {
		if s.open && !now.Before(s.auditDue) {
			s.confirmed = map[Offset]bool{}
			due = append(due, s.split)
		}
	}
	return due
}

// finishAudit handles the answer of what is pending at name in a split. partial reports whether the
// answer may lack offsets.
func (set *shareSet) finishAudit(split Split, name string, answer ShareHeld, partial bool) error {
	set.mu.Lock()
	defer set.mu.Unlock()
	s := set.splits[split]
	if s == nil {
		return nil
	}
	confirmed := s.confirmed
	s.confirmed = nil
	switch {
	case errors.Is(answer.Err, ErrNoGroup):
		s.close()
		return nil
	case answer.Err != nil:
		return answer.Err
	case set.name != name:
		return nil
	case answer.Generation == 0:
		s.close() // opening it gives it a generation
		return nil
	}
	s.sync(answer.Generation)
	s.compare(answer.Offsets, confirmed, partial)
	s.auditDue = set.cfg.Now().Add(set.cfg.AuditEvery/2 + rand.N(set.cfg.AuditEvery/2+1))
	if !s.poison.idle() {
		set.enqueue(s)
	}
	return nil
}

// compare makes what this member has of a split equal to what is pending at the member in the
// store. The lock is held.
func (s *shareSplit) compare(pending []Offset, confirmed map[Offset]bool, partial bool) {
	listed := make(map[Offset]bool, len(pending))
	for _, o := range pending {
		listed[o] = true
		switch state := s.entries[o]; {
		case state == shareOrphaned:
			s.put(o, shareOut)
		case state == shareUnknown && !confirmed[o]:
			s.put(o, shareLoading)
			s.loading = append(s.loading, o)
		}
	}
	s.noteMissing(listed, partial)
	if partial {
		return
	}
	s.dropBuffered(func(o Offset) bool { return !listed[o] })
	s.loading = slices.DeleteFunc(s.loading, func(o Offset) bool {
		if !listed[o] {
			s.put(o, shareUnknown)
		}
		return !listed[o]
	})
	for o, state := range s.entries {
		if state == shareOut && !listed[o] {
			s.put(o, shareOrphaned)
		}
	}
}

// roomToTake returns how many entries may be taken over now. Room that is reserved for reads
// counts: a read that waits reserves it all the time. What was pending at an earlier name of this
// member needs no room: the member had it before.
func (set *shareSet) roomToTake(former bool) int {
	if former {
		return MaxTake
	}
	set.mu.Lock()
	defer set.mu.Unlock()
	return min(MaxTake, max(0, set.free()))
}

// free returns how many more entries this member may have, including the reserved ones. One batch
// may be read ahead, and one entry of each fetch group: a read that waits must not keep the others
// from reading. The lock is held.
func (set *shareSet) free() int {
	mostAhead := max(set.cfg.BatchSize, len(set.room))
	return min(set.cfg.CheckpointLimit+mostAhead-set.held, mostAhead-set.ahead) + set.stuck()
}

// beginTake notes that entries of a split are about to be taken over. What is acknowledged before
// took is called is remembered: the store may answer that it was taken over before that.
func (set *shareSet) beginTake(split Split) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if s := set.splits[split]; s != nil {
		s.confirmed = map[Offset]bool{}
	}
}

// took adds entries that were taken over under a name. It returns how many of them this member did
// not have.
func (set *shareSet) took(split Split, name string, taken ShareTaken) (added int) {
	set.mu.Lock()
	defer set.mu.Unlock()
	s := set.splits[split]
	if s == nil {
		return 0
	}
	confirmed := s.confirmed
	s.confirmed = nil
	switch {
	case set.name != name:
		return 0 // they are taken over again from the earlier name
	case taken.Generation == 0:
		s.close() // opening it gives it a generation, and an audit finds the entries then
		s.auditDue = time.Time{}
		return 0
	}
	s.sync(taken.Generation)
	for _, o := range taken.Offsets {
		switch state := s.entries[o]; {
		case state == shareUnknown && !confirmed[o]:
			s.put(o, shareLoading)
			s.loading = append(s.loading, o)
			added++
		case state == shareOrphaned:
			s.put(o, shareOut)
		}
	}
	return added
}

// nextLoad returns which entries are to be loaded next, if there are any and there is room.
func (set *shareSet) nextLoad(group string) (ShareLoad, bool) {
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.buffered >= set.cfg.FetchMax || !set.trusted.Trusted(set.cfg.Now()) {
		return ShareLoad{}, false
	}
	for _, s := range set.inGroup(group) {
		if some := s.loads.next(s.sortedLoading(), set.cfg.Now()); len(some) > 0 {
			return ShareLoad{Split: s.split, Offsets: some, Generation: s.generation}, true
		}
	}
	return ShareLoad{}, false
}

// loaded adds loaded entries to the buffer. It returns the offsets whose entries are not in the
// stream any more; they are acknowledged. recovered reports whether the last entry has arrived that
// did not arrive before.
func (set *shareSet) loaded(request ShareLoad, answer ShareLoaded) (lost []Offset, recovered bool) {
	set.mu.Lock()
	defer set.mu.Unlock()
	s := set.splits[request.Split]
	if s == nil {
		return nil, false
	}
	recovered = s.loads.succeeded(request.Offsets[:min(max(answer.Looked, 1), len(request.Offsets))])
	looked, failed, suspected := map[Offset]bool{}, map[Offset]*Attempted{}, map[Offset]Suspected{}
	for i, a := range answer.Failing {
		failed[a.Offset] = &answer.Failing[i]
	}
	for _, a := range answer.Suspected {
		suspected[a.Offset] = a
	}
	for _, o := range request.Offsets[:min(max(answer.Looked, 1), len(request.Offsets))] {
		looked[o] = s.entries[o] == shareLoading
	}
	for _, e := range answer.Entries {
		if looked[e.Offset] {
			delete(looked, e.Offset)
			s.addLoaded(loadedEntry{e, failed[e.Offset], suspected[e.Offset]})
		}
	}
	for o, wanted := range looked {
		if wanted && s.lost(o) {
			lost = append(lost, o)
			s.finish(o)
			if _, stored := failed[o]; stored {
				s.buried = append(s.buried, o)
			}
		}
	}
	s.loading = slices.DeleteFunc(s.loading, func(o Offset) bool { return s.entries[o] != shareLoading })
	set.acknowledgeLater(s)
	set.storeFlight(s, set.cfg.Now())
	set.enqueue(s)
	return lost, recovered
}
