package pipelines

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// tally counts in how many plans each component took part, and how often each kind of failure took
// effect.
type tally struct {
	mu     sync.Mutex
	counts map[string]map[string]int
}

func newTally() *tally { return &tally{counts: map[string]map[string]int{}} }

func (t *tally) hit(group, what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.counts[group] == nil {
		t.counts[group] = map[string]int{}
	}
	t.counts[group][what]++
}

// size is how many different things of a group were counted.
func (t *tally) size(group string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.counts[group])
}

// String is one line for each group.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out strings.Builder
	for _, group := range slices.Sorted(maps.Keys(t.counts)) {
		counts := t.counts[group]
		fmt.Fprintf(&out, "%s (%d):", group, len(counts))
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&out, " %s %d,", what, counts[what])
		}
		out.WriteString("\n")
	}
	return strings.ReplaceAll(out.String(), ",\n", "\n")
}
