package splits

import "context"

// startTrials reads the splits that are on trial and due, in a goroutine that ends when no more are
// due or ctx ends. It does nothing if there is a side request already.
func (f *fetcher) startTrials(ctx context.Context) {
	if !f.sideBusy.CompareAndSwap(false, true) {
		return
	}
	first := f.nextTrial()
	if len(first.items) == 0 {
		f.sideBusy.Store(false)
		return
	}
	f.spawn(func() {
		defer f.endSideRequest()
		r := first
		for len(r.items) > 0 && ctx.Err() == nil {
			out := f.fetch(ctx, r)
			if out.err != nil && !out.onTrial {
				return // the main request waits until the store is available
			}
			r = f.nextTrial()
		}
		f.set.cancelFetch(r.items)
	})
}

// nextTrial returns the next request of trials that are due. It has no items if there is none.
func (f *fetcher) nextTrial() request {
	items, like := f.set.planTrial(f.group)
	if len(items) == 0 {
		return request{}
	}
	count := like.count
	if count > 1 {
		most, _ := f.sizes.count(len(items), len(items), f.set.freeBytes())
		count = min(count, most)
	}
	return request{items: items, count: count, full: count, failures: like.failures}
}

func (f *fetcher) endSideRequest() {
	f.sideBusy.Store(false)
	f.room.raise() // the main request may sleep because these splits were busy
}

// readFirst reads splits that were just claimed for the first time. If there is a side request
// already, the main request reads them.
func (f *fetcher) readFirst(ctx context.Context, owned []*ownedSplit) {
	if !f.sideBusy.CompareAndSwap(false, true) {
		f.room.raise()
		return
	}
	defer f.endSideRequest()
	_, most := f.sizes.maxSplits(f.set.freeBytes())
	items := f.set.planFirstFetch(owned, most)
	if len(items) == 0 {
		return
	}
	req := request{items: items}
	req.count, req.full = f.sizes.count(len(items), len(items), f.set.freeBytes())
	_ = f.fetch(ctx, req) // health has recorded an error, and the main request tries again
}

// reportEntry reports an entry that does not arrive although nothing else was requested.
func (f *fetcher) reportEntry(at Cursor, next Peeked, failures int, err error) {
	switch {
	case next.Err == nil && next.Size < largeEntry && failures < 2:
	case next.Err == nil && next.Offset == (Offset{}): // the split has no next entry: something else is wrong
		f.health.fail(task{taskSplit, at.Split.Key}, err)
	default:
		err = &EntryError{Split: at.Split, After: at.After, Next: next, Cause: err}
		f.health.fail(task{taskSplit, at.Split.Key}, err)
	}
}
