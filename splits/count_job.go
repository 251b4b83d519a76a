package splits

import "time"

// countJob is a running count of the entries behind a position. The store counts in slices, while
// entries of the split are read and written. A counted range can only lose entries meanwhile.
//
// A count begins at the position of the next fetch. EntriesAdded minus the number of entries behind
// the position is EntriesRead of that position. The number of removed entries plus the number of
// entries before the position is EntriesRead too, so the shorter side is counted. Both are exact
// unless entries were removed on the counted side, which the state of the stream shows afterwards:
//   - Trimming shows in the first entry.
//   - XDEL shows in the highest offset that it removed. If the position is before such an offset,
//     EntriesRead cannot be computed. Then the count gives the lag of the committed position, and
//     the position stays without a count.
type countJob struct {
	from      Offset // the position whose lag is wanted
	front     bool   // the entries before the position are counted, not the ones behind it
	setsCount bool   // the position gets its EntriesRead
	// start and entriesFetched are the state of the stream and ownedSplit.entriesFetched when the
	// count began. ownedSplit.entriesFetched falls when a buffer is dropped, as the position of the
	// next fetch does.
	start          State
	entriesFetched int64

	cursor  Offset // counted up to here; the offset of an entry unless counted is 0
	upTo    Offset // the last offset to count
	counted int64
	slice   int // entries of the next slice
	done    bool
}

const (
	// maxCounted is the maximum number of entries counted of a split. Beyond it, the lag stays an
	// upper bound.
	maxCounted = 1_000_000
	// countAgainSoon and countAgainLate are the pauses after a count without a result: because the
	// stream changed, or because there are too many entries.
	countAgainSoon = 10 * time.Second
	countAgainLate = 10 * time.Minute
)

// newCountJob returns a count for a split, whose stream is in state s.
func newCountJob(snap splitSnapshot, s State) *countJob {
	job := &countJob{
		from: snap.done.Offset, upTo: s.Last, slice: firstSlice,
		start: s, entriesFetched: snap.entriesFetched,
	}
	if snap.next.EntriesRead < 0 && s.MaxDeleted.Compare(snap.next.Offset) <= 0 {
		job.from, job.setsCount = snap.next.Offset, true
	}
	job.cursor = job.from
	if job.setsCount && s.MaxDeleted.Before(s.First) && nearer(job.from, s) {
		job.front, job.cursor, job.upTo = true, s.First.Prev(), job.from
	}
	job.done = job.upTo.Compare(job.cursor) <= 0
	return job
}

// nearer guesses by the times in the offsets whether a position is nearer to the first entry than
// to the last.
func nearer(at Offset, s State) bool {
	return at.Millis-s.First.Millis < s.Last.Millis-min(at.Millis, s.Last.Millis)
}

// request returns the request for the next slice. The slice begins with the entry that was counted
// last: if that entry is gone, other counted entries may be gone too.
func (job *countJob) request(s Split) CountRequest {
	after := job.cursor
	if job.counted > 0 {
		after = job.cursor.Prev()
	}
	return CountRequest{Split: s, After: after, UpTo: job.upTo, Most: job.slice}
}

// add adds the result for a slice. It returns false if the count has to begin again.
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

// result returns EntriesRead of the position, if the stream is in state s now; false if too much
// has changed.
func (job *countJob) result(s State) (read int64, valid bool) {
	switch {
	case !s.Exists || s.EntriesAdded < job.start.EntriesAdded || !job.setsCount:
		return 0, false
	case job.front:
		return job.start.removed() + job.counted, s.MaxDeleted.Before(job.start.First)
	}
	valid = s.Length > 0 && s.First.Compare(job.from) <= 0 && s.MaxDeleted.Compare(job.from) <= 0
	return job.start.EntriesAdded - job.counted, valid
}
