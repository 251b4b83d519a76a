package splits

import (
	"errors"
	"slices"
	"time"
)

// sharePlan is what one read is to name.
type sharePlan struct {
	splits      []Split
	read        []*shareSplit // in the same order
	generations []uint64      // of read
	count       int
	block       time.Duration
	reserved    int
	behind      int           // splits that probably have a backlog
	wait        time.Duration // when to plan again, if splits is empty and no signal comes
}

// planRead selects splits of a fetch group, the ones that were read longest ago first, and reserves
// room for what the read may deliver. The count of a read is per split. So if splits have a
// backlog, most reads name only a few of these, and the others are named every idlePoll.
func (set *shareSet) planRead(group string, sizes *fetchSizer) sharePlan {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	plan := sharePlan{wait: idleFetcher}
	room, spare := set.free()-set.reserved, set.cfg.FetchMax-set.buffered
	if set.closed || room <= 0 || spare <= 0 || !set.trusted.Trusted(now) {
		return plan
	}
	open := set.splitsToRead(group, now, &plan)
	if len(open) == 0 {
		return plan
	}
	if plan.behind > 0 {
		room = set.shareOfRoom(room, 2)
	} else {
		room = set.shareOfRoom(room, 2*len(set.room))
	}
	chosen := chooseSplits(open, plan.behind, now)
	chosen = chosen[:min(len(chosen), room)]
	n, _ := sizes.count(plan.behind, len(chosen), spare)
	plan.count = max(1, min(n, room/len(chosen), set.cfg.BatchSize))
	plan.reserved = plan.count * len(chosen)
	set.reserved += plan.reserved
	if len(chosen) == len(open) {
		plan.block = blockFor
	}
	for _, s := range chosen {
		s.readAt = now
		plan.splits, plan.read = append(plan.splits, s.split), append(plan.read, s)
		plan.generations = append(plan.generations, s.generation)
	}
	return plan
}

// splitsToRead returns the splits of a fetch group that can be read, the ones that were read longest
// ago first. It sets plan.behind and plan.wait. The lock is held.
func (set *shareSet) splitsToRead(group string, now time.Time, plan *sharePlan) (open []*shareSplit) {
	for _, s := range set.inGroup(group) {
		if !s.open {
			plan.wait = min(plan.wait, max(s.openDue.Sub(now), time.Millisecond))
			continue
		}
		open = append(open, s)
		plan.behind += count(s.backlogged)
	}
	slices.SortStableFunc(open, func(a, b *shareSplit) int { return a.readAt.Compare(b.readAt) })
	return open
}

// shareOfRoom returns the part of the room that one read may reserve. If there are several fetch
// groups, a read that waits must leave room for the others. The lock is held.
func (set *shareSet) shareOfRoom(room, parts int) int {
	if len(set.room) <= 1 {
		return room
	}
	return max(1, room/parts)
}

// chooseSplits returns the splits that a read is to name: all, or a few of the ones that have a
// backlog, if the others were read a moment ago.
func chooseSplits(open []*shareSplit, behind int, now time.Time) []*shareSplit {
	if behind == 0 || now.Sub(open[0].readAt) >= idlePoll {
		return open
	}
	chosen := make([]*shareSplit, 0, maxBacklogged)
	for _, s := range open {
		if s.backlogged && len(chosen) < maxBacklogged {
			chosen = append(chosen, s)
		}
	}
	return chosen
}

// readFailed notes that the answer to a read was lost: its entries may be pending at this member.
func (set *shareSet) readFailed(plan sharePlan) {
	set.mu.Lock()
	defer set.mu.Unlock()
	set.release(plan)
	for _, s := range plan.read {
		s.auditDue = time.Time{}
	}
}

// release gives back the reserved room. The lock is held.
func (set *shareSet) release(plan sharePlan) {
	set.reserved -= plan.reserved
	if len(set.room) > 1 {
		set.wakeReaders()
	}
}

// delivered adds what a read under a name delivered to the buffers.
func (set *shareSet) delivered(plan sharePlan, name string, answers []Delivered) fetchResult {
	now := set.cfg.Now()
	result := fetchResult{failed: map[Split]error{}}
	set.mu.Lock()
	defer set.mu.Unlock()
	set.release(plan)
	for i, s := range plan.read {
		answer := answers[i]
		switch {
		case set.splits[s.split] != s:
		case errors.Is(answer.Err, ErrNoGroup) || answer.Err == nil && answer.Generation == 0:
			s.close()
			s.auditDue = time.Time{}
		case answer.Err != nil:
			s.close()
			s.openWait = max(s.openWait, minOpenWait)
			s.openDue = now.Add(s.openWait)
			s.failed = true
			result.failed[s.split] = answer.Err
		default:
			if s.failed {
				s.failed = false
				result.recovered = append(result.recovered, s.split)
			}
			s.backlogged = len(answer.Entries) >= plan.count
			if set.name == name && s.generation == plan.generations[i] {
				s.sync(answer.Generation)
				set.acceptNew(s, answer.Entries, now, &result)
			} else if len(answer.Entries) > 0 {
				s.auditDue = time.Time{} // they are pending, and an audit finds under which generation
			}
		}
	}
	return result
}

// acceptNew adds new entries of a split to its buffer. The lock is held.
func (set *shareSet) acceptNew(s *shareSplit, entries []Entry, now time.Time, result *fetchResult) {
	if len(entries) == 0 {
		return
	}
	s.lastRead = now
	for _, e := range entries {
		size := e.Size()
		result.entries, result.bytes = result.entries+1, result.bytes+size
		result.largest = max(result.largest, size)
		s.addToBuffer(e)
	}
	result.mostPerSplit = max(result.mostPerSplit, len(entries))
	set.enqueue(s)
}
