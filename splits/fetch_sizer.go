package splits

import (
	"math"
	"sync"
	"time"
)

// Bounds of one request.
const (
	// targetReplyBytes is the size of a reply whose entries have the average size of recent
	// entries. The count of a request is per split: a large count over many splits would block the
	// server for a while.
	targetReplyBytes = 1 << 20
	// maxReplyBytes is the size of a reply whose entries all have the size of the largest recent
	// entry. It is exceeded only if one entry of each split is more.
	maxReplyBytes = 16 << 20
	// firstCount is the maximum number of entries of the first reply, of all splits together.
	firstCount = 16
	maxCount   = 1000
	// idleWeight is the number of idle splits that are expected to return as many entries as one
	// split with a backlog. If all of them get entries at the same time, a reply is idleWeight
	// times the target size.
	idleWeight = 8
	// hugeEntry is the size from which entries are fetched one by one, for the next cautiousReads
	// requests.
	hugeEntry     = 1 << 20
	cautiousReads = 16
	// maxDoublings bounds how often the number of splits in a request is doubled: enough for any
	// topic.
	maxDoublings = 20
)

// fetchSizer decides how much a fetcher asks for, from the sizes of recent entries. A store takes a
// number of entries, not of bytes. So if entries suddenly grow, a reply has the new size times the
// old count. That is why the count at most doubles from request to request, and does not grow while
// few entries come. It is safe for concurrent use: a fetcher has two requests in flight.
type fetchSizer struct {
	mu           sync.Mutex
	average      int // bytes of an entry, smoothed; 0 before the first
	largest      int // bytes of the largest recent entry, decreasing slowly
	mostPerSplit int // most entries of one split in the last reply that had any
	emptyReplies int // consecutive replies without entries
	cautious     int // requests left with count 1
	budget       budget
}

// count returns how many entries of each split to ask for. backlogged is the number of splits with
// a backlog, spare the number of bytes that may still be buffered. A split that returns full
// entries has a backlog: if fewer were requested, returning all of them proves nothing.
func (s *fetchSizer) count(behind, splits, spare int) (n, full int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.cautious > 0:
		s.cautious--
		return 1, 1
	case s.average == 0:
		return max(1, firstCount/splits), math.MaxInt
	}
	spare = s.budget.bound(spare)
	share := splits
	if behind > 0 {
		share = behind + (splits-behind+idleWeight-1)/idleWeight
	}
	byAverage := min(targetReplyBytes, spare) / s.average / share
	byLargest := min(maxReplyBytes, spare) / s.largest / splits
	full = max(1, min(byAverage, byLargest, maxCount))
	return max(1, min(full, max(firstCount/splits, 2*s.mostPerSplit))), full
}

// maxSplits returns how many splits one request may name: each split returns at least one entry,
// however large. While replies are empty the limit doubles, since only a request that names every
// split may block. full is the limit for splits that probably return entries.
func (s *fetchSizer) maxSplits(spare int) (full, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.budget.bound(spare) / max(1, s.average)
	if s.average == 0 {
		n = min(firstCount, spare/hugeEntry)
	}
	full = max(1, n)
	return full, full << min(s.emptyReplies, maxDoublings)
}

// unknown reports whether nothing is known of the sizes, and no reply was empty.
func (s *fetchSizer) unknown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.average == 0 && s.emptyReplies == 0
}

// tight reports whether one entry is expected to need as much of the connection as a whole answer
// should: two requests at the same time would delay each other too much.
func (s *fetchSizer) tight() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.average > s.budget.bound(math.MaxInt)
}

// learnPeeked learns the sizes of entries that are about to be fetched, unless sizes are known.
// Entries that are larger than an answer should be count only if all are: otherwise they are read
// separately.
func (s *fetchSizer) learnPeeked(next []Peeked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.average > 0 {
		return
	}
	for _, most := range []int64{targetReplyBytes, math.MaxInt64} {
		total, n := 0, 0
		for _, one := range next {
			if one.Err == nil && one.Offset != (Offset{}) && one.Size <= most {
				total, n = total+int(one.Size), n+1
				s.largest = max(s.largest, int(one.Size), 1)
			}
		}
		if n > 0 {
			s.average = max(1, total/n)
			return
		}
	}
}

// requestFailed notes that the answer to a request for so many entries did not arrive completely.
func (s *fetchSizer) requestFailed(entries int, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.average > 0 {
		s.budget.failed(entries*s.average, now)
	}
}

// forgetFailures drops what was learned from failures.
func (s *fetchSizer) forgetFailures() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget.forgetFailures()
}

// learn learns from a delivery.
func (s *fetchSizer) learn(result fetchResult, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget.succeeded(result.bytes, result.took, result.within, now)
	if result.entries == 0 {
		s.emptyReplies++
		return
	}
	s.emptyReplies = 0
	average := result.bytes / result.entries
	if s.average > 0 {
		average = (3*s.average + average) / 4
	}
	s.average = max(1, average)
	s.largest = max(1, result.largest, s.largest-s.largest/8)
	s.mostPerSplit = result.mostPerSplit
	if result.largest > hugeEntry {
		s.cautious = cautiousReads
	}
}
