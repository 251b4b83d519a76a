//go:build ledger

package ledger

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// awaitShares waits until exactly these consumers hold all partitions, evenly, and returns the
// leases.
func (s *scenario) awaitShares(t testing.TB, names ...string) (all []lease) {
	t.Helper()
	least := s.Partitions / len(names)
	await(t, waitLimit, fmt.Sprintf("%v to share the partitions", names), func() bool {
		all = s.leases(t)
		count := map[string]int{}
		for _, l := range all {
			count[l.owner]++
		}
		return len(count) == len(names) && !slices.ContainsFunc(names, func(n string) bool { return count[n] < least })
	})
	return all
}

// awaitReads waits until so many more messages are finished that were read after a time.
func (s *scenario) awaitReads(t testing.TB, after time.Time, more int) {
	t.Helper()
	seen := 0
	for _, m := range s.consumers {
		for _, r := range m.records {
			if r.read().After(after) {
				seen++
			}
		}
	}
	await(t, waitLimit, fmt.Sprintf("%d more messages to be read", more), func() bool {
		for _, r := range s.refresh(t) {
			if r.read().After(after) {
				seen++
			}
		}
		return seen >= more
	})
}

// awaitRounds waits until each producer has written `more` times to each of its keys.
func (s *scenario) awaitRounds(t testing.TB, more int) {
	t.Helper()
	for _, p := range s.producers {
		p.ackLog.refresh(t)
	}
	for _, p := range s.producers {
		enough := len(p.numbers) + more*len(p.Keys)
		await(t, waitLimit, fmt.Sprintf("%s to write to its keys %d more times", p.name, more), func() bool {
			p.ackLog.refresh(t)
			return len(p.numbers) >= enough
		})
	}
}

// awaitLines waits until the given lines have been read. If none of them is read for a while, it fails
// and names the missing ones.
func (s *scenario) awaitLines(t testing.TB, entered []int64) {
	t.Helper()
	missing := make(map[int64]struct{}, len(entered))
	for _, line := range entered {
		missing[line] = struct{}{}
	}
	s.refresh(t)
	for _, m := range s.consumers {
		for _, r := range m.records {
			delete(missing, r.Line)
		}
	}
	progress := time.Now()
	await(t, patience, "all messages to be read", func() bool {
		before := len(missing)
		for _, r := range s.refresh(t) {
			delete(missing, r.Line)
		}
		if len(missing) < before {
			progress = time.Now()
		}
		return len(missing) == 0 || time.Since(progress) > waitLimit
	})
	if len(missing) > 0 {
		shown := slices.Sorted(maps.Keys(missing))[:min(len(missing), 20)]
		require.Fail(t, "messages were lost", "%d of %d were not read, and none for %s: %v ...; the leases: %+v",
			len(missing), len(entered), waitLimit, shown, s.leases(t))
	}
}
