package output

import (
	"math/rand/v2"
	"strconv"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keyPartition returns the partition of a key.
func keyPartition(key []byte, count int) int {
	n, err := newPartitioner(murmur2Hash).newBatch().choose("", count, string(key), "")
	if err != nil {
		panic(err)
	}
	return n
}

// The vectors are from Kafka's UtilsTest.testMurmur2.
func TestKeysHaveKafkasPartitions(t *testing.T) {
	vectors := map[string]int32{
		"21":                         -973932308,
		"foobar":                     -790332482,
		"a-little-bit-long-string":   -985981536,
		"a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
		"abc": 479470107,
	}
	for key, hash := range vectors {
		for _, count := range []int{1, 2, 3, 7, 12, 64, 1000, 100000} {
			assert.Equal(
				t,
				int(uint32(hash)&0x7fffffff)%count,
				keyPartition([]byte(key), count),
				"key %q of %d",
				key,
				count,
			)
		}
	}
}

func TestKeysHaveThePartitionsOfOtherKafkaClients(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	partitions := make([]int, 97)
	for i := range partitions {
		partitions[i] = i
	}
	for range 5000 {
		key := make([]byte, 1+random.IntN(40))
		for i := range key {
			key[i] = byte(random.Uint32())
		}
		count := 1 + random.IntN(len(partitions))
		want := otherClient(key, partitions[:count])
		require.Equal(t, want, keyPartition(key, count), "key %x of %d", key, count)
	}
}

// otherClient is a second implementation of Kafka's partitioner.
func otherClient(key []byte, partitions []int) int {
	return kafkago.Murmur2Balancer{Consistent: true}.Balance(kafkago.Message{Key: key}, partitions...)
}

func TestMessagesWithoutKeyShareAPartitionInABatch(t *testing.T) {
	p := newPartitioner(murmur2Hash)
	seen := map[int]bool{}
	for range 200 {
		batch := p.newBatch()
		first, err := batch.choose("orders", 8, "", "")
		require.NoError(t, err)
		seen[first] = true
		for range 5 {
			next, err := batch.choose("orders", 8, "", "")
			require.NoError(t, err)
			require.Equal(t, first, next)
		}
	}
	assert.Len(t, seen, 8, "the batches spread over all partitions")
}

func TestKeyedMessagesIgnoreTheBatchsPartition(t *testing.T) {
	p := newPartitioner(murmur2Hash)
	for range 50 {
		batch := p.newBatch()
		_, err := batch.choose("orders", 8, "", "")
		require.NoError(t, err)
		got, err := batch.choose("orders", 8, "foobar", "")
		require.NoError(t, err)
		require.Equal(t, keyPartition([]byte("foobar"), 8), got)
	}
}

func TestRoundRobinContinuesAcrossBatchesPerTopic(t *testing.T) {
	p := newPartitioner(roundRobin)
	var got []int
	for range 3 {
		batch := p.newBatch()
		for range 3 {
			n, err := batch.choose("orders", 4, "", "")
			require.NoError(t, err)
			got = append(got, n)
		}
	}
	assert.Equal(t, []int{0, 1, 2, 3, 0, 1, 2, 3, 0}, got)
	other, err := p.newBatch().choose("payments", 4, "", "")
	require.NoError(t, err)
	assert.Zero(t, other)
}

func TestManualPartitionMustExist(t *testing.T) {
	batch := newPartitioner(manual).newBatch()
	for n := range 4 {
		got, err := batch.choose("orders", 4, "key", strconv.Itoa(n))
		require.NoError(t, err)
		assert.Equal(t, n, got)
	}
	for text, reason := range map[string]string{
		"4":    `topic "orders" has the partitions 0 to 3`,
		"-1":   `topic "orders" has the partitions 0 to 3`,
		"":     "not a number",
		"two":  "not a number",
		"1.5":  "not a number",
		"null": "not a number",
	} {
		_, err := batch.choose("orders", 4, "", text)
		require.ErrorContains(t, err, reason, "partition %q", text)
		assert.ErrorContains(t, err, "field partition")
	}
}
