package splits

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// count answers a request as a store does.
func (m *model) count(req CountRequest) (c Counted) {
	for _, id := range m.present {
		o := Offset{Millis: uint64(id)}
		if o.Compare(req.After) <= 0 || req.UpTo.Before(o) {
			continue
		}
		if c.Entries == req.Most {
			c.More = true
			break
		}
		if c.Entries++; c.Entries == 1 {
			c.First = o
		}
		c.Last = o
	}
	return c
}

// disturb changes the stream as one producer or operator does: some trim, some delete, some do
// neither.
func (m *model) disturb(trims, deletes int) {
	switch n := m.random.IntN(12); {
	case n < 3:
		m.add(n)
	case n < 3+trims:
		m.trim(1 + m.random.IntN(6))
	case n < 3+trims+deletes && len(m.present) > 1:
		i := m.random.IntN(max(1, len(m.present)/2)) // mostly old ones
		m.maxDeleted = max(m.maxDeleted, m.present[i])
		m.remove(i)
	}
}

// Whatever is appended, trimmed and deleted during a count: a count that is valid is correct.
func TestCountJobIsCorrect(t *testing.T) {
	believed := map[bool]int{} // by the side that was counted
	for seed := range uint64(20_000) {
		random := rand.New(rand.NewPCG(seed, 4))
		m := &model{random: random, read: map[int]bool{}}
		trims, deletes := random.IntN(3), random.IntN(3)
		m.add(10 + random.IntN(60))
		every := slices.Clone(m.present)
		change := func() {
			m.disturb(trims, deletes)
			for _, id := range m.present {
				if id > every[len(every)-1] {
					every = append(every, id)
				}
			}
		}
		for range random.IntN(4) {
			change()
		}
		if len(m.present) < 2 {
			continue
		}
		i := random.IntN(len(every))
		at := Position{Offset: Offset{Millis: uint64(every[i])}, EntriesRead: CountUnknown}
		state := m.state()
		if at.Offset.Before(state.First) {
			continue // the lag is exact without a count
		}
		tally := newCountJob(splitSnapshot{done: at, next: at}, state)
		ok := true
		for ok && !tally.done {
			for range random.IntN(3) {
				change()
			}
			tally.slice = 2 + random.IntN(8)
			ok = tally.add(m.count(tally.request(Split{})))
		}
		for range random.IntN(3) {
			change()
		}
		if !ok {
			continue
		}
		if read, ok := tally.result(m.state()); ok {
			believed[tally.front]++
			require.EqualValues(t, i+1, read, "seed %d, from the front: %t", seed, tally.front)
		}
	}
	assert.Greater(t, believed[true], 500)
	assert.Greater(t, believed[false], 500)
}

func TestSlicesAreSmallInEntriesBytesAndTime(t *testing.T) {
	for name, c := range map[string]struct {
		asked int
		got   Counted
		want  int
	}{
		"they grow":                 {4, Counted{Took: 10 * time.Microsecond, Size: 100}, 8},
		"up to 500":                 {400, Counted{Took: time.Millisecond, Size: 100}, 500},
		"2 ms each":                 {400, Counted{Took: 8 * time.Millisecond, Size: 100}, 100},
		"256 KB each":               {100, Counted{Took: time.Millisecond, Size: 8 << 10}, 32},
		"two are the least":         {4, Counted{Took: time.Second, Size: 1 << 20}, 2},
		"a store that can't tell":   {4, Counted{}, 8},
		"nothing was there to size": {4, Counted{Took: time.Microsecond}, 8},
	} {
		assert.Equal(t, c.want, nextSlice(c.asked, c.got), name)
	}
}
