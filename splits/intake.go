package splits

import "time"

// The side of a Reader that the fetchers see: which splits have room, and taking in what was
// fetched of them.

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

// mayBeBehind reports whether the split may have a backlog: the last read had as many entries as
// were asked for, or is too long ago to tell.
func (o *ownedSplit) mayHaveBacklog(now time.Time) bool {
	return o.backlogged || now.Sub(o.answeredAt) > blockFor
}

// mayBring reports whether a read probably brings entries: the last one brought as many as were
// asked for, or there was none yet.
func (o *ownedSplit) mayReturnEntries() bool { return o.backlogged || o.answeredAt.IsZero() }

// mayFetch reports whether the split is one that a request may be made for now.
func (o *ownedSplit) canFetch() bool {
	return o.phase == reading && !o.fetching && !o.rolledBack && o.stopped == nil
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

// intakeReport is what a delivery brought to light, to be told outside of the lock.
type fetchResult struct {
	entries, bytes, largest int
	fullest                 int // most entries of one split
	losses                  []Loss
	leases                  []Lease         // under which they were found
	failed                  map[Split]error // can't be read now
	recovered               []Split         // can be read again
	took, within            time.Duration   // how long the answer took, of the time that there was for it
}

// deliver takes in the answers to a request for count entries of each split, of which full tell of
// a backlog.
func (set *splitSet) deliver(items []fetchItem, count, full int, fetched []Fetched) fetchResult {
	now := set.cfg.Now()
	report := fetchResult{failed: map[Split]error{}}
	set.mu.Lock()
	defer set.mu.Unlock()
	for i, item := range items {
		o := item.split
		o.fetching = false
		if !o.canFetch() || o.next.Offset != item.cursor.After {
			continue // it was given up or moved while the request was under way
		}
		n := len(fetched[i].Entries)
		o.backlogged, o.answeredAt = n >= full || o.backlogged && n >= count, now
		o.trial = o.trial.after(n, count)
		set.deliverSplit(item, fetched[i], now, &report)
	}
	return report
}

func (set *splitSet) deliverSplit(item fetchItem, f Fetched, now time.Time, report *fetchResult) {
	o := item.split
	s := o.lease.Split
	if f.Err != nil {
		o.pause(now, set.cfg.Backoff)
		report.failed[s] = f.Err
		return
	}
	if o.readBackoff != nil {
		o.readBackoff = nil
		report.recovered = append(report.recovered, s)
	}
	p := o.unchecked
	if set.cfg.FailOnLoss && len(f.Entries) > 0 {
		p = (*uncheckedReads)(nil).with(o.next, f.Entries) // judged before anything of it is handed out
	}
	var found *finding
	if f.State != nil && p != nil {
		o.unchecked = nil
		o.answers++
		if found = set.judge(item, *p, *f.State, report); found == nil {
			return
		}
	}
	if len(f.Entries) == 0 {
		if o.unchecked != nil {
			o.unchecked.quiet = true
		}
		return
	}
	if !set.cfg.FailOnLoss {
		o.unchecked = o.unchecked.with(o.next, f.Entries)
	}
	set.accept(o, f.Entries, now, report)
	if set.cfg.FailOnLoss && found != nil {
		o.correctCount(p.before, len(p.offsets), found.read)
		if !f.State.Exists {
			set.markRolledBack(o) // once what was read of it has been handed out
		}
	}
}

func (set *splitSet) accept(o *ownedSplit, entries []Entry, now time.Time, report *fetchResult) {
	o.lastRead = now
	o.answers++
	size := o.accept(entries)
	set.buffered += size
	report.entries += len(entries)
	report.bytes += size
	report.fullest = max(report.fullest, len(entries))
	for _, e := range entries {
		report.largest = max(report.largest, e.Size())
	}
	set.enqueue(o)
}

// judge works out whether a read jumped over lost entries, and corrects the counts behind it. It
// returns nil if the split is not to be read on under this lease.
func (set *splitSet) judge(item fetchItem, p uncheckedReads, state State, report *fetchResult) *finding {
	o := item.split
	if !state.Exists && !set.cfg.FailOnLoss { // it may be there again before anybody else looks
		set.markRolledBack(o)
		return nil
	}
	found := p.judge(state, item.lastState)
	// whether it stops the split is known at the claim
	if found.back || found.loss != nil && found.loss.Recreated && set.cfg.FailOnLoss {
		set.markRolledBack(o)
		return nil
	}
	if found.loss != nil {
		loss := *found.loss
		loss.Split, loss.Stopped = o.lease.Split, set.cfg.FailOnLoss
		report.losses, report.leases = append(report.losses, loss), append(report.leases, o.lease)
		if loss.Stopped {
			o.stopped = &LossError{Loss: loss}
			report.failed[loss.Split] = o.stopped
			return nil
		}
		if loss.Recreated {
			o.lastState, o.fingerprints = State{}, nil
			o.forgetCounts()
		}
	}
	o.observe(state)
	if !set.cfg.FailOnLoss {
		o.correctCount(p.before, len(p.offsets), found.read)
	}
	// it belongs to the history that was read
	o.fingerprints.add(Position{Offset: p.last(), EntriesRead: found.read}, p.sum, set.cfg.Now())
	return &found
}

func (set *splitSet) dropBuffer(o *ownedSplit) {
	set.buffered -= o.bytes
	o.entriesFetched -= o.bufferedEntries()
	o.buffer, o.bytes = nil, 0
}

// wakeFetcher tells the fetcher of a split that there may be something to fetch. The lock is held.
func (set *splitSet) wakeFetcher(s Split) {
	if room := set.room[set.cfg.FetchGroup(s)]; room != nil {
		room.raise()
	}
}

// wakeAllFetchers is wakeFetcher for every shard. The lock is held.
func (set *splitSet) wakeAllFetchers() {
	for _, room := range set.room {
		room.raise()
	}
}

// roomSignal returns the signal that wakes the fetcher of a shard.
func (set *splitSet) roomSignal(shard string) signal {
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.room[shard] == nil {
		set.room[shard] = newSignal()
	}
	return set.room[shard]
}

// holdsIn reports whether any split of the shard is held.
func (set *splitSet) ownsIn(shard string) bool {
	set.mu.Lock()
	defer set.mu.Unlock()
	for s := range set.splits {
		if set.cfg.FetchGroup(s) == shard {
			return true
		}
	}
	return false
}
