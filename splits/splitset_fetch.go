package splits

import "time"

// fetchItem is one split in a fetch request.
type fetchItem struct {
	split     *ownedSplit
	cursor    Cursor
	lastState State // the newest state of the stream before the request
}

// idleFetcher is how long a fetcher that has nothing to fetch sleeps unless it is woken.
const idleFetcher = time.Minute

// maxBacklogged is how many splits with a backlog one request names: few splits that return many
// entries each cost less, on both sides, than many splits that return few entries each. The next
// requests name the other splits.
const maxBacklogged = 16

// fetchPlan is what one fetch request is to name.
type fetchPlan struct {
	items       []fetchItem
	backlogged  int           // items that probably have a backlog
	full        int           // items that probably return entries and have a backlog
	more        bool          // some splits were left out that the next request will name
	all         bool          // no split was left out: the request may block
	wait        time.Duration // when to plan again, if items is empty and no signal comes
	largeStates int           // items that return the state of a stream with large entries
}

// add adds a split to the request and marks it as being fetched. The lock of the set is held.
func (s *fetchPlan) add(o *ownedSplit) {
	o.fetching = true
	inspect := o.unchecked.due()
	if inspect && o.unchecked.large() {
		if s.largeStates++; s.largeStates > maxLargeStates {
			inspect = false // a later request asks for the state
		}
	}
	cursor := Cursor{Split: o.lease.Split, After: o.next.Offset, Inspect: inspect}
	s.items = append(s.items, fetchItem{o, cursor, o.lastState})
}

// planFetch selects splits of a fetch group that have room, and marks them as being fetched. It
// names up to maxSplits splits, of which up to maxFull probably return entries. If some splits have
// a backlog, idle splits are named every idlePoll only, so that one busy split among a thousand is
// read as fast as if it were the only one.
func (set *splitSet) planFetch(group string, maxFull, maxSplits int) fetchPlan {
	now := set.cfg.Now()
	plan := fetchPlan{all: true, wait: idleFetcher}
	var idle []*ownedSplit
	set.mu.Lock()
	defer set.mu.Unlock()
	for s, o := range set.splits { // in random order
		switch {
		case set.cfg.FetchGroup(s) != group:
		case o.trial != nil: // it is read separately
			// A trial without a failure is short, and a blocking read would delay the split after
			// it.
			plan.all = plan.all && o.trial.failures > 0
			if o.pausedUntil.After(now) {
				plan.wait = min(plan.wait, o.pausedUntil.Sub(now))
			}
		case !o.canFetch():
		case o.pausedUntil.After(now):
			plan.wait = min(plan.wait, o.pausedUntil.Sub(now))
		case !set.hasRoom(o):
			plan.all = false
		case !o.mayHaveBacklog(now):
			idle = append(idle, o)
		case plan.backlogged == min(maxBacklogged, maxSplits) || o.mayReturnEntries() && plan.full == maxFull:
			plan.more, plan.all = true, false
		default:
			plan.add(o)
			plan.backlogged++
			if o.mayReturnEntries() {
				plan.full++
			}
		}
	}
	for _, o := range idle {
		switch {
		case plan.backlogged > 0 && now.Sub(o.answeredAt) < idlePoll:
			plan.more, plan.all = true, false
		case len(plan.items) == maxSplits:
			plan.all = false
		default:
			plan.add(o)
		}
	}
	return plan
}

// planFirstFetch selects splits of one fetch group that were just added: their first read does not
// wait for a blocked fetcher.
func (set *splitSet) planFirstFetch(added []*ownedSplit, maxSplits int) []fetchItem {
	var plan fetchPlan
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, o := range added {
		if o.canFetch() && o.trial == nil && set.hasRoom(o) && len(plan.items) < maxSplits {
			plan.add(o)
		}
	}
	return plan.items
}

func (set *splitSet) hasRoom(o *ownedSplit) bool {
	return o.bytes < set.cfg.SplitBuffer && set.buffered < set.cfg.FetchMax
}

// freeBytes returns how many more bytes may be buffered.
func (set *splitSet) freeBytes() int {
	set.mu.Lock()
	defer set.mu.Unlock()
	return max(0, set.cfg.FetchMax-set.buffered)
}

// cancelFetch removes the marks of a request that failed.
func (set *splitSet) cancelFetch(items []fetchItem) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, item := range items {
		item.split.fetching = false
	}
}
