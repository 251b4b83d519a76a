package pipelines

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestShrinkKeepsWhatFails(t *testing.T) {
	// It fails if the list that the draws generate has an item above 50.
	items := func(draws []int) ([]int, []span) {
		d := replay(draws)
		var found []int
		d.items(10, 90, func() { found = append(found, d.intN(100)+d.intN(5)) })
		return found, d.spans
	}
	d := newDraw(3)
	d.items(10, 90, func() { d.intN(100); d.intN(5) })
	fails := func(draws []int) ([]span, bool) {
		found, spans := items(draws)
		return spans, slices.ContainsFunc(found, func(n int) bool { return n > 50 })
	}
	_, first := fails(d.recorded)
	assert.True(t, first, "the test starts with draws that fail")
	simplest, _ := items(shrink(d.recorded, time.Now().Add(time.Minute), fails))
	assert.Equal(t, []int{51}, simplest)
}

func TestShrinkStopsAtTheDeadline(t *testing.T) {
	tries := 0
	got := shrink([]int{5, 5}, time.Now(), func([]int) ([]span, bool) { tries++; return nil, true })
	assert.Equal(t, []int{5, 5}, got)
	assert.Equal(t, 1, tries)
}
