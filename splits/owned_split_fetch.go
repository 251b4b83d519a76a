package splits

import "time"

// mayHaveBacklog reports whether the split may have a backlog: the last read returned as many
// entries as it asked for, or is too long ago.
func (o *ownedSplit) mayHaveBacklog(now time.Time) bool {
	return o.backlogged || now.Sub(o.answeredAt) > blockFor
}

// mayReturnEntries reports whether a read probably returns entries: the last one returned as many
// as it asked for, or there was none yet.
func (o *ownedSplit) mayReturnEntries() bool { return o.backlogged || o.answeredAt.IsZero() }

// canFetch reports whether a request for the split can be made now.
func (o *ownedSplit) canFetch() bool {
	return o.phase == reading && !o.fetching && !o.rolledBack && o.stopped == nil && !o.adoption.blocks()
}

// pause delays the next fetch of the split by a time that grows until the split can be read again.
func (o *ownedSplit) pause(now time.Time, backoff func() Backoff) {
	if o.readBackoff == nil {
		o.readBackoff = backoff()
	}
	o.pausedUntil = now.Add(o.readBackoff.NextBackOff())
}

// accept adds fetched entries to the buffer, and returns their size.
func (o *ownedSplit) accept(entries []Entry) (size int) {
	o.buffer = append(o.buffer, fetchedRun{entries: entries, read: o.next.EntriesRead})
	size = sizeOf(entries)
	o.bytes += size
	o.next = Position{
		Offset:      entries[len(entries)-1].Offset,
		EntriesRead: addCount(o.next.EntriesRead, len(entries)),
	}
	o.entriesFetched += int64(len(entries))
	return size
}

func sizeOf(entries []Entry) (size int) {
	for _, e := range entries {
		size += e.Size()
	}
	return size
}

// takeBuffered takes at most limit entries off the front of the buffer, and stops where entries
// were lost. read is EntriesRead of the position before the first of them.
func (o *ownedSplit) takeBuffered(limit int) (entries []Entry, read int64) {
	read = o.buffer[0].read
	for len(o.buffer) > 0 && len(entries) < limit {
		first := &o.buffer[0]
		if len(entries) > 0 && first.read != addCount(read, len(entries)) {
			break // entries were lost in between
		}
		n := min(limit-len(entries), len(first.entries))
		if len(entries) == 0 {
			entries = first.entries[:n:n] // the usual case copies nothing
		} else {
			entries = append(entries, first.entries[:n]...)
		}
		if n == len(first.entries) {
			o.buffer[0] = fetchedRun{}
			o.buffer = o.buffer[1:]
		} else {
			first.entries, first.read = first.entries[n:], addCount(first.read, n)
		}
	}
	return entries, read
}

// fetchedAhead returns the number of entries that were fetched behind the position that can be
// committed.
func (o *ownedSplit) fetchedAhead() int64 { return int64(o.tracker.Ahead()) + o.bufferedEntries() }

func (o *ownedSplit) bufferedEntries() (n int64) {
	for _, run := range o.buffer {
		n += int64(len(run.entries))
	}
	return n
}

// addCount returns the EntriesRead of a position n entries behind one whose EntriesRead is read.
func addCount(read int64, n int) int64 {
	if read < 0 {
		return CountUnknown
	}
	return read + int64(n)
}

// correctCount sets EntriesRead behind the n entries that were fetched last, from a position on.
func (o *ownedSplit) correctCount(before Position, n int, read int64) {
	switch was := addCount(before.EntriesRead, n); {
	case was >= 0 && read >= 0:
		o.shiftCounts(before.Offset, read-was)
	case read >= 0:
		o.learnCount(read)
	default:
		o.next.EntriesRead = read
	}
}

// shiftCounts adds lost entries to all counts behind an offset.
func (o *ownedSplit) shiftCounts(offset Offset, lost int64) {
	o.tracker.Shift(offset, lost)
	o.fingerprints.shift(offset, lost)
	for i := range o.buffer {
		if run := &o.buffer[i]; run.read >= 0 && offset.Before(run.entries[0].Offset) {
			run.read += lost
		}
	}
	if o.next.EntriesRead >= 0 {
		o.next.EntriesRead += lost
	}
}

// learnCount sets EntriesRead of the position of the next fetch, which was not known, and of
// everything that was fetched before it: a commit of that position may be in flight.
func (o *ownedSplit) learnCount(read int64) {
	o.next.EntriesRead = read
	if o.unchecked != nil {
		o.unchecked.before.EntriesRead = read - int64(len(o.unchecked.offsets))
	}
	for i := len(o.buffer) - 1; i >= 0; i-- {
		run := &o.buffer[i]
		if run.read < 0 {
			run.read = read - int64(len(run.entries))
		}
		read = run.read
	}
	o.tracker.Learn(read)
}
