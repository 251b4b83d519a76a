package splits

import "time"

// The side of a Reader that the fetchers see: which splits have room, and taking in what was fetched of them.

// intake is one split in a fetch request.
type intake struct {
	hold   *hold
	cursor Cursor
	seen   State // what was known of the stream before it was asked
}

// idleFetcher is how long a fetcher without a split to fetch sleeps unless it is woken.
const idleFetcher = time.Minute

// fetchable picks up to most splits of a shard that have room, and marks them as being fetched. all says that none was left out for want of
// room, so the request may block; wait says when to look again, if nothing happens before.
func (r *Reader) fetchable(shard string, most int) (items []intake, all bool, wait time.Duration) {
	now := r.cfg.Now()
	all, wait = true, idleFetcher
	r.mu.Lock()
	defer r.mu.Unlock()
	for s, h := range r.holds {
		switch {
		case !h.mayFetch() || r.cfg.Shard(s) != shard:
		case h.paused.After(now):
			wait = min(wait, h.paused.Sub(now))
		case !r.hasRoom(h) || len(items) == most:
			all = false
		default:
			items = append(items, r.startFetch(h))
		}
	}
	return items, all, wait
}

// startFetch marks a split as being fetched. The lock is held.
func (r *Reader) startFetch(h *hold) intake {
	h.fetching = true
	return intake{h, Cursor{Split: h.lease.Split, After: h.next.Offset, Inspect: h.probe.due()}, h.seen}
}

// mayFetch reports whether the split is one that a request may be made for now.
func (h *hold) mayFetch() bool { return h.phase == reading && !h.fetching && !h.back && h.halt == nil }

// firstFetch is fetchable for splits of one shard that were just added: their own first read need not wait for a blocked fetcher.
func (r *Reader) firstFetch(holds []*hold, most int) (items []intake) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, h := range holds {
		if h.mayFetch() && r.hasRoom(h) && len(items) < most {
			items = append(items, r.startFetch(h))
		}
	}
	return items
}

func (r *Reader) hasRoom(h *hold) bool {
	return h.bytes < r.cfg.SplitBuffer && r.buffered < r.cfg.FetchMax
}

// spare is how many bytes may still be fetched ahead.
func (r *Reader) spare() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(0, r.cfg.FetchMax-r.buffered)
}

// abandon takes back the marks of a request that failed as a whole.
func (r *Reader) abandon(items []intake) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, it := range items {
		it.hold.fetching = false
	}
}

// intakeReport is what a delivery brought to light, to be told outside of the lock.
type intakeReport struct {
	entries, bytes, largest int
	fullest                 int // most entries of one split
	losses                  []Loss
	failed                  map[Split]error // can't be read now
	mended                  []Split         // can be read again
}

// deliver takes in the answers to a fetch request.
func (r *Reader) deliver(items []intake, fetched []Fetched) intakeReport {
	now := r.cfg.Now()
	report := intakeReport{failed: map[Split]error{}}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, it := range items {
		h := it.hold
		h.fetching = false
		if !h.mayFetch() || h.next.Offset != it.cursor.After {
			continue // it was given up or moved while the request was under way
		}
		r.deliverOne(it, fetched[i], now, &report)
	}
	return report
}

func (r *Reader) deliverOne(it intake, f Fetched, now time.Time, report *intakeReport) {
	h := it.hold
	s := h.lease.Split
	if f.Err != nil {
		if h.retry == nil {
			h.retry = r.cfg.Backoff()
		}
		h.paused = now.Add(h.retry.NextBackOff())
		report.failed[s] = f.Err
		return
	}
	if h.retry != nil {
		h.retry = nil
		report.mended = append(report.mended, s)
	}
	p := h.probe
	if r.cfg.FailOnLoss && len(f.Entries) > 0 {
		p = &probe{before: h.next, entries: f.Entries} // judged before anything of it is handed out
	}
	var found *finding
	if f.State != nil && p != nil {
		h.probe = nil
		if found = r.judge(it, *p, *f.State, report); found == nil {
			return
		}
	}
	if len(f.Entries) == 0 {
		if h.probe != nil {
			h.probe.quiet = true
		}
		return
	}
	if !r.cfg.FailOnLoss {
		h.probe = h.probe.with(h.next, f.Entries)
	}
	r.accept(h, f.Entries, now, report)
	if r.cfg.FailOnLoss && found != nil {
		h.correct(p.before, len(p.entries), found.read)
	}
}

func (r *Reader) accept(h *hold, entries []Entry, now time.Time, report *intakeReport) {
	h.lastRead = now
	size := h.accept(entries)
	r.buffered += size
	report.entries += len(entries)
	report.bytes += size
	report.fullest = max(report.fullest, len(entries))
	for _, e := range entries {
		report.largest = max(report.largest, e.Size())
	}
	r.enqueue(h)
}

// judge works out whether a read jumped over lost entries, and corrects the counts behind it. It returns nil if the split is not
// to be read on under this lease.
func (r *Reader) judge(it intake, p probe, state State, report *intakeReport) *finding {
	h := it.hold
	found := p.judge(state, it.seen)
	if found.back {
		r.goBack(h)
		return nil
	}
	if found.loss != nil {
		loss := *found.loss
		loss.Split, loss.Stopped = h.lease.Split, r.cfg.FailOnLoss
		report.losses = append(report.losses, loss)
		if loss.Stopped {
			h.halt = &LossError{Loss: loss}
			report.failed[loss.Split] = h.halt
			return nil
		}
		if loss.Recreated {
			h.seen, h.marks = State{}, nil
		}
	}
	h.see(state)
	if !r.cfg.FailOnLoss {
		h.correct(p.before, len(p.entries), found.read)
	}
	last := p.entries[len(p.entries)-1]
	h.marks.add(Position{Offset: last.Offset, Read: found.read}, last, r.cfg.Now()) // it belongs to the history that was read
	return &found
}

func (r *Reader) dropBuffer(h *hold) {
	r.buffered -= h.bytes
	h.buffer, h.bytes = nil, 0
}

// wakeFetcher tells the fetcher of a split that there may be something to fetch. The lock is held.
func (r *Reader) wakeFetcher(s Split) {
	if room := r.room[r.cfg.Shard(s)]; room != nil {
		room.raise()
	}
}

// wakeAllFetchers is wakeFetcher for every shard. The lock is held.
func (r *Reader) wakeAllFetchers() {
	for _, room := range r.room {
		room.raise()
	}
}

// roomSignal returns the signal that wakes the fetcher of a shard.
func (r *Reader) roomSignal(shard string) signal {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.room[shard] == nil {
		r.room[shard] = newSignal()
	}
	return r.room[shard]
}

// holdsIn reports whether any split of the shard is held.
func (r *Reader) holdsIn(shard string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for s := range r.holds {
		if r.cfg.Shard(s) == shard {
			return true
		}
	}
	return false
}
