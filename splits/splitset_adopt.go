package splits

import (
	"errors"
	"time"
)

// hasNew reports whether there are entries that were not handed out before, and may be now.
func (o *ownedSplit) hasNew() bool {
	return !o.adoption.empty() || !o.adoption.blocks() && len(o.buffer) > 0
}

// unresolved returns the number of entries that were handed out and are not resolved.
func (o *ownedSplit) unresolved() int { return o.tracker.Pending() + o.adoption.unresolved() }

// resolve marks an entry as resolved.
func (o *ownedSplit) resolve(ref entryRef) {
	if ref.span.adopted {
		o.adoption.resolve(ref)
		return
	}
	o.tracker.Resolve(ref.span, ref.index)
}

// oldestHandedOut returns the first entry that was handed out and is not resolved, and when that was.
func (o *ownedSplit) oldestHandedOut() (first Offset, since time.Time, open bool) {
	if first, since, open = o.adoption.oldest(); open {
		return first, since, true
	}
	return o.tracker.Oldest()
}

// pendingRead is a page of pending entries to be read.
type pendingRead struct {
	split *ownedSplit
	req   PendingRequest
}

// on returns the split of the page.
func (r pendingRead) on() Split { return r.req.Split }

// The most entries and bytes of a page. Both are halved after each request that may have been too
// large.
const (
	pendingEntries = 500
	pendingBytes   = 1 << 20
)

// nextPages returns the pages that can be read now, and the time until there are others unless the
// set signals it.
func (set *splitSet) nextPages() (all []pendingRead, wait time.Duration) {
	now := set.cfg.Now()
	wait = idleAdopter
	set.mu.Lock()
	defer set.mu.Unlock()
	if set.adopting == 0 {
		return nil, wait
	}
	for s, o := range set.splits {
		a := o.adoption
		switch {
		case o.phase != reading || o.rolledBack || o.stopped != nil || !a.readable() || !set.hasRoom(o):
		case a.notUntil.After(now):
			wait = min(wait, a.notUntil.Sub(now))
		default:
			all = append(all, pendingRead{o, PendingRequest{
				Split: s, After: a.after, UpTo: a.upTo,
				MaxEntries: max(1, pendingEntries>>a.failures), MaxBytes: max(1, pendingBytes>>a.failures),
			}})
		}
	}
	return all, wait
}

// beginPage marks a page as being read.
func (set *splitSet) beginPage(r pendingRead) {
	set.mu.Lock()
	defer set.mu.Unlock()
	r.split.adoption.reading = true
}

// addPage adds the answer to a request for a page. It returns the entries that are gone, if any.
func (set *splitSet) addPage(r pendingRead, page PendingPage, err error) (gone *Loss) {
	now := set.cfg.Now()
	set.mu.Lock()
	defer set.mu.Unlock()
	o, a := r.split, r.split.adoption
	a.reading = false
	switch {
	case err != nil:
		if errors.Is(err, ErrUnfinished) {
			a.failures = min(a.failures+1, 20)
		}
		if a.pause == nil {
			a.pause = set.cfg.Backoff()
		}
		a.notUntil = now.Add(min(a.pause.NextBackOff(), set.cfg.Heartbeat))
		return nil
	case o.phase != reading || !a.active() || a.complete || a.after != r.req.After:
		return nil // the split was given up, or the entries are read again
	}
	a.accept(page)
	for _, e := range page.Entries {
		o.bytes += e.Size()
		set.buffered += e.Size()
	}
	set.enqueue(o)
	set.wakeFetcher(o.lease.Split)
	if n := len(page.Gone); n > 0 {
		gone = &Loss{Split: r.req.Split, After: page.Gone[0].Prev(), Entries: int64(n), Exact: true}
	}
	return gone
}

// settled notes the answer to a settlement of n entries. It returns whether the adoption has ended
// with it.
func (set *splitSet) settled(lease Lease, n int, pending int64) (ended string) {
	again := set.cfg.Now().Add(set.cfg.SampleEvery)
	set.mu.Lock()
	defer set.mu.Unlock()
	o := set.splits[lease.Split]
	if o == nil || o.lease.Epoch != lease.Epoch || !o.adoption.active() {
		return ""
	}
	o.adoption.settled(n, pending, again)
	set.wakeAdopter()
	if o.adoption.active() {
		return ""
	}
	set.adopting--
	set.enqueue(o)
	set.wakeFetcher(lease.Split)
	return o.adoption.from
}

// wakeAdopter wakes the adopter if any split is being adopted. The lock is held.
func (set *splitSet) wakeAdopter() {
	if set.adopting > 0 {
		set.pagesWanted.raise()
	}
}
