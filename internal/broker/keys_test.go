package broker

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestKeysHaveTheDocumentedLayout(t *testing.T) {
	a, b := idsKeys("orders:3")
	for got, want := range map[string]string{
		partitionKey("orders", 3):           "orders:3",
		topicKey("orders"):                  "rafka:{orders}:topic",
		planKey("orders", "billing"):        "rafka:{orders}:plan:billing",
		membersKey("orders", "billing"):     "rafka:{orders}:members:billing",
		leaseKey("orders:3", "billing"):     "rafka:{orders:3}:lease:billing",
		producerKey("orders:3", "p1"):       "rafka:{orders:3}:producer:p1",
		a:                                   "rafka:{orders:3}:ids:a",
		b:                                   "rafka:{orders:3}:ids:b",
		wakeChannel("orders", "billing"):    "rafka:{orders}:wake:billing",
		topicChannel("orders"):              "rafka:{orders}:wake",
		topicKey("{eu}:orders"):             "rafka:{eu}:orders:topic",
		leaseKey("{eu}:orders:3", "b"):      "rafka:{eu}:orders:3:lease:b",
		planKey("orders", "a:b{c}%"):        "rafka:{orders}:plan:a%3Ab%7Bc%7D%25",
		planKey("orders", "topic"):          "rafka:{orders}:plan:%74opic",
		topicKey("{orders}"):                "rafka:{orders}{}:topic",
		leaseKey("{orders}", "billing"):     "rafka:{orders}{}:lease:billing",
		leaseKey("{orders}:0", "billing"):   "rafka:{orders}:0:lease:billing",
		wakeChannel("{eu}:orders", "a:b"):   "rafka:{eu}:orders:wake:a%3Ab",
		membersKey("{eu}:orders", "topic"):  "rafka:{eu}:orders:members:%74opic",
		producerKey("{eu}:orders:3", "a:b"): "rafka:{eu}:orders:3:producer:a%3Ab",
	} {
		assert.Equal(t, want, got)
	}
}

func TestKeysOfOneScriptShareASlot(t *testing.T) {
	for _, topic := range []string{"orders", "{eu}:orders", "{orders}", "a{b}c"} {
		assert.Equal(t, hashTag(topic), hashTag(topicKey(topic)), topic)
		assert.Equal(t, hashTag(topic), hashTag(planKey(topic, "g")), topic)
		assert.Equal(t, hashTag(topic), hashTag(membersKey(topic, "g")), topic)
		for _, partition := range []string{topic, partitionKey(topic, 3)} {
			a, b := idsKeys(partition)
			for _, key := range []string{leaseKey(partition, "g"), producerKey(partition, "p"), a, b} {
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
		topicKey(topic):          "topic of " + topic,
		planKey(topic, group):    "plan of " + topic + " and " + group,
		membersKey(topic, group): "members of " + topic + " and " + group,
	}
	for _, stream := range []string{topic, partitionKey(topic, 0), partitionKey(topic, 12)} {
		a, b := idsKeys(stream)
		keys[stream] = "stream " + stream
		keys[leaseKey(stream, group)] = "lease of " + stream + " and " + group
		keys[producerKey(stream, group)] = "producer of " + stream + " and " + group
		keys[a], keys[b] = "ids a of "+stream, "ids b of "+stream
	}
	return keys
}

func assertKeysApart(t *testing.T, topic1, group1, topic2, group2 string) {
	t.Helper()
	first := ownKeys(topic1, group1)
	assert.Len(t, first, 18, "the keys of one topic and group")
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
	"{t}:ids",
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

var trickyGroups = []string{"g", "topic", "%74opic", "a", "b", "g:topic", "{t}", "%", "%25", "plan", "a:b", "a%3Ab"}

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
		topic, ok := parseTopicKey(topicKey(topic1))
		assert.True(t, ok)
		assert.Equal(t, topic1, topic)
		topic, group, ok := parsePlanKey(planKey(topic1, group1))
		assert.True(t, ok)
		assert.Equal(t, []string{topic1, group1}, []string{topic, group})
		back, err := url.PathUnescape(EscapeGroup(group1))
		require.NoError(t, err)
		assert.Equal(t, group1, back)
	})
}

func TestForeignKeysAreNotTakenForOurs(t *testing.T) {
	for _, key := range []string{
		"", "rafka:", "rafka:orders:topic", "rafka:{}:topic", "rafka:{a}{b}:topic", "x:{a}:topic", "rafka:{a}:topics",
		"rafka:{a}:plan:g", "rafka:{a\n}:topic", "rafka:a:plan:topic",
	} {
		_, ok := parseTopicKey(key)
		assert.False(t, ok, key)
	}
	for _, key := range []string{
		"", "rafka:{a}:topic", "rafka:{a}:plan:", "rafka:{a}:plan:%", "rafka:{a}:plan:topic", "rafka:{a}:plan:{g}", "rafka:{a}:plan",
		"rafka:a:plan:g", "rafka:{a}:plan:g:h",
	} {
		_, _, ok := parsePlanKey(key)
		assert.False(t, ok, key)
	}
}
