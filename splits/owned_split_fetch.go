package splits

import "time"

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

// pause keeps the split from being fetched for a while, which grows until it can be read again.
func (o *ownedSplit) pause(now time.Time, backoff func() Backoff) {
	if o.readBackoff == nil {
		o.readBackoff = backoff()
	}
	o.pausedUntil = now.Add(o.readBackoff.NextBackOff())
}
