package splits

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stateOf returns the state of a stream with the entries first-0 to last-0, to which so many
// entries were ever added.
func stateOf(first, last int, added int64) State {
	return State{
		Exists: true, Length: int64(last - first + 1), EntriesAdded: added,
		First: Offset{Millis: uint64(first)}, Last: Offset{Millis: uint64(last)},
	}
}

// deleted returns the state after XDEL of entries, of which the highest is given.
func (s State) deleted(entries int64, highest int) State {
	s.Length -= entries
	s.MaxDeleted = Offset{Millis: uint64(highest)}
	return s
}

// missing returns the loss of n entries.
func missing(n int64) *Loss { return &Loss{Entries: n, Exact: true} }

func TestCheckOfReads(t *testing.T) {
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
		"trimmed beyond":                  {pos(10, 10), entries(15, 20), stateOf(15, 30, 30), missing(4), 20},
		"trimmed on since the read":       {pos(10, 10), entries(15, 20), stateOf(18, 30, 30), missing(4), 20},
		"trimmed since, nothing missed":   {pos(10, 10), entries(11, 20), stateOf(18, 30, 30), nil, 20},
		"all trimmed since":               {pos(10, 10), entries(15, 30), emptied, missing(4), 30},
		"deleted at the front": {
			pos(10, 10), entries(15, 20), stateOf(15, 30, 30).deleted(0, 12), missing(4), 20,
		},
		"trimmed, and deleted further on": {pos(10, 10), entries(15, 20), stateOf(15, 30, 30).deleted(0, 20), nil, 16},
		"deleted in the middle":           {pos(10, 10), entries(15, 20), stateOf(5, 30, 30).deleted(0, 12), nil, 16},
		"the same, at the tail": {
			pos(10, 10), entries(15, 30), stateOf(5, 30, 30).deleted(4, 14), missing(4), 30,
		},
		"some of it deleted since": {
			pos(10, 10), entries(15, 30), stateOf(15, 30, 30).deleted(3, 20), missing(4), 30,
		},
		"deleted before the group began": {pos(0, 4), entries(1, 16), stateOf(1, 30, 34).deleted(0, 500), nil, 20},
		"count unknown": {
			pos(10, CountUnknown), entries(15, 20), stateOf(15, 30, 30), nil, CountUnknown,
		},
		"count unknown, tail reached": {pos(10, CountUnknown), entries(15, 30), stateOf(15, 30, 30), nil, 30},
		"the server does not count":   {pos(10, 10), entries(15, 20), embedded, nil, 16},
		"the stream is gone since":    {pos(10, 10), entries(11, 20), State{}, nil, 20},
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

func TestCheckOfReadsOfAReplacedStream(t *testing.T) {
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
		"fewer removed than before": {
			entries(13, 15), stateOf(5, 40, 36), stateOf(8, 12, 12), true, CountUnknown, 0,
		},
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

// Whatever is trimmed and deleted, at whatever time: only losses are reported, and all of them when
// the end of the stream is reached.
func TestReportedLossesMatchAModel(t *testing.T) {
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
			m.damage() // before the state is read
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

// read returns n entries of a size from a number on.
func read(from, n, size int) []Entry {
	all := make([]Entry, n)
	for i := range all {
		all[i] = Entry{Offset: Offset{Millis: uint64(from + i)}, Fields: []string{"body", strings.Repeat("x", size)}}
	}
	return all
}

func TestStatesOfLargeEntriesAreReadLessOften(t *testing.T) {
	var p *uncheckedReads
	assert.False(t, p.due(), "nothing was read")
	assert.True(t, p.with(Position{}, read(1, 1, 100)).due())
	p = p.with(Position{}, read(1, 1, largeStateEntry))
	assert.False(t, p.due())
	for i := 2; i < maxUnchecked; i++ {
		p = p.with(Position{}, read(i, 1, largeStateEntry))
		assert.False(t, p.due())
	}
	full := p.with(Position{}, read(maxUnchecked, 1, largeStateEntry))
	assert.True(t, full.due(), "enough of them")
	assert.Len(
		t,
		full.with(Position{}, read(maxUnchecked+1, 1, largeStateEntry)).offsets,
		1,
		"it does not grow while no answer comes",
	)
	assert.True(t, p.with(Position{}, read(maxUnchecked, 1, 100)).due(), "they became small")
	p.idle = true
	assert.True(t, p.due(), "no more came")
}

// 3 of the 20 that are gone were read before, 2 by the first read; 15 were lost between the reads.
func TestLossBetweenUncheckedReadsIsCounted(t *testing.T) {
	p := (*uncheckedReads)(nil).
		with(Position{Offset: Offset{Millis: 3}, EntriesRead: 3}, read(4, 2, largeStateEntry)).
		with(Position{Offset: Offset{Millis: 5}, EntriesRead: 5}, read(21, 4, largeStateEntry))
	f := p.check(
		State{Exists: true, Length: 30, EntriesAdded: 50, First: Offset{Millis: 21}, Last: Offset{Millis: 50}},
		State{},
	)
	assert.Equal(t, Loss{After: Offset{Millis: 3}, Entries: 15, Exact: true}, f.loss)
	assert.EqualValues(t, 24, f.read)
	assert.Equal(t, sumOf(read(24, 1, largeStateEntry)[0]), p.sum)
}
