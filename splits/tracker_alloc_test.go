package splits

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// trackAll tracks a batch and resolves it.
func trackAll(t *tracker, entries []Entry) {
	span := t.Track(entries, 0, time.Time{})
	for i := range entries {
		t.Resolve(span, i)
	}
}

func fiveHundred() []Entry {
	entries := make([]Entry, 500)
	for i := range entries {
		entries[i].Offset = Offset{Millis: 1, Seq: uint64(i)}
	}
	return entries
}

func TestAllocationsOfTheTracker(t *testing.T) {
	tracker, entries := newTracker(Position{}), fiveHundred()
	assert.Equal(
		t,
		3,
		int(testing.AllocsPerRun(100, func() { trackAll(tracker, entries) })),
		"of a batch, however large",
	)
}

func BenchmarkTrack(b *testing.B) {
	tracker, entries := newTracker(Position{}), fiveHundred()
	b.ReportAllocs()
	for b.Loop() {
		trackAll(tracker, entries)
	}
}
