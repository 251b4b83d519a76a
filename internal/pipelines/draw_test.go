package pipelines

import (
	"math/rand/v2"
)

// draw is the source of everything that is random in a plan. It takes values from a recording and,
// if there is none, from a generator, and records them.
type draw struct {
	random *rand.Rand // nil: the recording alone decides, and what it lacks is 0
	given  []int
	taken  []int
	// spans are the draws that belong to one item of a list each: removing them removes the item.
	spans []span
}

// span is a half-open range of draws.
type span struct{ from, to int }

func newDraw(seed uint64) *draw {
	return &draw{random: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))}
}

// replay returns a draw that repeats a recording.
func replay(given []int) *draw { return &draw{given: given} }

// below returns a number from 0 to limit-1.
func (d *draw) below(limit int) int {
	value := 0
	switch at := len(d.taken); {
	case at < len(d.given):
		value = min(max(d.given[at], 0), limit-1)
	case d.random != nil:
		value = d.random.IntN(limit)
	}
	d.taken = append(d.taken, value)
	return value
}

// between returns a number from low to high.
func (d *draw) between(low, high int) int { return low + d.below(high-low+1) }

// chance is true in so many of a hundred cases. The draw 0 is false.
func (d *draw) chance(percent int) bool { return d.below(100) >= 100-percent }

// items calls add for each item of a list of random length, at most so many.
func (d *draw) items(most, percent int, add func()) {
	for range most {
		from := len(d.taken)
		if !d.chance(percent) {
			return
		}
		add()
		d.spans = append(d.spans, span{from, len(d.taken)})
	}
}

// pick returns one of the values.
func pick[T any](d *draw, values ...T) T { return values[d.below(len(values))] }
