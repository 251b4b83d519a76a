package keys

import (
	"maps"
	"slices"
	"testing"

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
		i, j = i%MaxPartitions, j%MaxPartitions
		one, two := Partition(topic1, int(i)), Partition(topic2, int(j))
		same := topic1 == topic2 && i == j
		require.Equal(t, same, one == two)
		require.Equal(t, same && name1 == name2, Lease(one, name1) == Lease(two, name2))
		require.Equal(t, same && name1 == name2, Producer(one, name1) == Producer(two, name2))
		require.Equal(t, same && name1 == name2, Failing(one, name1) == Failing(two, name2))
		require.NotEqual(t, Lease(one, name1), Producer(two, name2))
		require.NotEqual(t, Lease(one, name1), Failing(two, name2))
		topic, n, ok := ParsePartition(one)
		require.True(t, ok)
		require.Equal(t, topic1, topic)
		require.EqualValues(t, i, n)
		for key, kind := range map[string]string{
			Lease(one, name1): "lease", Failing(one, name1): "failing", Producer(one, name1): "producer",
			Plan(topic1, name1): "plan", Members(topic1, name1): "members", Groups(topic1): "groups", IDs(one): "ids",
			Replayed(one): "replayed",
		} {
			owner, found, ok := ParseOwned(key)
			require.True(t, ok, key)
			require.Equal(t, kind, found, key)
			require.Equal(t, Kind(kind), KindOf(key))
			if slices.Contains([]string{"plan", "members", "groups"}, kind) {
				require.Equal(t, topic1, untagged(owner))
			} else {
				require.Equal(t, one, untagged(owner))
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
	for _, key := range []string{
		"", ":", "rafka:", "rafka:{", "rafka:{}", "rafka:{}:plan:", "rafka:{a}:plan:%", "a:-1", "a:01",
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		KindOf(key)
		if topic, ok := ParseMetadata(key); ok {
			require.Equal(t, key, Metadata(topic))
		}
		if topic, group, ok := ParsePlan(key); ok {
			require.Equal(t, key, Plan(topic, group))
		}
		if topic, i, ok := ParsePartition(key); ok {
			require.Equal(t, key, Partition(topic, i))
		}
		if _, kind, ok := ParseOwned(key); ok {
			require.Contains(t, slices.Concat(ownedKinds, nameless), kind)
		}
	})
}
