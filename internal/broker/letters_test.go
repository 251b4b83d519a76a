package broker

import (
	"fmt"
	"slices"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestLetterIsWrittenOnceToAPlainTopic(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		letters := NewLetters(s.Client, "dead")
		for range 3 { // two more after lost replies
			require.NoError(t, letters.Write(t.Context(), letterOf("1-2", "body", "x")))
		}
		require.NoError(t, letters.Write(t.Context(), letterOf("1-3", "body", "x")))
		assert.Equal(t, []string{"x", "x"}, bodies(t, s.Client, "dead"))
		names := s.Client.Keys(t.Context(), "*").Val()
		slices.Sort(names)
		assert.Equal(t, []string{"dead", "rafka:{dead}:ids"}, names, "nothing else was created")
	})
}

func TestLettersArePartitionedByKeyOrID(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		_, _, err := NewTopics(s.Client).Create(t.Context(), "dead", 8)
		require.NoError(t, err)
		letters := NewLetters(s.Client, "dead")
		used := map[int]bool{}
		for i := range 40 {
			offset := fmt.Sprintf("1-%d", i)
			for range 2 {
				require.NoError(t, letters.Write(t.Context(), letterOf(offset, "body", offset)))
				require.NoError(
					t,
					letters.Write(t.Context(), letterOf(offset, "body", "keyed", KeyField, "customer 7")),
				)
			}
			used[partitionWith(t, s.Client, offset)] = true
		}
		assert.Greater(t, len(used), 4, "letters without a key are spread")
		var byKey KeyPartitioner
		p := keys.Partition("dead", byKey.Choose("customer 7", 8))
		count := 0
		for _, body := range bodies(t, s.Client, p) {
			if body == "keyed" {
				count++
			}
		}
		assert.Equal(t, 40, count, "all letters of the key, each once, in the key's partition")
	})
}

// partitionWith returns the partition of topic dead that has the body, and requires that only one
// has it, once.
func partitionWith(t *testing.T, client *redis.Client, body string) int {
	t.Helper()
	var found []int
	for i := range 8 {
		for _, b := range bodies(t, client, keys.Partition("dead", i)) {
			if b == body {
				found = append(found, i)
			}
		}
	}
	require.Len(t, found, 1, body)
	return found[0]
}

func TestKeyIsPartitionedAsKafkaDoesIt(t *testing.T) {
	var byKey KeyPartitioner
	// Known answers of Kafka's murmur2: Utils.murmur2 of "21" is -973932308, of "foobar"
	// -790332482.
	assert.Equal(t, (-973932308&0x7fffffff)%7, byKey.Choose("21", 7))
	assert.Equal(t, (-790332482&0x7fffffff)%7, byKey.Choose("foobar", 7))
}

func TestLetterOfItsOwnTopicIsRefused(t *testing.T) {
	s := onRedis(t)
	err := NewLetters(s.Client, "orders").Write(t.Context(), letterOf("1-2", "body", "x"))
	require.ErrorContains(t, err, "use another dead-letter topic")
	assert.Empty(t, s.Client.Keys(t.Context(), "*").Val())
}

func TestEntryWithMaxFieldsBecomesALetter(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		fields := slices.Repeat([]string{"f", "v"}, MaxFields)
		require.NoError(t, NewLetters(s.Client, "dead").Write(t.Context(), letterOf("1-2", fields...)))
		assert.EqualValues(t, 1, s.Client.XLen(t.Context(), "dead").Val())
	})
}

func TestLetterThatIsRefusedLeavesNothing(t *testing.T) {
	s := onRedis(t)
	letters := NewLetters(s.Client, "dead")
	require.NoError(t, s.Client.Set(t.Context(), "rafka:{dead}:ids", "x", 0).Err())
	err := letters.Write(t.Context(), letterOf("1-2", "body", "x"))
	assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err))
	require.ErrorContains(t, err, "rafka:{dead}:ids")
	assert.Zero(t, s.Client.Exists(t.Context(), "dead").Val())

	require.NoError(t, s.Client.Del(t.Context(), "rafka:{dead}:ids").Err())
	require.NoError(t, s.Client.Set(t.Context(), "dead", "x", 0).Err())
	err = letters.Write(t.Context(), letterOf("1-2", "body", "x"))
	assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err))
	assert.Zero(t, s.Client.Exists(t.Context(), "rafka:{dead}:ids").Val(), "an ID that was not written is not known")
}

func TestLettersOfAClusterAreWritten(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	client := cluster.Client(t)
	_, _, err := NewTopics(client).Create(t.Context(), "dead", 6)
	require.NoError(t, err)
	letters := NewLetters(client, "dead")
	for range 2 {
		for i := range 30 {
			require.NoError(t, letters.Write(t.Context(), letterOf(fmt.Sprintf("1-%d", i), "body", "x")))
		}
	}
	total := int64(0)
	for i := range 6 {
		total += client.XLen(t.Context(), keys.Partition("dead", i)).Val()
	}
	assert.EqualValues(t, 30, total)
}
