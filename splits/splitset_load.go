package splits

import "slices"

// loadTask is a request for unloaded entries of one split.
type loadTask struct {
	split   *ownedSplit
	refs    []entryRef
	offsets []Offset
}

// on returns the split of the task.
func (task loadTask) on() Split { return task.split.lease.Split }

func (task loadTask) request() LoadRequest { return LoadRequest{task.on(), task.offsets} }

// unloadWaiting makes room for other entries when entries that wait fill the memory of a split. The
// lock is held.
func (set *splitSet) unloadWaiting(o *ownedSplit) {
	if set.hasRoom(o) {
		return
	}
	if freed := o.isolation.unloadWaiting(set.cfg.SplitBuffer / 2); freed > 0 {
		set.leaveMemory(o, freed)
	}
}

// wakeLoader wakes the loader if it has something to do for a split. The lock is held.
func (set *splitSet) wakeLoader(o *ownedSplit) {
	if o.isolation.lanes != nil && len(o.isolation.lanes.wanted) > 0 {
		set.loadWanted.raise()
	}
}

// loadTasks returns the entries that are to be loaded: the first ones of each split.
func (set *splitSet) loadTasks() (all []loadTask) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, o := range set.splits {
		if o.isolation.lanes == nil || len(o.isolation.lanes.wanted) == 0 || o.stopped != nil {
			continue
		}
		task := loadTask{split: o, refs: o.isolation.lanes.nextLoad()}
		for _, r := range task.refs {
			task.offsets = append(task.offsets, r.entry().Offset)
		}
		all = append(all, task)
	}
	return all
}

// loadFailed makes the next loads smaller: maybe the answer was too large to arrive in time.
func (set *splitSet) loadFailed(tasks []loadTask) {
	set.mu.Lock()
	defer set.mu.Unlock()
	for _, task := range tasks {
		if o := task.split; o.phase != ended {
			o.isolation.lanes.loadSize /= 2
		}
	}
}

// addLoaded adds the answers of a load. Entries that the stream does not have any more were removed
// before they were processed: they are losses. failed are the errors of single splits.
func (set *splitSet) addLoaded(tasks []loadTask, answers []Loaded) (losses []Loss, failed map[Split]error) {
	failed = map[Split]error{}
	set.mu.Lock()
	defer set.mu.Unlock()
	for i, task := range tasks {
		o := task.split
		switch {
		case o.phase == ended, o.stopped != nil:
			continue
		case answers[i].Err != nil:
			failed[task.on()] = answers[i].Err
			continue
		}
		missing := set.setLoaded(task, answers[i].Entries)
		if len(missing) > 0 {
			loss := set.loseUnloaded(o, missing)
			losses = append(losses, loss)
			if loss.Stopped {
				failed[task.on()] = o.stopped
				continue
			}
		}
		o.isolation.lanes.wanted = slices.DeleteFunc(
			o.isolation.lanes.wanted,
			func(r entryRef) bool { return !r.isUnloaded() },
		)
		o.isolation.lanes.loadSize = min(2*o.isolation.lanes.loadSize+1, set.cfg.SplitBuffer/loadShare)
		o.isolation.reconsider()
		set.enqueue(o)
	}
	return losses, failed
}

// setLoaded gives the entries of a task their fields back, and returns the entries that are
// missing.
func (set *splitSet) setLoaded(task loadTask, entries []Entry) (missing []entryRef) {
	for _, r := range task.refs {
		if !r.isUnloaded() {
			continue
		}
		at := r.entry().Offset
		for len(entries) > 0 && entries[0].Offset.Before(at) {
			entries = entries[1:]
		}
		if len(entries) == 0 || entries[0].Offset != at {
			missing = append(missing, r)
			continue
		}
		delete(r.span.unloaded, r.index)
		r.span.setFields(r.index, entries[0].Fields)
		task.split.bytes += entries[0].Size()
		set.buffered += entries[0].Size()
	}
	return missing
}

// loseUnloaded skips entries that were removed before they could be loaded. Under Config.FailOnLoss
// it stops the split instead.
func (set *splitSet) loseUnloaded(o *ownedSplit, missing []entryRef) Loss {
	loss := Loss{
		Split: o.lease.Split, After: missing[0].entry().Offset.Prev(), Entries: int64(len(missing)), Exact: true,
		Stopped: set.cfg.FailOnLoss,
	}
	if loss.Stopped {
		o.stopped = &LossError{Loss: loss, Remedy: set.cfg.Remedies.Stopped}
		return loss
	}
	for _, r := range missing {
		o.resolve(r)
	}
	return loss
}
