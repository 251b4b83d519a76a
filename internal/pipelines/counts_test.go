package pipelines

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// counts counts how many plans have each component, and how often each kind of fault took effect.
type counts struct {
	mu      sync.Mutex
	byGroup map[string]map[string]int
}

func newCounts() *counts { return &counts{byGroup: map[string]map[string]int{}} }

func (job *counts) count(group, what string) {
	job.mu.Lock()
	defer job.mu.Unlock()
	if job.byGroup[group] == nil {
		job.byGroup[group] = map[string]int{}
	}
	job.byGroup[group][what]++
}

// of returns how often something was counted.
func (job *counts) of(group, what string) int {
	job.mu.Lock()
	defer job.mu.Unlock()
	return job.byGroup[group][what]
}

// distinct returns how many different things of a group were counted.
func (job *counts) distinct(group string) int {
	job.mu.Lock()
	defer job.mu.Unlock()
	return len(job.byGroup[group])
}

// String returns one line per group.
func (job *counts) String() string {
	job.mu.Lock()
	defer job.mu.Unlock()
	var out strings.Builder
	for _, group := range slices.Sorted(maps.Keys(job.byGroup)) {
		counts := job.byGroup[group]
		fmt.Fprintf(&out, "%s (%d):", group, len(counts))
		for _, what := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintf(&out, " %s %d,", what, counts[what])
		}
		out.WriteString("\n")
	}
	return strings.ReplaceAll(out.String(), ",\n", "\n")
}
