package splits

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLag(t *testing.T) {
	exactly := func(n int64) Lag { return Lag{n, true} }
	atMost := func(n int64) Lag { return Lag{n, false} }
	emptied := State{Exists: true, Last: Offset{Millis: 30}, EntriesAdded: 30}
	for name, c := range map[string]struct {
		state     State
		at        Position
		accounted int64
		want      Lag
	}{
		"by the counts":                     {stateOf(1, 30, 30), pos(10, 10), CountUnknown, exactly(20)},
		"caught up":                         {stateOf(1, 30, 30), pos(30, CountUnknown), CountUnknown, exactly(0)},
		"nothing read":                      {stateOf(1, 30, -1), pos(0, CountUnknown), CountUnknown, exactly(30)},
		"count unknown, in between":         {stateOf(1, 30, 30), pos(10, CountUnknown), CountUnknown, atMost(29)},
		"count unknown, but some accounted": {stateOf(1, 30, 30), pos(10, CountUnknown), 8, atMost(22)},
		"everything trimmed":                {emptied, pos(10, 10), CountUnknown, exactly(0)},
		"trimmed beyond the position":       {stateOf(21, 30, 30), pos(10, 10), CountUnknown, exactly(10)},
		"trimmed up to the position":        {stateOf(11, 30, 30), pos(10, CountUnknown), CountUnknown, exactly(20)},
		"trimmed before the position":       {stateOf(5, 30, 30), pos(10, 10), CountUnknown, exactly(20)},
		"deleted before the position":       {stateOf(1, 30, 31).deleted(1, 5), pos(10, 10), CountUnknown, exactly(21)},
		"deleted behind the position":       {stateOf(1, 30, 30).deleted(1, 20), pos(10, 10), CountUnknown, atMost(20)},
		"deleted and counted":               {stateOf(1, 30, 30).deleted(1, 20), pos(10, 10), 11, atMost(19)},
		"only deleted entries behind":       {stateOf(1, 30, 30).deleted(1, 30), pos(29, 29), 30, exactly(0)},
		"not there":                         {State{}, pos(10, 10), CountUnknown, exactly(0)},
		"went back":                         {stateOf(1, 8, 8), pos(10, 10), CountUnknown, atMost(8)},
		"recreated":                         {stateOf(20, 29, 10), pos(10, 15), 20, exactly(10)},
		"counts of another stream":          {stateOf(1, 30, 30), pos(10, 40), 50, atMost(29)},
		"does not count":                    {stateOf(1, 30, -1), pos(10, 10), 10, atMost(29)},
	} {
		assert.Equal(t, c.want, c.state.Lag(c.at, c.accounted), name)
	}
}

// behind returns the true lag.
func (m *model) behind(at Offset) (n int64) {
	for _, id := range m.present {
		if at.Before(Offset{Millis: uint64(id)}) {
			n++
		}
	}
	return n
}

// Whatever is trimmed and deleted: the lag is never too low, and is correct if it is exact.
func TestLagMatchesAModel(t *testing.T) {
	for seed := range uint64(2000) {
		m := &model{random: rand.New(rand.NewPCG(seed, 2)), read: map[int]bool{}}
		m.add(m.random.IntN(30))
		every := slices.Clone(m.present) // ever added
		at, accounted := Position{}, CountUnknown
		for range 20 {
			m.damage()
			for _, id := range m.present {
				if len(every) == 0 || id > every[len(every)-1] {
					every = append(every, id)
				}
			}
			if m.random.IntN(3) == 0 {
				if got := m.fetch(at.Offset, 1+m.random.IntN(8)); len(got) > 0 {
					at = Position{Offset: got[len(got)-1].Offset, EntriesRead: CountUnknown}
					if m.random.IntN(2) == 0 {
						i, _ := slices.BinarySearch(every, int(at.Offset.Millis))
						at.EntriesRead = int64(i + 1)
					}
				}
			}
			s := m.state()
			lag, truth := s.Lag(at, accounted), m.behind(at.Offset)
			require.GreaterOrEqual(t, lag.Entries, truth, "seed %d", seed)
			if lag.Exact {
				require.Equal(t, truth, lag.Entries, "seed %d", seed)
			}
			accounted = max(accounted, s.accounted(at, accounted))
		}
	}
}
