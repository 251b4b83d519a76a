package splits_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// trackAll tracks a batch and resolves it.
func trackAll(t *splits.tracker, entries []splits.Entry) {
	span := t.Track(entries, 0, time.Time{})
	for i := range entries {
		t.Resolve(span, i)
	}
}

func fiveHundred() []splits.Entry {
	entries := make([]splits.Entry, 500)
	for i := range entries {
		entries[i].Offset = splits.Offset{Millis: 1, Seq: uint64(i)}
	}
	return entries
}

func TestAllocationsOfTheTracker(t *testing.T) {
	tracker, entries := splits.newTracker(splits.Position{}), fiveHundred()
	assert.Equal(
		t,
		3,
		int(testing.AllocsPerRun(100, func() { trackAll(tracker, entries) })),
		"of a batch, however large",
	)
}

func BenchmarkTrack(b *testing.B) {
	tracker, entries := splits.newTracker(splits.Position{}), fiveHundred()
	b.ReportAllocs()
	for b.Loop() {
		trackAll(tracker, entries)
	}
}
