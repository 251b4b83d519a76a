package simulation

import (
	"math/rand/v2"
	"time"
)

// luck draws reproducibly: what it says depends on the seed and on what is asked about, not on who
// asks first.
type luck struct{ seed uint64 }

// of is the luck of a part of the schedule.
func (l luck) of(parts ...string) luck {
	h := l.seed
	for _, part := range parts {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * 0x100000001b3 // FNV-1a
		}
		h = mix(h)
	}
	return luck{h}
}

// nth is the luck of the n-th of a kind.
func (l luck) nth(n int) luck { return luck{mix(l.seed ^ uint64(n)*0x9e3779b97f4a7c15)} }

// mix is the finalizer of SplitMix64.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// rand is a source for many draws in a row.
func (l luck) rand() *rand.Rand { return rand.New(rand.NewPCG(l.seed, mix(l.seed))) }

// chance draws one number in [0, 1).
func (l luck) chance() float64 { return float64(mix(l.seed)>>11) / (1 << 53) }

// between draws a duration from the range, to the nanosecond.
func (l luck) between(from, to time.Duration) time.Duration {
	return from + time.Duration(l.chance()*float64(to-from))
}
