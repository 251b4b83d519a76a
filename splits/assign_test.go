package splits

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAssign(t *testing.T) {
	type plan = map[string][]int
	for name, tc := range map[string]struct {
		members  []string
		splits   int
		previous plan
		want     plan
	}{
		"nobody":             {nil, 3, nil, plan{}},
		"nobody and nothing": {nil, 0, nil, plan{}},
		"nothing to share":   {[]string{"a", "b"}, 0, plan{"a": {0}}, plan{"a": {}, "b": {}}},
		"a negative number":  {[]string{"a"}, -1, nil, plan{"a": {}}},
		"first plan":         {[]string{"b", "a"}, 5, nil, plan{"a": {0, 1, 2}, "b": {3, 4}}},
		"one member":         {[]string{"a"}, 3, nil, plan{"a": {0, 1, 2}}},
		"members stand by":   {[]string{"a", "b", "c"}, 2, nil, plan{"a": {0}, "b": {1}, "c": {}}},
		"a member joins":     {[]string{"a", "b"}, 4, plan{"a": {0, 1, 2, 3}}, plan{"a": {0, 1}, "b": {2, 3}}},
		"a member dies": {
			[]string{"a", "b"},
			6,
			plan{"a": {0, 1}, "b": {2, 3}, "c": {4, 5}},
			plan{"a": {0, 1, 4}, "b": {2, 3, 5}},
		},
		"the odd one stays":  {[]string{"a", "b"}, 3, plan{"a": {0}, "b": {1, 2}}, plan{"a": {0}, "b": {1, 2}}},
		"the topic grows":    {[]string{"a", "b"}, 4, plan{"a": {0}, "b": {1}}, plan{"a": {0, 2}, "b": {1, 3}}},
		"the topic shrinks":  {[]string{"a", "b"}, 2, plan{"a": {0, 1}, "b": {2, 3}}, plan{"a": {0}, "b": {1}}},
		"unsorted previous":  {[]string{"a", "b"}, 4, plan{"a": {3, 0, 2, 1}}, plan{"a": {0, 1}, "b": {2, 3}}},
		"two claim the same": {[]string{"a", "b"}, 2, plan{"b": {0, 1}, "a": {1, 1}}, plan{"a": {1}, "b": {0}}},
		"out of range":       {[]string{"a", "b"}, 2, plan{"b": {-1, 7, 1, 2}}, plan{"a": {0}, "b": {1}}},
		"repeated members":   {[]string{"b", "a", "b"}, 2, nil, plan{"a": {0}, "b": {1}}},
		"the dead claim too": {[]string{"b"}, 2, plan{"a": {0, 1}, "b": {1}}, plan{"b": {0, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tc.want, Assign(tc.members, tc.splits, tc.previous))
		})
	}
}

func TestAssignLeavesItsInputAlone(t *testing.T) {
	members := []string{"c", "a", "b"}
	previous := map[string][]int{"a": {3, 1, 2, 0}, "gone": {4}}
	plan := Assign(members, 5, previous)
	plan["a"][0] = 99
	assert.Equal(t, []string{"c", "a", "b"}, members)
	assert.Equal(t, map[string][]int{"a": {3, 1, 2, 0}, "gone": {4}}, previous)
}

// checkAssign asserts the properties of every plan, whatever the previous one is.
func checkAssign(t *testing.T, members []string, splits int, previous map[string][]int) {
	t.Helper()
	plan := Assign(members, splits, previous)
	fewest, most, seen := splits, 0, make([]bool, splits)
	for member, partitions := range plan {
		require.Contains(t, members, member)
		require.NotNil(t, partitions)
		require.True(t, slices.IsSorted(partitions), "%s: %v", member, partitions)
		fewest, most = min(fewest, len(partitions)), max(most, len(partitions))
		for _, p := range partitions {
			require.False(t, seen[p], "partition %d is assigned twice", p)
			seen[p] = true
		}
	}
	for _, member := range members {
		require.Contains(t, plan, member)
	}
	if len(members) > 0 {
		require.NotContains(t, seen, false, "a partition is not assigned")
		require.LessOrEqual(t, most-fewest, 1, "not balanced")
	}
	require.Equal(t, plan, Assign(members, splits, plan), "assigning twice moves something")

	shuffled := slices.Clone(members)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	require.Equal(t, plan, Assign(shuffled, splits, previous), "the order of members matters")
}

// stays returns the number of partitions that the plan leaves with their previous owners, as
// claimants returns them.
func stays(owners []string, plan map[string][]int) int {
	n := 0
	for member, partitions := range plan {
		for _, p := range partitions {
			if owners[p] == member {
				n++
			}
		}
	}
	return n
}

// claimants returns the previous owner of each partition, "" if it has none.
func claimants(members []string, splits int, previous map[string][]int) []string {
	owners := make([]string, splits)
	for _, name := range slices.Sorted(maps.Keys(previous)) {
		for _, p := range previous[name] {
			if slices.Contains(members, name) && p >= 0 && p < splits && owners[p] == "" {
				owners[p] = name
			}
		}
	}
	return owners
}

// mostStays tries every balanced plan and returns the most partitions that any of them leaves with
// their owners.
func mostStays(owners []string, members []string) int {
	best, counts := 0, make([]int, len(members))
	ceiling := (len(owners) + len(members) - 1) / len(members)
	var try func(partition, kept int)
	try = func(partition, kept int) {
		if partition == len(owners) {
			if slices.Max(counts)-slices.Min(counts) <= 1 {
				best = max(best, kept)
			}
			return
		}
		for i, member := range members {
			if counts[i] == ceiling {
				continue
			}
			counts[i]++
			if owners[partition] == member {
				try(partition+1, kept+1)
			} else {
				try(partition+1, kept)
			}
			counts[i]--
		}
	}
	try(0, 0)
	return best
}

// randomPlan returns a previous plan with every kind of damage.
func randomPlan(r *rand.Rand, names []string, splits int) map[string][]int {
	previous := map[string][]int{}
	for _, name := range names {
		for range r.IntN(splits + 2) {
			previous[name] = append(previous[name], r.IntN(splits+3)-1)
		}
	}
	return previous
}

func memberNames(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("rafka/host-%d/%x", i, i*7919)
	}
	return names
}

func TestAssignHoldsItsPropertiesForAnyPrevious(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		names := memberNames(r.IntN(12))
		splits := r.IntN(40)
		previous := randomPlan(r, names, splits)
		checkAssign(t, names[:r.IntN(len(names)+1)], splits, previous)
	}
}

func TestAssignMovesNoMoreThanAnyBalancedPlan(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 400 {
		names := memberNames(5)
		splits := r.IntN(8)
		previous := randomPlan(r, names, splits)
		members := names[:1+r.IntN(4)]
		owners := claimants(members, splits, previous)
		plan := Assign(members, splits, previous)
		require.Equal(t, mostStays(owners, members), stays(owners, plan), "members %v splits %d previous %v plan %v",
			members, splits, previous, plan)
	}
}

// Members join and leave as in a rolling deployment. Each plan is the previous one of the next.
func TestAssignStaysSoundOverALongHistory(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	names := memberNames(30)
	var plan map[string][]int
	splits := 16
	for range 300 {
		members := slices.Clone(names)
		r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
		members = members[:1+r.IntN(len(members)-1)]
		if r.IntN(10) == 0 {
			splits += r.IntN(5)
		}
		checkAssign(t, members, splits, plan)
		plan = Assign(members, splits, plan)
	}
}

func TestAssignIsFastForManyMembersAndSplits(t *testing.T) {
	members := memberNames(1000)
	plan := Assign(members, 10_000, nil)
	start := time.Now()
	next := Assign(members[1:], 10_000, plan)
	// A millisecond or two, even with the race detector; a quadratic algorithm takes minutes.
	assert.Less(t, time.Since(start), 10*time.Second)
	owners := claimants(members[1:], 10_000, plan)
	assert.Equal(t, 10_000-10, stays(owners, next), "only the partitions of the one that left move")
	checkAssign(t, members, 10_000, plan)
}

func FuzzAssign(f *testing.F) {
	f.Add(uint8(3), uint8(7), []byte{0, 1, 1, 2, 3, 200})
	f.Add(uint8(0), uint8(0), []byte{})
	f.Add(uint8(5), uint8(2), []byte{9, 9, 4, 0, 3, 0, 2, 1})
	f.Fuzz(func(t *testing.T, count, splits uint8, claims []byte) {
		names := memberNames(int(count%16) + 4)
		previous := map[string][]int{}
		for pair := range slices.Chunk(claims, 2) {
			if len(pair) == 2 {
				name := names[int(pair[0])%len(names)]
				previous[name] = append(previous[name], int(int8(pair[1])))
			}
		}
		checkAssign(t, names[:count%16], int(splits), previous)
	})
}

func BenchmarkAssign(b *testing.B) {
	members := memberNames(1000)
	plan := Assign(members, 10_000, nil)
	for b.Loop() {
		Assign(members[1:], 10_000, plan)
	}
}
