package splits

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func fetcherOf(fetchMax int) *fetcher {
	cfg := Config{FetchMax: fetchMax}.withDefaults()
	return &fetcher{reader: newReader(cfg), cfg: cfg}
}

func TestTheCountKeepsRepliesNearTheirBound(t *testing.T) {
	f := fetcherOf(50 << 20)
	assert.Equal(t, 16, f.count(1), "before any entry was seen")
	assert.Equal(t, 1, f.count(64))
	f.learn(intakeReport{entries: 10, bytes: 10 * 256, largest: 256})
	assert.Equal(t, 1000, f.count(1), "at most a thousand")
	assert.Equal(t, 512, f.count(8), "8 x 512 x 256 bytes are a mebibyte")
	assert.Equal(t, 16, f.count(256))
	assert.Equal(t, 1, f.count(100_000), "at least one")
}

func TestAfterAHugeEntryEntriesAreFetchedOneByOneForAWhile(t *testing.T) {
	f := fetcherOf(50 << 20)
	f.learn(intakeReport{entries: 1000, bytes: 1000*256 + 2<<20, largest: 2 << 20})
	for range cautiousReads {
		assert.Equal(t, 1, f.count(1))
	}
	assert.Greater(t, f.count(1), 1)
}

func TestARequestNamesNoMoreSplitsThanFitIntoWhatMayBeBuffered(t *testing.T) {
	f := fetcherOf(50 << 20)
	assert.Equal(t, 50, f.most(), "before any entry was seen the worst is expected")
	f.learn(intakeReport{entries: 1, bytes: 5 << 20, largest: 5 << 20})
	assert.Equal(t, 10, f.most())
	f.reader.buffered = 50 << 20
	assert.Equal(t, 1, f.most())
}
