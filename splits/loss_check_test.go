package splits

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// state of a stream with entries first-0 to last-0, of which so many were ever added.
func stateOf(first, last int, added int64) State {
	return State{
		Exists: true, Length: int64(last - first + 1), EntriesAdded: added,
		First: Offset{Millis: uint64(first)}, Last: Offset{Millis: uint64(last)},
	}
}

// deleted is the state after XDEL of entries, of which the highest was this.
func (s State) deleted(entries int64, highest int) State {
	s.Length -= entries
	s.MaxDeleted = Offset{Millis: uint64(highest)}
	return s
}

func TestJudgeOfARead(t *testing.T) {
	emptied := State{Exists: true, EntriesAdded: 30, Last: Offset{Millis: 30}}
	embedded := stateOf(1, 30, -1)
	for name, c := range map[string]struct {
		before Position
		got    []Entry
		state  State
		loss   *Loss
		read   int64
	}{
		"nothing is missing":              {pos(10, 10), entries(11, 20), stateOf(5, 30, 30), nil, 20},
		"first read of a whole stream":    {pos(0, 0), entries(1, 20), stateOf(1, 30, 30), nil, 20},
		"trimmed up to where we had read": {pos(10, 10), entries(11, 20), stateOf(11, 30, 30), nil, 20},
		"trimmed beyond":                  {pos(10, 10), entries(15, 20), stateOf(15, 30, 30), &Loss{Entries: 4, Exact: true}, 20},
		"trimmed on since the read":       {pos(10, 10), entries(15, 20), stateOf(18, 30, 30), &Loss{Entries: 4, Exact: true}, 20},
		"trimmed since, nothing missed":   {pos(10, 10), entries(11, 20), stateOf(18, 30, 30), nil, 20},
		"all trimmed since":               {pos(10, 10), entries(15, 30), emptied, &Loss{Entries: 4, Exact: true}, 30},
		"deleted at the front":            {pos(10, 10), entries(15, 20), stateOf(15, 30, 30).deleted(0, 12), &Loss{Entries: 4, Exact: true}, 20},
		"trimmed, and deleted further on": {pos(10, 10), entries(15, 20), stateOf(15, 30, 30).deleted(0, 20), nil, 16},
		"deleted in the middle":           {pos(10, 10), entries(15, 20), stateOf(5, 30, 30).deleted(0, 12), nil, 16},
		"the same, at the tail":           {pos(10, 10), entries(15, 30), stateOf(5, 30, 30).deleted(4, 14), &Loss{Entries: 4, Exact: true}, 30},
		"some of it deleted since":        {pos(10, 10), entries(15, 30), stateOf(15, 30, 30).deleted(3, 20), &Loss{Entries: 4, Exact: true}, 30},
		"deleted before the group began":  {pos(0, 4), entries(1, 16), stateOf(1, 30, 34).deleted(0, 500), nil, 20},
		"count unknown":                   {pos(10, CountUnknown), entries(15, 20), stateOf(15, 30, 30), nil, CountUnknown},
		"count unknown, tail reached":     {pos(10, CountUnknown), entries(15, 30), stateOf(15, 30, 30), nil, 30},
		"the server does not count":       {pos(10, 10), entries(15, 20), embedded, nil, 16},
		"the stream is gone since":        {pos(10, 10), entries(11, 20), State{}, nil, 20},
	} {
		f := (*uncheckedReads)(nil).with(c.before, c.got).check(c.state, State{})
		want := finding{read: c.read}
		if c.loss != nil {
			c.loss.After = c.before.Offset
			want.change, want.loss = lost, *c.loss
		}
		assert.Equal(t, want, f, name)
	}
}

func TestJudgeOfAReadOfAStreamThatWentBack(t *testing.T) {
	seen := stateOf(1, 12, 12)
	for name, c := range map[string]struct {
		got   []Entry
		state State
		seen  State
		back  bool
		read  int64
		lost  int64
	}{
		"recreated, all behind the position":      {entries(20, 22), stateOf(20, 22, 3), seen, false, 3, 2},
		"the same, nothing seen before":           {entries(20, 22), stateOf(20, 22, 3), State{}, false, 3, 0},
		"the same, more added than read":          {entries(20, 29), stateOf(20, 60, 41), seen, false, 10, 2},
		"the same, trimmed":                       {entries(22, 29), stateOf(22, 29, 9), seen, false, 9, 2},
		"recreated, lower ones come first":        {entries(20, 20), stateOf(5, 20, 3), seen, true, CountUnknown, 0},
		"recreated, one that never came is first": {entries(20, 20), stateOf(15, 30, 3), seen, true, CountUnknown, 0},
		"the same, with as many as had been read": {entries(20, 20), stateOf(0, 20, 11), seen, true, CountUnknown, 0},
		"rolled back and written on":              {entries(13, 14), stateOf(1, 14, 9), seen, true, CountUnknown, 0},
		"recreated since the read":                {entries(11, 12), stateOf(1, 5, 5), seen, true, CountUnknown, 0},
		"fewer removed than before":               {entries(13, 15), stateOf(5, 40, 36), stateOf(8, 12, 12), true, CountUnknown, 0},
	} {
		want := finding{change: rolledBack, read: c.read}
		if !c.back {
			at := pos(10, 10).Offset
			want.change = replaced
			want.loss = Loss{After: at, From: at, Entries: c.lost, Recreated: true}
		}
		assert.Equal(t, want, (*uncheckedReads)(nil).with(pos(10, 10), c.got).check(c.state, c.seen), name)
	}
}

func TestAStreamWentBackIfItIsLessThanItWas(t *testing.T) {
	deleted := stateOf(1, 5, 5).deleted(1, 3)
	for name, c := range map[string]struct {
		state, seen State
		at          Position
		want        bool
	}{
		"never read":                    {stateOf(1, 5, 5), State{}, pos(0, 0), false},
		"at its end":                    {stateOf(1, 5, 5), State{}, pos(5, 5), false},
		"beyond its end":                {stateOf(1, 5, 5), State{}, pos(6, 6), true},
		"fewer added than read":         {stateOf(1, 9, 5), State{}, pos(6, 6), true},
		"trimmed to nothing":            {State{Exists: true, EntriesAdded: 5, Last: Offset{Millis: 5}}, stateOf(1, 5, 5), pos(5, 5), false},
		"not there, nor ever read":      {State{}, State{}, pos(5, CountUnknown), false},
		"not there, and was read":       {State{}, State{}, pos(5, 5), true},
		"not there, and was seen":       {State{}, stateOf(1, 5, 5), pos(0, 0), true},
		"unchanged":                     {deleted, deleted, pos(5, 5), false},
		"grown and trimmed":             {stateOf(4, 9, 9), stateOf(2, 5, 5), pos(5, 5), false},
		"unread entries are gone":       {stateOf(1, 7, 7), stateOf(1, 9, 9), pos(5, 5), true},
		"the first is another":          {stateOf(3, 12, 20), stateOf(4, 9, 9), pos(5, 5), true},
		"deleted entries are back":      {stateOf(1, 5, 5), deleted, pos(5, 5), true},
		"the server does not count":     {stateOf(1, 5, -1), stateOf(1, 9, -1), pos(5, CountUnknown), false},
		"the server doesn't, and it is": {stateOf(1, 4, -1), stateOf(1, 9, -1), pos(5, CountUnknown), true},
	} {
		assert.Equal(t, c.want, c.state.rolledBackFrom(c.seen, c.at), name)
	}
}

// model is a stream whose every entry is accounted for.
type model struct {
	random     *rand.Rand
	present    []int
	last       int
	added      int64
	maxDeleted int
	unread     int64 // removed before they were read
	read       map[int]bool
}

func (m *model) add(n int) {
	for range n {
		m.last += 1 + m.random.IntN(2)
		m.present = append(m.present, m.last)
		m.added++
	}
}

func (m *model) remove(i int) {
	if !m.read[m.present[i]] {
		m.unread++
	}
	m.present = slices.Delete(m.present, i, i+1)
}

func (m *model) trim(n int) {
	for range min(n, len(m.present)) {
		m.remove(0)
	}
}

func (m *model) delete(n int) {
	for range min(n, len(m.present)) {
		i := m.random.IntN(len(m.present))
		m.maxDeleted = max(m.maxDeleted, m.present[i])
		m.remove(i)
	}
}

func (m *model) damage() {
	switch n := m.random.IntN(12); {
	case n < 4:
		m.add(n * n)
	case n == 4:
		m.trim(m.random.IntN(20))
	case n == 5:
		m.delete(m.random.IntN(4))
	}
}

func (m *model) state() State {
	s := State{
		Exists: true, Length: int64(len(m.present)), EntriesAdded: m.added,
		Last: Offset{Millis: uint64(m.last)}, MaxDeleted: Offset{Millis: uint64(m.maxDeleted)},
	}
	if len(m.present) > 0 {
		s.First = Offset{Millis: uint64(m.present[0])}
	}
	return s
}

func (m *model) fetch(after Offset, count int) (all []Entry) {
	for _, id := range m.present {
		if o := (Offset{Millis: uint64(id)}); after.Before(o) && len(all) < count {
			all = append(all, Entry{Offset: o})
			m.read[id] = true
		}
	}
	return all
}

// Whatever is trimmed and deleted, and whenever: nothing is reported that was not lost, and all of
// it once the tail is reached.
func TestReportedLossesAreThoseOfAModel(t *testing.T) {
	for seed := range uint64(1000) {
		m := &model{random: rand.New(rand.NewPCG(seed, 1)), read: map[int]bool{}}
		m.add(m.random.IntN(30))
		m.delete(m.random.IntN(5))
		m.trim(m.random.IntN(5))
		seen, reported := m.state(), int64(0)
		m.unread = 0
		at := Position{EntriesRead: seen.removed()}
		step := func(count int) {
			m.damage()
			got := m.fetch(at.Offset, count)
			if len(got) == 0 {
				return
			}
			p := (*uncheckedReads)(nil).with(at, got)
			m.damage() // before the state is asked for
			state := m.state()
			f := p.check(state, seen)
			seen = state
			require.Contains(t, []streamChange{same, lost}, f.change, "seed %d", seed)
			reported += f.loss.Entries
			require.LessOrEqual(t, reported, m.unread, "seed %d", seed)
			at = Position{Offset: p.last(), EntriesRead: f.read}
		}
		for range 30 {
			step(1 + m.random.IntN(12))
		}
		m.add(1)
		p := (*uncheckedReads)(nil).with(at, m.fetch(at.Offset, 1<<30))
		reported += p.check(m.state(), seen).loss.Entries
		require.Equal(t, m.unread, reported, "seed %d", seed)
	}
}
