package simulation

import (
	"math/rand/v2"
	"time"
)

// rng draws random numbers reproducibly: a draw depends on the seed and on the name of what is
// drawn, not on the order of the draws.
type rng struct{ seed uint64 }

// of returns the rng of a named part of the schedule.
func (l rng) of(parts ...string) rng {
	h := l.seed
	for _, part := range parts {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 0x100000001b3 // FNV-1a
		}
		h = mix(h)
	}
	return rng{h}
}

// nth returns the rng of the n-th element of a kind.
func (l rng) nth(n int) rng { return rng{mix(l.seed ^ uint64(n)*0x9e3779b97f4a7c15)} }

// mix is the finalizer of SplitMix64.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// rand returns a source for a sequence of draws.
func (l rng) rand() *rand.Rand { return rand.New(rand.NewPCG(l.seed, mix(l.seed))) }

// chance returns a number in [0, 1).
func (l rng) chance() float64 { return float64(mix(l.seed)>>11) / (1 << 53) }

// between returns a duration in the range, with nanosecond resolution.
func (l rng) between(from, to time.Duration) time.Duration {
	return from + time.Duration(l.chance()*float64(to-from))
}
