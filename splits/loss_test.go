package splits

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// state of a stream with entries first-0 to last-0, of which so many were ever added.
func stateOf(first, last int, added int64) State {
	return State{
		Exists: true, Length: int64(last - first + 1), Added: added,
		First: Offset{Millis: uint64(first)}, Last: Offset{Millis: uint64(last)},
	}
}

func TestJudgeOfARead(t *testing.T) {
	deleted := stateOf(15, 30, 30)
	deleted.MaxDeleted = Offset{Millis: 12}
	emptied := State{Exists: true, Added: 30, Last: Offset{Millis: 30}}
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
		"some were deleted":               {pos(10, 10), entries(15, 20), deleted, &Loss{Entries: 1}, 20},
		"fewer added than read":           {pos(10, 10), entries(15, 20), stateOf(15, 20, 6), &Loss{Entries: 1, Recreated: true}, 6},
		"recreated and trimmed":           {pos(10, 10), entries(15, 20), stateOf(15, 20, 8), &Loss{Entries: 1, Recreated: true}, 8},
		"count unknown":                   {pos(10, ReadUnknown), entries(15, 20), stateOf(15, 30, 30), nil, ReadUnknown},
		"count unknown, tail reached":     {pos(10, ReadUnknown), entries(15, 30), stateOf(15, 30, 30), nil, 30},
		"the server does not count":       {pos(10, 10), entries(15, 20), embedded, nil, 16},
		"the stream is gone since":        {pos(10, 10), entries(11, 20), State{}, nil, 20},
	} {
		loss, read := probe{before: c.before, entries: c.got}.judge(c.state)
		if c.loss != nil {
			c.loss.After = c.before.Offset
		}
		assert.Equal(t, c.loss, loss, name)
		assert.Equal(t, c.read, read, name)
	}
}

func TestAStreamIsRolledBackIfItCannotHaveReachedThePosition(t *testing.T) {
	for name, c := range map[string]struct {
		state State
		at    Position
		want  bool
	}{
		"never read":         {stateOf(1, 5, 5), pos(0, 0), false},
		"at its end":         {stateOf(1, 5, 5), pos(5, 5), false},
		"beyond its end":     {stateOf(1, 5, 5), pos(6, 6), true},
		"trimmed to nothing": {State{Exists: true, Added: 5, Last: Offset{Millis: 5}}, pos(5, 5), false},
		"not there":          {State{}, pos(5, 5), false},
	} {
		assert.Equal(t, c.want, c.state.rolledBack(c.at), name)
	}
}

func TestLag(t *testing.T) {
	for name, c := range map[string]struct {
		state State
		at    Position
		want  int64
	}{
		"by the counts":             {stateOf(1, 30, 30), pos(10, 10), 20},
		"caught up":                 {stateOf(1, 30, 30), pos(30, ReadUnknown), 0},
		"nothing read":              {stateOf(1, 30, -1), pos(0, ReadUnknown), 30},
		"count unknown, in between": {stateOf(1, 30, 30), pos(10, ReadUnknown), -1},
		"empty":                     {State{Exists: true, Last: Offset{Millis: 30}}, pos(10, 10), 0},
		"not there":                 {State{}, pos(10, 10), 0},
	} {
		assert.Equal(t, c.want, c.state.lag(c.at), name)
	}
}
