package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// counts counts how often each kind of fault took effect.
type counts struct {
	mu     sync.Mutex
	byKind map[string]int
}

func newCounts() *counts { return &counts{byKind: map[string]int{}} }

func (c *counts) count(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byKind[what]++
}

// faults returns the number of faults. Names in brackets are consequences of faults and do not
// count.
func (c *counts) faults() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for what, count := range c.byKind {
		if what[0] != '(' {
			n += count
		}
	}
	return n
}

// merge adds other counts.
func (c *counts) merge(counts map[string]int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for what, n := range counts {
		c.byKind[what] += n
	}
}

// String returns a table.
func (c *counts) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out strings.Builder
	for _, what := range slices.Sorted(maps.Keys(c.byKind)) {
		fmt.Fprintf(&out, "  %-28s %d\n", what, c.byKind[what])
	}
	return out.String()
}
