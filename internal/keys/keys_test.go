package keys

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeysHaveTheDocumentedLayout(t *testing.T) {
	for got, want := range map[string]string{
		Partition("orders", 3):             "orders:3",
		Metadata("orders"):                 "rafka:{orders}:topic",
		Plan("orders", "billing"):          "rafka:{orders}:plan:billing",
		Members("orders", "billing"):       "rafka:{orders}:members:billing",
		Lease("orders:3", "billing"):       "rafka:{orders:3}:lease:billing",
		Producer("orders:3", "p1"):         "rafka:{orders:3}:producer:p1",
		GroupChannel("orders", "billing"):  "rafka:{orders}:wake:billing",
		TopicChannel("orders"):             "rafka:{orders}:wake",
		Metadata("{eu}:orders"):            "rafka:{eu}:orders:topic",
		Lease("{eu}:orders:3", "b"):        "rafka:{eu}:orders:3:lease:b",
		Plan("orders", "a:b{c}%"):          "rafka:{orders}:plan:a%3Ab%7Bc%7D%25",
		Plan("orders", "topic"):            "rafka:{orders}:plan:%74opic",
		Metadata("{orders}"):               "rafka:{orders}{}:topic",
		Lease("{orders}", "billing"):       "rafka:{orders}{}:lease:billing",
		Lease("{orders}:0", "billing"):     "rafka:{orders}:0:lease:billing",
		GroupChannel("{eu}:orders", "a:b"): "rafka:{eu}:orders:wake:a%3Ab",
		Members("{eu}:orders", "topic"):    "rafka:{eu}:orders:members:%74opic",
		Producer("{eu}:orders:3", "a:b"):   "rafka:{eu}:orders:3:producer:a%3Ab",
		IDs("orders:3"):                    "rafka:{orders:3}:ids",
		IDs("{eu}:orders:3"):               "rafka:{eu}:orders:3:ids",
		Replayed("orders:3"):               "rafka:{orders:3}:replayed",
		Groups("orders"):                   "rafka:{orders}:groups",
		Plan("{eu}:orders", "groups"):      "rafka:{eu}:orders:plan:%67roups",
		Lease("orders", "replayed"):        "rafka:{orders}:lease:%72eplayed",
		Lease("{eu}:orders:3", "ids"):      "rafka:{eu}:orders:3:lease:%69ds",
	} {
		assert.Equal(t, want, got)
	}
}

func TestKeysOfOneScriptShareASlot(t *testing.T) {
	for _, topic := range []string{"orders", "{eu}:orders", "{orders}", "a{b}c"} {
		assert.Equal(t, hashTag(topic), hashTag(Metadata(topic)), topic)
		assert.Equal(t, hashTag(topic), hashTag(Plan(topic, "g")), topic)
		assert.Equal(t, hashTag(topic), hashTag(Members(topic, "g")), topic)
		assert.Equal(t, hashTag(topic), hashTag(Groups(topic)), topic)
		for _, partition := range []string{topic, Partition(topic, 3)} {
			for _, key := range []string{
				Lease(partition, "g"), Failing(partition, "g"), Producer(partition, "p"),
				IDs(partition), Replayed(partition),
			} {
				assert.Equal(t, hashTag(partition), hashTag(key), topic)
			}
		}
	}
}

// hashTag is the part of a key that Redis Cluster makes the slot of.
func hashTag(key string) string {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			return tag
		}
	}
	return key
}

// ownKeys are all keys that a group of a topic and a producer called like the group may have, by
// what they hold. Partition keys belong to no topic but to the stream, which a plain topic of that
// name shares.
func ownKeys(topic, group string) map[string]string {
	keys := map[string]string{
		Metadata(topic):       "topic of " + topic,
		Groups(topic):         "groups of " + topic,
		Plan(topic, group):    "plan of " + topic + " and " + group,
		Members(topic, group): "members of " + topic + " and " + group,
	}
	for _, stream := range []string{topic, Partition(topic, 0), Partition(topic, 12)} {
		keys[stream] = "stream " + stream
		keys[Lease(stream, group)] = "lease of " + stream + " and " + group
		keys[Failing(stream, group)] = "failing of " + stream + " and " + group
		keys[Producer(stream, group)] = "producer of " + stream + " and " + group
		keys[IDs(stream)] = "IDs of " + stream
		keys[Replayed(stream)] = "marks of " + stream
	}
	return keys
}

func assertKeysApart(t *testing.T, topic1, group1, topic2, group2 string) {
	t.Helper()
	first := ownKeys(topic1, group1)
	assert.Len(t, first, 22, "the keys of one topic and group")
	for key, holds := range ownKeys(topic2, group2) {
		if other, ok := first[key]; ok {
			assert.Equal(t, other, holds, "both are at the key %q", key)
		}
	}
}

var trickyTopics = []string{
	"t",
	"{t}",
	"a{t}",
	"{t}a",
	"{t}:plan",
	"{t}:members",
	"{t}:lease",
	"{t}:failing",
	"{t}:ids",
	"{t}:groups",
	"{t}:topic",
	"{t}:plan:g",
	"t:plan:g",
	"t:0",
	"{t}:0",
	"{t:0}",
	"t:0:lease",
	"{t}:0:lease",
	"{t}:producer",
	"rafka:t",
	"rafka",
	"rafka:",
	"{rafka:t}",
	"t%3A",
	"T",
}

var trickyGroups = []string{
	"g",
	"groups",
	"ids",
	"replayed",
	"topic",
	"%74opic",
	"a",
	"b",
	"g:topic",
	"{t}",
	"%",
	"%25",
	"plan",
	"a:b",
	"a%3Ab",
}

func TestNoTwoKeysMeet(t *testing.T) {
	for _, topic1 := range trickyTopics {
		require.NoError(t, ValidateTopic(topic1, false))
		for _, topic2 := range trickyTopics {
			for _, group1 := range trickyGroups {
				for _, group2 := range trickyGroups {
					assertKeysApart(t, topic1, group1, topic2, group2)
				}
			}
		}
	}
}

func FuzzNoTwoKeysMeet(f *testing.F) {
	f.Add("t", "g", "{t}", "g")
	f.Add("{t}:plan", "g", "{t}", "topic")
	f.Add("t:0", "a:b", "t", "a%3Ab")
	f.Fuzz(func(t *testing.T, topic1, group1, topic2, group2 string) {
		for _, topic := range []string{topic1, topic2} {
			if ValidateTopic(topic, false) != nil {
				return
			}
		}
		if ValidateGroup(group1) != nil || ValidateGroup(group2) != nil {
			return
		}
		assertKeysApart(t, topic1, group1, topic2, group2)
		topic, ok := ParseMetadata(Metadata(topic1))
		assert.True(t, ok)
		assert.Equal(t, topic1, topic)
		topic, group, ok := ParsePlan(Plan(topic1, group1))
		assert.True(t, ok)
		assert.Equal(t, []string{topic1, group1}, []string{topic, group})
		back, err := url.PathUnescape(escape(group1))
		require.NoError(t, err)
		assert.Equal(t, group1, back)
	})
}

func TestForeignKeysAreNotTakenForOurs(t *testing.T) {
	for _, key := range []string{
		"", "rafka:", "rafka:orders:topic", "rafka:{}:topic", "rafka:{a}{b}:topic", "x:{a}:topic", "rafka:{a}:topics",
		"rafka:{a}:plan:g", "rafka:{a\n}:topic", "rafka:a:plan:topic",
	} {
		_, ok := ParseMetadata(key)
		assert.False(t, ok, key)
	}
	for _, key := range []string{
		"", "rafka:{a}:topic", "rafka:{a}:plan:", "rafka:{a}:plan:%", "rafka:{a}:plan:topic", "rafka:{a}:plan:{g}",
		"rafka:{a}:plan",
		"rafka:a:plan:g", "rafka:{a}:plan:g:h",
	} {
		_, _, ok := ParsePlan(key)
		assert.False(t, ok, key)
	}
}

func TestConsumersOfTopicsWithOneStreamDiffer(t *testing.T) {
	assert.Equal(t, "orders:0", Partition("orders", 0))
	assert.NotEqual(t, Consumer("orders", "m"), Consumer("orders:0", "m"))
	assert.True(t, strings.HasPrefix(Consumer("orders", "m"), Consumer("orders", "")))
}
