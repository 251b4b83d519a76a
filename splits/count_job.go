package splits

import "time"

// tally is the count of the entries behind a position that is under way. The store counts in
// slices, while the split is read and written as ever: what is counted can only be removed
// meanwhile.
//
// A count starts at the position where the next fetch goes on. The entries of the stream behind it,
// subtracted from the entries ever added, give the count of that position; so do the entries before
// it, added to those that were removed. From there on the position counts what is fetched. Both are
// exact unless entries were removed on the side that was counted, which the state of the stream
// shows afterwards:
//   - trimming shows by the first entry,
//   - XDEL shows by the highest offset that it removed. Behind such an offset a count can't tell
//     what the position has counted, so it gives the lag of the committed position only, and the
//     position itself stays without a count.
type countJob struct {
	from      Offset // the position whose lag is wanted
	front     bool   // the entries before the position are counted, not those behind it
	setsCount bool   // the position gets its count
	// start is the state of the stream when the count began, fetched the number of entries that had
	// been fetched under the lease.
	start          State
	entriesFetched int64 // it falls when a buffer is dropped, as the place where the next fetch goes on does

	cursor  Offset // counted up to here; it is an entry if counted is not 0
	upTo    Offset // the last offset to count
	counted int64
	slice   int // entries of the next slice
	done    bool
}

const (
	// mostCounted is how many entries are counted of a split at most. Whoever is that far behind
	// can do with an upper bound.
	maxCounted = 1_000_000
	// countAgainSoon and countAgainLate are the waits after a count that came to nothing: because
	// the stream changed, or because there is too much to count.
	countAgainSoon = 10 * time.Second
	countAgainLate = 10 * time.Minute
)

// newTally begins a count for a split in a stream of this state.
func newCountJob(l splitSnapshot, s State) *countJob {
	job := &countJob{from: l.done.Offset, start: s, entriesFetched: l.entriesFetched, upTo: s.Last, slice: firstSlice}
	if l.next.EntriesRead < 0 && s.MaxDeleted.Compare(l.next.Offset) <= 0 {
		job.from, job.setsCount = l.next.Offset, true
	}
	job.cursor = job.from
	if job.setsCount && s.MaxDeleted.Before(s.First) && nearer(job.from, s) {
		job.front, job.cursor, job.upTo = true, s.First.Prev(), job.from
	}
	job.done = job.upTo.Compare(job.cursor) <= 0
	return job
}

// nearer guesses whether a position is nearer to the first entry than to the last, by the time that
// offsets are made of.
func nearer(at Offset, s State) bool {
	return at.Millis-s.First.Millis < s.Last.Millis-min(at.Millis, s.Last.Millis)
}

// request asks for the next slice. It begins with the entry that was counted last: if that is gone,
// so may be others.
func (job *countJob) request(s Split) CountRequest {
	after := job.cursor
	if job.counted > 0 {
		after = job.cursor.Prev()
	}
	return CountRequest{Split: s, After: after, UpTo: job.upTo, Most: job.slice}
}

// add takes in a slice; false if the count has to begin again.
func (job *countJob) add(c Counted) bool {
	switch {
	case job.counted > 0 && c.First != job.cursor, job.front && job.counted == 0 && c.First != job.start.First:
		return false
	case job.counted > 0:
		c.Entries--
	}
	job.counted += int64(c.Entries)
	if c.Entries > 0 {
		job.cursor = c.Last
	}
	job.done = !c.More
	return true
}

// read is the count of the position, if the stream is in this state now; false if too much has
// changed.
func (job *countJob) result(s State) (int64, bool) {
	switch {
	case !s.Exists || s.EntriesAdded < job.start.EntriesAdded || !job.setsCount:
		return 0, false
	case job.front:
		return job.start.removed() + job.counted, s.MaxDeleted.Before(job.start.First)
	}
	return job.start.EntriesAdded - job.counted, s.Length > 0 && s.First.Compare(job.from) <= 0 && s.MaxDeleted.Compare(job.from) <= 0
}
