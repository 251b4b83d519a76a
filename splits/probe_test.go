package splits

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// read is n entries of a size from a number on.
func read(from, n, size int) []Entry {
	all := make([]Entry, n)
	for i := range all {
		all[i] = Entry{Offset: Offset{Millis: uint64(from + i)}, Fields: []string{"body", strings.Repeat("x", size)}}
	}
	return all
}

func TestStreamsOfLargeEntriesAreLookedAtLessOften(t *testing.T) {
	var p *uncheckedReads
	assert.False(t, p.due(), "nothing was read")
	assert.True(t, p.with(Position{}, read(1, 1, 100)).due())
	p = p.with(Position{}, read(1, 1, largeStateEntry))
	assert.False(t, p.due())
	for i := 2; i < maxUnchecked; i++ {
		p = p.with(Position{}, read(i, 1, largeStateEntry))
		assert.False(t, p.due())
	}
	full := p.with(Position{}, read(maxUnchecked, 1, largeStateEntry))
	assert.True(t, full.due(), "enough of them")
	assert.Len(
		t,
		full.with(Position{}, read(maxUnchecked+1, 1, largeStateEntry)).offsets,
		1,
		"it does not grow while no answer comes",
	)
	assert.True(t, p.with(Position{}, read(maxUnchecked, 1, 100)).due(), "they became small")
	p.quiet = true
	assert.True(t, p.due(), "no more came")
}

// 3 of the 20 that are gone were read before, 2 by the first read; 15 were lost between the reads.
func TestWhatWasLostBetweenTheReadsOfAProbeIsCounted(t *testing.T) {
	p := (*uncheckedReads)(nil).
		with(Position{Offset: Offset{Millis: 3}, EntriesRead: 3}, read(4, 2, largeStateEntry)).
		with(Position{Offset: Offset{Millis: 5}, EntriesRead: 5}, read(21, 4, largeStateEntry))
	f := p.check(
		State{Exists: true, Length: 30, EntriesAdded: 50, First: Offset{Millis: 21}, Last: Offset{Millis: 50}},
		State{},
	)
	assert.Equal(t, Loss{After: Offset{Millis: 3}, Entries: 15, Exact: true}, f.loss)
	assert.EqualValues(t, 24, f.read)
	assert.Equal(t, sumOf(read(24, 1, largeStateEntry)[0]), p.sum)
}
