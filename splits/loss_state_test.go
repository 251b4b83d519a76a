package splits

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRolledBackFrom(t *testing.T) {
	deleted := stateOf(1, 5, 5).deleted(1, 3)
	for name, c := range map[string]struct {
		state, seen State
		at          Position
		want        bool
	}{
		"never read":            {stateOf(1, 5, 5), State{}, pos(0, 0), false},
		"at its end":            {stateOf(1, 5, 5), State{}, pos(5, 5), false},
		"beyond its end":        {stateOf(1, 5, 5), State{}, pos(6, 6), true},
		"fewer added than read": {stateOf(1, 9, 5), State{}, pos(6, 6), true},
		"trimmed to nothing": {
			State{Exists: true, EntriesAdded: 5, Last: Offset{Millis: 5}}, stateOf(1, 5, 5), pos(5, 5), false,
		},
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
