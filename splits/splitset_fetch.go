package splits

import "time"

// intake is one split in a fetch request.
type fetchItem struct {
	split     *ownedSplit
	cursor    Cursor
	lastState State // what was known of the stream before it was asked
}

// idleFetcher is how long a fetcher without a split to fetch sleeps unless it is woken.
const idleFetcher = time.Minute

// mostBehind is how many splits with a backlog one request names: a few that return many entries
// each cost less, on both sides, than many that return a few each. The others have their turn with
// the next requests.
const maxBacklogged = 16

// selection is what one fetch request is to name.
type fetchPlan struct {
	items       []fetchItem
	backlogged  int           // how many of them have a backlog, as far as anybody knows
	full        int           // how many of those probably bring entries
	more        bool          // some were left out that the next request will name
	all         bool          // none was left out at all: the request may block
	wait        time.Duration // when to look again, if there are no items and nothing happens before
	largeStates int           // how many of them bring two large entries along, since their streams are looked at
}

// add marks a split as being fetched and puts it into the request. The lock of the Reader is held.
func (s *fetchPlan) add(o *ownedSplit) {
	o.fetching = true
	inspect := o.unchecked.due()
	if inspect && o.unchecked.large() {
		if s.largeStates++; s.largeStates > maxLargeStates {
			inspect = false // another request will look
		}
	}
	s.items = append(s.items, fetchItem{o, Cursor{Split: o.lease.Split, After: o.next.Offset, Inspect: inspect}, o.lastState})
}

// fetchable selects splits of a shard that have room, up to most, of which mostFull may be full,
// and marks them as being fetched. Beside splits with a backlog, quiet ones are named every
// lookAgain only, so that one busy split among a thousand flows as if it were alone.
func (set *splitSet) planFetch(shard string, mostFull, most int) fetchPlan {
	now := set.cfg.Now()
	plan := fetchPlan{all: true, wait: idleFetcher}
	var quiet []*ownedSplit
	set.mu.Lock()
	defer set.mu.Unlock()
	for s, o := range set.splits { // in another order each time
		switch {
		case set.cfg.FetchGroup(s) != shard:
		case o.trial != nil: // it is read by itself
			plan.all = plan.all && o.trial.failures > 0 // else it soon is not, and has to wait for the end of this read
			if o.pausedUntil.After(now) {
				plan.wait = min(plan.wait, o.pausedUntil.Sub(now))
			}
		case !o.canFetch():
		case o.pausedUntil.After(now):
			plan.wait = min(plan.wait, o.pausedUntil.Sub(now))
		case !set.hasRoom(o):
			plan.all = false
		case !o.mayHaveBacklog(now):
			quiet = append(quiet, o)
		case plan.backlogged == min(maxBacklogged, most) || o.mayReturnEntries() && plan.full == mostFull:
			plan.more, plan.all = true, false
		default:
			plan.add(o)
			plan.backlogged++
			if o.mayReturnEntries() {
				plan.full++
			}
		}
	}
	for _, o := range quiet {
		switch {
		case plan.backlogged > 0 && now.Sub(o.answeredAt) < idlePoll:
			plan.more, plan.all = true, false
		case len(plan.items) == most:
			plan.all = false
		default:
			plan.add(o)
		}
	}
	return plan
}

// firstFetch is fetchable for splits of one shard that were just added: their own first read need
// not wait for a blocked fetcher.
func (set *splitSet) planFirstFetch(owned []*ownedSplit, most int) []fetchItem {
	var plan fetchPlan
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, o := range owned {
		if o.canFetch() && o.trial == nil && set.hasRoom(o) && len(plan.items) < most {
			plan.add(o)
		}
	}
	return plan.items
}

func (set *splitSet) hasRoom(o *ownedSplit) bool {
	return o.bytes < set.cfg.SplitBuffer && set.buffered < set.cfg.FetchMax
}

// spare is how many bytes may still be fetched ahead.
func (set *splitSet) freeBytes() int {
	set.mu.Lock()
	defer set.mu.Unlock()
	return max(0, set.cfg.FetchMax-set.buffered)
}

// abandon takes back the marks of a request that failed as a whole.
func (set *splitSet) cancelFetch(items []fetchItem) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, item := range items {
		item.split.fetching = false
	}
}
