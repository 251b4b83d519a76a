package splits

import "time"

// fetchResult is what a delivery found. It is reported without the lock.
type fetchResult struct {
	entries, bytes, largest int
	mostPerSplit            int // most entries of one split
	losses                  []Loss
	leases                  []Lease         // under which the losses were found
	failed                  map[Split]error // can't be read now
	recovered               []Split         // can be read again
	took, within            time.Duration   // how long the answer took, of the time that it may take
}

// addLoss adds a loss of a split.
func (result *fetchResult) addLoss(o *ownedSplit, loss Loss) {
	result.losses, result.leases = append(result.losses, loss), append(result.leases, o.lease)
}

// deliver adds the answers to a fetch request to the buffers. The request asked for count entries
// of each split; full entries show that a split has a backlog.
func (set *splitSet) deliver(items []fetchItem, count, full int, fetched []Fetched) fetchResult {
	now := set.cfg.Now()
	result := fetchResult{failed: map[Split]error{}}
	set.mu.Lock()
	defer set.mu.Unlock()
	for i, item := range items {
		o := item.split
		o.fetching = false
		if !o.canFetch() || o.next.Offset != item.cursor.After {
			continue // the split was given up or moved during the request
		}
		n := len(fetched[i].Entries)
		o.backlogged, o.answeredAt = n >= full || o.backlogged && n >= count, now
		o.trial = o.trial.after(n, count)
		set.deliverSplit(item, fetched[i], now, &result)
	}
	return result
}

// deliverSplit adds the answer for one split to its buffer. The lock is held.
func (set *splitSet) deliverSplit(item fetchItem, f Fetched, now time.Time, result *fetchResult) {
	o := item.split
	if f.Err != nil {
		o.pause(now, set.cfg.Backoff)
		result.failed[o.lease.Split] = f.Err
		return
	}
	if o.readBackoff != nil {
		o.readBackoff = nil
		result.recovered = append(result.recovered, o.lease.Split)
	}
	if set.cfg.FailOnLoss {
		set.checkThenAccept(item, f, now, result)
	} else {
		set.acceptThenCheck(item, f, now, result)
	}
}

// acceptThenCheck adds the entries to the buffer immediately. They are checked when a later read
// returns the state of the stream; the state in f is for the reads before this one. The lock is
// held.
func (set *splitSet) acceptThenCheck(item fetchItem, f Fetched, now time.Time, result *fetchResult) {
	o := item.split
	if reads := o.unchecked; reads != nil && f.State != nil {
		o.unchecked = nil
		o.answers++
		if !f.State.Exists { // it may exist again before anything else notices
			set.markRolledBack(o)
			return
		}
		found, goOn := set.check(item, reads, *f.State, result)
		if !goOn {
			return
		}
		o.settle(reads, found, now)
	}
	if len(f.Entries) == 0 {
		if o.unchecked != nil {
			o.unchecked.idle = true
		}
		return
	}
	o.unchecked = o.unchecked.with(o.next, f.Entries)
	set.accept(o, f.Entries, now, result)
}

// checkThenAccept checks the entries with the state in f, which was read after them, and then adds
// them to the buffer: nothing behind a loss is handed out. The lock is held.
func (set *splitSet) checkThenAccept(item fetchItem, f Fetched, now time.Time, result *fetchResult) {
	o := item.split
	if len(f.Entries) == 0 {
		return
	}
	reads := (*uncheckedReads)(nil).with(o.next, f.Entries)
	var found finding
	if f.State != nil {
		o.answers++
		var goOn bool
		if found, goOn = set.check(item, reads, *f.State, result); !goOn {
			return
		}
	}
	set.accept(o, f.Entries, now, result)
	if f.State == nil {
		return
	}
	o.settle(reads, found, now)
	if !f.State.Exists {
		set.markRolledBack(o) // takes effect when the entries have been handed out
	}
}

// check compares reads with a state of the stream, and acts on what it finds. It reports whether
// the split is read on. The lock is held.
func (set *splitSet) check(item fetchItem, reads *uncheckedReads, s State, result *fetchResult) (finding, bool) {
	o := item.split
	found := reads.check(s, item.lastState)
	loss := found.loss
	loss.Split = o.lease.Split
	switch {
	case found.change == rolledBack, found.change == replaced && set.cfg.FailOnLoss:
		set.markRolledBack(o) // the next claim decides whether the split is stopped
		return found, false
	case found.change == lost && set.cfg.FailOnLoss:
		loss.Stopped = true
		o.stopped = &LossError{Loss: loss, Remedy: set.cfg.Remedies.Stopped}
		result.failed[loss.Split] = o.stopped
		result.addLoss(o, loss)
		return found, false
	case found.change == lost:
		result.addLoss(o, loss)
	case found.change == replaced:
		result.addLoss(o, loss)
		o.lastState, o.fingerprints = State{}, nil
		o.forgetCounts()
	}
	o.observe(s)
	return found, true
}

// settle corrects the counts of reads that were checked, and keeps a fingerprint of the last entry:
// it belongs to the stream whose state was seen.
func (o *ownedSplit) settle(reads *uncheckedReads, found finding, now time.Time) {
	o.correctCount(reads.before, len(reads.offsets), found.read)
	o.fingerprints.add(Position{Offset: reads.last(), EntriesRead: found.read}, reads.sum, now)
}

// accept adds entries to the buffer of a split. The lock is held.
func (set *splitSet) accept(o *ownedSplit, entries []Entry, now time.Time, result *fetchResult) {
	o.lastRead = now
	o.answers++
	size := o.accept(entries)
	set.buffered += size
	result.entries += len(entries)
	result.bytes += size
	result.mostPerSplit = max(result.mostPerSplit, len(entries))
	for _, e := range entries {
		result.largest = max(result.largest, e.Size())
	}
	set.enqueue(o)
}

// dropBuffer drops the fetched entries of a split that were not handed out. The lock is held.
func (set *splitSet) dropBuffer(o *ownedSplit) {
	for _, run := range o.buffer {
		size := sizeOf(run.entries)
		o.bytes -= size
		set.buffered -= size
	}
	o.entriesFetched -= o.bufferedEntries()
	o.buffer = nil
	for _, e := range o.adoption.drop() {
		o.bytes -= e.Size()
		set.buffered -= e.Size()
	}
}
