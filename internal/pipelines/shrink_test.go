package pipelines

import (
	"slices"
	"time"
)

// shrink looks for simpler draws that still fail, until it finds none or the time is up. It removes
// items and ranges of draws, and lowers single draws.
func shrink(draws []int, until time.Time, fails func([]int) (spans []span, still bool)) []int {
	best := slices.Clone(draws)
	spans, _ := fails(best)
	try := func(candidate []int) bool {
		if time.Now().After(until) || slices.Equal(candidate, best) {
			return false
		}
		found, still := fails(candidate)
		if still {
			best, spans = candidate, found
		}
		return still
	}
	for improved := true; improved && time.Now().Before(until); {
		improved = zeroRuns(&best, try)
		improved = removeSpans(&best, &spans, try) || improved
		improved = removeRuns(&best, try) || improved
		improved = lower(&best, try) || improved
	}
	return best
}

// removeSpans removes items of lists, the last one first.
func removeSpans(best *[]int, spans *[]span, try func([]int) bool) (improved bool) {
	for i := range slices.Backward(*spans) {
		if i >= len(*spans) { // several were removed together
			continue
		}
		s := (*spans)[i]
		if s.to <= len(*best) && try(slices.Delete(slices.Clone(*best), s.from, s.to)) {
			improved = true
		}
	}
	return improved
}

// zeroRuns sets consecutive draws to 0, many at first.
func zeroRuns(best *[]int, try func([]int) bool) (improved bool) {
	for length := len(*best) / 2; length > 1; length /= 2 {
		for from := len(*best) - length; from > -length && len(*best) > 0; from -= length {
			candidate := slices.Clone(*best)
			clear(candidate[max(from, 0):min(from+length, len(candidate))])
			improved = try(candidate) || improved
		}
	}
	return improved
}

// removeRuns removes consecutive draws.
func removeRuns(best *[]int, try func([]int) bool) (improved bool) {
	for _, length := range []int{4, 2, 1} {
		for from := len(*best) - length; from >= 0; from-- {
			if from+length <= len(*best) && try(slices.Delete(slices.Clone(*best), from, from+length)) {
				improved = true
			}
		}
	}
	return improved
}

// lower sets draws to 0, to a half, or to one less.
func lower(best *[]int, try func([]int) bool) (improved bool) {
	for i := range len(*best) {
		for _, less := range []func(int) int{
			func(int) int { return 0 }, func(v int) int { return v / 2 }, func(v int) int { return v - 1 },
		} {
			if i >= len(*best) || (*best)[i] == 0 {
				break
			}
			candidate := slices.Clone(*best)
			candidate[i] = less(candidate[i])
			if try(candidate) {
				improved = true
			}
		}
	}
	return improved
}
