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

func (job *tally) hit(group, what string) {
	job.mu.Lock()
	defer job.mu.Unlock()
	if job.counts[group] == nil {
		job.counts[group] = map[string]int{}
	}
	job.counts[group][what]++
}

// size is how many different things of a group were counted.
func (job *tally) size(group string) int {
	job.mu.Lock()
	defer job.mu.Unlock()
	return len(job.counts[group])
}

// String is one line for each group.
func (job *tally) String() string {
	job.mu.Lock()
	defer job.mu.Unlock()
	var out strings.Builder
	for _, group := range slices.Sorted(maps.Keys(job.counts)) {
		counts := job.counts[group]
		fmt.Fprintf(&out, "%s (%d):", group, len(counts))
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&out, " %s %d,", what, counts[what])
		}
		out.WriteString("\n")
	}
	return strings.ReplaceAll(out.String(), ",\n", "\n")
}
