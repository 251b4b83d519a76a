package pipelines

import (
	"math/rand/v2"
)

// draw is the source of everything random in a plan. It takes values from a recording, and after
// its end from a random generator, and records them.
type draw struct {
	random   *rand.Rand // nil: only the recording counts, continued by 0
	given    []int
	recorded []int
	// spans are the draws of each item of a list: removing a span removes the item.
	spans []span
}

// span is a half-open range of draws.
type span struct{ from, to int }

func newDraw(seed uint64) *draw {
	return &draw{random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
}

// replay returns a draw that repeats a recording.
func replay(given []int) *draw { return &draw{given: given} }

// intN returns a number from 0 to limit-1.
func (d *draw) intN(limit int) int {
	value := 0
	switch at := len(d.recorded); {
	case at < len(d.given):
		value = min(max(d.given[at], 0), limit-1)
	case d.random != nil:
		value = d.random.IntN(limit)
	}
	d.recorded = append(d.recorded, value)
	return value
}

// between returns a number from low to high.
func (d *draw) between(low, high int) int { return low + d.intN(high-low+1) }

// chance is true in the given percentage of cases. The draw 0 is false.
func (d *draw) chance(percent int) bool { return d.intN(100) >= 100-percent }

// items calls add for each item of a list of random length, at most `most`.
func (d *draw) items(most, percent int, add func()) {
	for range most {
		from := len(d.recorded)
		if !d.chance(percent) {
			return
		}
		add()
		d.spans = append(d.spans, span{from, len(d.recorded)})
	}
}

// pick returns one of the values.
func pick[T any](d *draw, values ...T) T { return values[d.intN(len(values))] }
