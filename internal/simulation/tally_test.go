package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// tally counts how often each kind of misfortune took effect.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func newTally() *tally { return &tally{counts: map[string]int{}} }

func (t *tally) hit(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[what]++
}

// sum counts the misfortune; what stands in brackets is none, but its consequence.
func (t *tally) sum() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for what, count := range t.counts {
		if what[0] != '(' {
			n += count
		}
	}
	return n
}

// add adds other counts.
func (t *tally) add(counts map[string]int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for what, n := range counts {
		t.counts[what] += n
	}
}

// String is a table.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out strings.Builder
	for _, what := range slices.Sorted(maps.Keys(t.counts)) {
		fmt.Fprintf(&out, "  %-28s %d\n", what, t.counts[what])
	}
	return out.String()
}
