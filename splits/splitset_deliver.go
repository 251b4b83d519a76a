package splits

import "time"

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
