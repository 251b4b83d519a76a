package splits

import (
	"math"
	"sync"
	"time"
)

// Bounds of what one request asks for.
const (
	// replyBytes is what a reply should have if its entries are as large as they have been on
	// average. The count of a request counts per split; a large one over many splits would stop the
	// server for a while.
	targetReplyBytes = 1 << 20
	// surpriseBytes is what a reply has at most, unless one entry of each split is more, if all are
	// as large as the largest of late.
	maxReplyBytes = 16 << 20
	// firstCount is how many entries the first reply has at most, of all splits together.
	firstCount = 16
	maxCount   = 1000
	// quietShare is how many quiet splits are expected to bring as much as one that has a backlog:
	// if all of them burst at once, a reply is so many times larger than it should be.
	idleWeight = 8
	// hugeEntry is the size from which entries are fetched one by one, for cautiousReads requests.
	hugeEntry     = 1 << 20
	cautiousReads = 16
	// mostQuiet is how often the number of splits in a request is doubled at most: enough for any
	// topic.
	maxDoublings = 20
)

// sizes is what a fetcher knows of the entries that came, by which it decides how much to ask for
// next. A store can be asked for a number of entries only, so a reply of entries larger than any
// before can't be foreseen: it has as many of them as were asked for. That is why the count grows
// no faster than twofold, and not at all while little comes. It is safe for concurrent use: a
// fetcher has two requests at a time.
type fetchSizer struct {
	mu           sync.Mutex
	average      int // bytes of an entry, smoothed; 0 until the first
	largest      int // bytes of the largest entry of late: what came fades slowly
	mostPerSplit int // most entries of one split in the last reply that had any
	emptyReplies int // replies without any since then
	cautious     int // requests left with count 1
	budget       budget
}

// count is how many entries of each split to ask for; behind is how many of them have a backlog,
// spare how many bytes may still be buffered. Who returns full entries has a backlog: where little
// comes few are asked for, and getting those tells nothing.
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
	full = max(1, min(min(targetReplyBytes, spare)/s.average/share, min(maxReplyBytes, spare)/s.largest/splits, maxCount))
	return max(1, min(full, max(firstCount/splits, 2*s.mostPerSplit))), full
}

// most is how many splits one request may name: each returns an entry at least, however large.
// While nothing comes they become more and more, for a request that names them all may block, and
// others have to be repeated all the time. Of those with a backlog there may be full at most: they
// do bring entries.
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

// unknown reports whether nothing is known of the entries, and none was looked for.
func (s *fetchSizer) unknown() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.average == 0 && s.emptyReplies == 0
}

// tight reports whether one entry is expected to need as much of the connection as a whole answer
// should: two requests at a time would keep each other from arriving in time.
func (s *fetchSizer) tight() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.average > s.budget.bound(math.MaxInt)
}

// expect takes in the sizes of entries that are about to be fetched, if no others are known. Those
// that are larger than an answer should be count only if all are: they are read by themselves.
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

// failed takes in that a request for so many entries failed, since its answer did not arrive
// completely.
func (s *fetchSizer) requestFailed(entries int, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.average > 0 {
		s.budget.failed(entries*s.average, now)
	}
}

// forget drops what failures taught.
func (s *fetchSizer) forgetFailures() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget.forgetFailures()
}

// learn takes in what a delivery had.
func (s *fetchSizer) learn(report fetchResult, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.budget.succeeded(report.bytes, report.took, report.within, now)
	if report.entries == 0 {
		s.emptyReplies++
		return
	}
	s.emptyReplies = 0
	average := report.bytes / report.entries
	if s.average > 0 {
		average = (3*s.average + average) / 4
	}
	s.average = max(1, average)
	s.largest = max(1, report.largest, s.largest-s.largest/8)
	s.mostPerSplit = report.mostPerSplit
	if report.largest > hugeEntry {
		s.cautious = cautiousReads
	}
}
