package splits

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const plenty = 50 << 20

// reply returns a delivery of n entries of a size, from one split.
func reply(n, size int) fetchResult {
	return fetchResult{entries: n, bytes: n * size, largest: size, mostPerSplit: n}
}

// fast makes the sizer learn from a delivery that arrived immediately.
func fast(s *fetchSizer, report fetchResult) {
	report.took, report.within = time.Millisecond, time.Minute
	s.learn(report, time.Time{})
}

// most returns how many splits a request may name.
func most(s *fetchSizer, spare int) int {
	_, n := s.maxSplits(spare)
	return n
}

// asked returns how many entries of each split a request asks for.
func asked(s *fetchSizer, behind, splits, spare int) int {
	n, _ := s.count(behind, splits, spare)
	return n
}

func TestCountKeepsRepliesNearTheirBound(t *testing.T) {
	var s fetchSizer
	assert.Equal(t, 16, asked(&s, 1, 1, plenty), "before any entry was seen")
	assert.Equal(t, 1, asked(&s, 64, 64, plenty))
	fast(&s, reply(1000, 256))
	assert.Equal(t, 1000, asked(&s, 1, 1, plenty), "at most a thousand")
	assert.Equal(t, 512, asked(&s, 8, 8, plenty), "8 x 512 x 256 bytes are a mebibyte")
	assert.Equal(t, 16, asked(&s, 256, 256, plenty))
	assert.Equal(t, 1, asked(&s, 100_000, 100_000, plenty), "at least one")
	assert.Equal(t, 100, asked(&s, 1, 1, 100*256), "no more than may be buffered")
	assert.Equal(t, 1, asked(&s, 1, 1, 0))
}

// Otherwise a busy split would be the slower, the more idle splits are read with it.
func TestIdleSplitsTakeASmallShareOfAReply(t *testing.T) {
	var s fetchSizer
	fast(&s, reply(1000, 256))
	assert.Equal(t, 4096/9, asked(&s, 1, 1+64, plenty))
	assert.Equal(t, 4096/64, asked(&s, 0, 64, plenty), "where all are quiet, all may burst at once")
	assert.Equal(t, 4096/(16+30), asked(&s, 16, 256, plenty))
}

func TestFewEntriesAreNotABacklogIfFewWereRequested(t *testing.T) {
	var s fetchSizer
	fast(&s, reply(1, 256))
	n, full := s.count(0, 4, plenty)
	assert.Equal(t, 4, n)
	assert.Equal(t, 1000, full)
	fast(&s, reply(1, 600_000))
	n, full = s.count(0, 4, plenty)
	assert.Equal(t, 1, n)
	assert.Equal(t, 1, full)
}

func TestCountDoublesAndFallsWithSmallReplies(t *testing.T) {
	var s fetchSizer
	var counts []int
	for range 8 {
		counts = append(counts, asked(&s, 1, 1, plenty))
		fast(&s, reply(asked(&s, 1, 1, plenty), 100))
	}
	assert.Equal(t, []int{16, 32, 64, 128, 256, 512, 1000, 1000}, counts)
	fast(&s, reply(1, 100))
	assert.Equal(t, 16, asked(&s, 1, 1, plenty))
	assert.Equal(t, 2, asked(&s, 64, 64, plenty))
}

// The average does not show that large entries have just begun.
func TestLargestRecentEntryBoundsAReply(t *testing.T) {
	var s fetchSizer
	fast(&s, reply(1000, 100))
	fast(&s, fetchResult{entries: 1000, bytes: 999*100 + 1_000_000, largest: 1_000_000, mostPerSplit: 1000})
	assert.Equal(t, maxReplyBytes/1_000_000, asked(&s, 1, 1, plenty))
	assert.Equal(t, maxReplyBytes/1_000_000/4, asked(&s, 4, 4, plenty))
	reads := 0
	for asked(&s, 1, 1, plenty) < maxCount {
		fast(&s, reply(asked(&s, 1, 1, plenty), 100))
		reads++
	}
	assert.Less(t, reads, 50, "it is forgotten")
}

func TestEntriesAreFetchedOneByOneAfterAHugeOne(t *testing.T) {
	var s fetchSizer
	fast(&s, fetchResult{entries: 1000, bytes: 1000*256 + 2<<20, largest: 2 << 20, mostPerSplit: 1000})
	for range cautiousReads {
		assert.Equal(t, 1, asked(&s, 1, 1, plenty))
	}
	assert.Greater(t, asked(&s, 1, 1, plenty), 1)
}

func TestRequestNamesOnlySplitsThatFitTheBuffer(t *testing.T) {
	var s fetchSizer
	assert.Equal(t, 16, most(&s, plenty), "before any entry was seen")
	assert.Equal(t, 2, most(&s, 2<<20), "the worst is expected then")
	fast(&s, reply(1, 5<<20))
	assert.Equal(t, 10, most(&s, plenty))
	assert.Equal(t, 1, most(&s, 0))
}

// A request that does not name all splits can't block: it would be sent again every few
// milliseconds while the topic is idle.
func TestRequestsNameMoreSplitsWhileRepliesAreEmpty(t *testing.T) {
	var s fetchSizer
	for _, want := range []int{16, 32, 64, 128} {
		assert.Equal(t, want, most(&s, plenty))
		fast(&s, fetchResult{})
	}
	for range 100 {
		fast(&s, fetchResult{})
	}
	assert.Positive(t, most(&s, plenty))
	fast(&s, reply(1, 1<<20))
	assert.Equal(t, 50, most(&s, plenty))
}

// Whatever the sizes are: no reply has more than twice as many entries of a split as the last one.
// Unless entries are larger than recent ones, no reply has more than maxReplyBytes or one entry of
// each split.
func TestRepliesAreBoundedWhateverComes(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var s fetchSizer
	last, before, size := 0, 0, 100
	for range 100_000 {
		if random.IntN(20) == 0 {
			size = 1 << random.IntN(26)
		}
		splits, spare := 1+random.IntN(100), random.IntN(plenty)
		behind := random.IntN(splits + 1)
		known := s.average > 0
		n := asked(&s, behind, splits, spare)
		require.LessOrEqual(t, n, max(1, firstCount/splits, 2*last))
		if known && before >= size {
			require.LessOrEqual(t, n*size*splits, max(maxReplyBytes, splits*size))
		}
		came := random.IntN(n + 1)
		if came > 0 {
			last, before = came, size
		}
		fast(&s, reply(came, size))
	}
}
