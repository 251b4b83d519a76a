package broker

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// No two partitions of any two topics share a key, nor do what their groups and producers have; and
// a key tells whose it is.
func FuzzNoTwoPartitionsMeet(f *testing.F) {
	f.Add("t", "t", "g", "g", uint32(1), uint32(11))
	f.Add("t:1", "t", "g", "h", uint32(0), uint32(10))
	f.Add("{t}", "{t}:0", "topic", "%74opic", uint32(0), uint32(0))
	f.Add("t{a}", "t", "a:b", "a%3Ab", uint32(7), uint32(7))
	f.Fuzz(func(t *testing.T, topic1, topic2, name1, name2 string, i, j uint32) {
		if ValidateTopic(topic1, true) != nil || ValidateTopic(topic2, true) != nil || ValidateGroup(name1) != nil ||
			ValidateGroup(name2) != nil {
			return
		}
		one, two := partitionSplit(topic1, int(i%MaxPartitions)), partitionSplit(topic2, int(j%MaxPartitions))
		require.Equal(t, one == two, one.Key == two.Key)
		require.Equal(t, one == two && name1 == name2, leaseKey(one.Key, name1) == leaseKey(two.Key, name2))
		require.Equal(t, one == two && name1 == name2, producerKey(one.Key, name1) == producerKey(two.Key, name2))
		require.NotEqual(t, leaseKey(one.Key, name1), producerKey(two.Key, name2))
		topic, n, ok := partitionOf(one.Key)
		require.True(t, ok)
		require.Equal(t, one, partitionSplit(topic, n))
		for key, kind := range map[string]string{
			leaseKey(one.Key, name1): "lease", producerKey(one.Key, name1): "producer",
			planKey(topic1, name1): "plan", membersKey(topic1, name1): "members",
		} {
			owner, found, ok := parseOwnedKey(key)
			require.True(t, ok, key)
			require.Equal(t, kind, found, key)
			require.Equal(t, keyKind(kind), kindOf(key))
			if kind == "plan" || kind == "members" {
				require.Equal(t, topic1, untagged(owner))
			} else {
				require.Equal(t, one.Key, untagged(owner))
			}
		}
	})
}

// Keys that others made are taken apart without a panic, and for ours only if we would make the
// same.
func FuzzAnyKeyIsTakenApart(f *testing.F) {
	for _, key := range slices.Concat(trickyTopics, slices.Collect(maps.Keys(ownKeys("{t}:plan", "topic")))) {
		f.Add(key)
	}
	for _, key := range []string{"", ":", "rafka:", "rafka:{", "rafka:{}", "rafka:{}:plan:", "rafka:{a}:plan:%", "a:-1", "a:01"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		kindOf(key)
		if topic, ok := parseTopicKey(key); ok {
			require.Equal(t, key, topicKey(topic))
		}
		if topic, group, ok := parsePlanKey(key); ok {
			require.Equal(t, key, planKey(topic, group))
		}
		if topic, i, ok := partitionOf(key); ok {
			require.Equal(t, key, partitionKey(topic, i))
		}
		if _, kind, ok := parseOwnedKey(key); ok {
			require.Contains(t, ownedKinds, kind)
		}
	})
}

// A plan is read as it was written, each member's partitions in ascending order and once.
func FuzzPlansAreReadAsWritten(f *testing.F) {
	f.Add("rafka/a/x1 rafka/b/x2", []byte{0, 1, 2, 3, 7})
	f.Add("a", []byte{5, 5, 4, 255, 0})
	f.Add("", []byte{})
	f.Add("\"<>& \u2028", []byte{9})
	f.Fuzz(func(t *testing.T, names string, partitions []byte) {
		if !utf8.ValidString(names) { // no member has such a name
			return
		}
		members := strings.Split(names, " ")
		assignments, want := map[string][]int{}, map[string][]int{}
		for i, member := range members {
			all := []int{}
			for j, p := range partitions {
				if j%len(members) == i {
					all = append(all, int(p)*(i+1))
				}
			}
			assignments[member] = all
			want[member] = slices.Compact(slices.Sorted(slices.Values(all)))
			if want[member] == nil {
				want[member] = []int{}
			}
		}
		text, err := encodePlan(assignments)
		require.NoError(t, err)
		plan, err := decodePlan(text, 7)
		require.NoError(t, err)
		require.Equal(t, want, plan.Assignments)
	})
}
