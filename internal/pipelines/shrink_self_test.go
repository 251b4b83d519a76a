package pipelines

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestShrinkLeavesWhatMatters(t *testing.T) {
	// Fails if the list that the draws make has an item above 50.
	items := func(draws []int) ([]int, []span) {
		d := replay(draws)
		var found []int
		d.items(10, 90, func() { found = append(found, d.below(100)+d.below(5)) })
		return found, d.spans
	}
	d := newDraw(3)
	d.items(10, 90, func() { d.below(100); d.below(5) })
	fails := func(draws []int) ([]span, bool) {
		found, spans := items(draws)
		return spans, slices.ContainsFunc(found, func(n int) bool { return n > 50 })
	}
	_, first := fails(d.taken)
	assert.True(t, first, "the test begins with something that fails")
	simplest, _ := items(shrink(d.taken, time.Now().Add(time.Minute), fails))
	assert.Equal(t, []int{51}, simplest)
}

func TestShrinkEndsInTime(t *testing.T) {
	tries := 0
	got := shrink([]int{5, 5}, time.Now(), func([]int) ([]span, bool) { tries++; return nil, true })
	assert.Equal(t, []int{5, 5}, got)
	assert.Equal(t, 1, tries)
}
