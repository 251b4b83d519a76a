//go:build ledger

package ledger

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/require"
)

// kafkaPartition returns the partition that Kafka's default partitioner selects for a key,
// according to another implementation than rafka's.
func kafkaPartition(key string, partitions int) int {
	all := make([]int, partitions)
	for i := range all {
		all[i] = i
	}
	return kafka.Murmur2Balancer{}.Balance(kafka.Message{Key: []byte(key)}, all...)
}

// Every line of a log goes through a topic to three consumers. Each line arrives once, unchanged,
// in order for its client, and through the partition that Kafka would have selected.
func TestLedgerFile(t *testing.T) {
	path, text := accessLog(t)
	s, _ := newScenario(t)
	for _, name := range []string{"c1", "c2", "c3"} {
		s.consume(t, name)
	}
	s.awaitShares(t, "c1", "c2", "c3")
	began := time.Now()
	producer := launch(t, s.dir, "producer", render(t, linesConfig, lines{s.route, path, firstField}))
	producer.join(t, waitLimit)
	entered := make([]int64, len(text))
	for i := range entered {
		entered[i] = int64(i + 1)
	}
	a := s.awaitAndStop(t, entered)

	a.requireNoRepeats(t)
	require.Len(t, a.records, len(text))
	a.requireOrder(t)
	clients := map[string]bool{}
	for _, r := range a.records {
		line := text[r.Line-1]
		require.Equal(t, line, string(r.Text), "the text of line %d", r.Line)
		require.Equal(t, client(line), r.Key, "the key of line %d", r.Line)
		require.Equal(t, kafkaPartition(r.Key, partitions), r.Partition, "the partition of key %s", r.Key)
		require.Equal(t, 1, r.Deliveries, "the delivery count of line %d", r.Line)
		clients[r.Key] = true
	}
	for i := range partitions {
		s.requireMirror(t, i)
	}
	figure(t, "lines", "%d", len(text))
	figure(t, "clients", "%d", len(clients))
	figure(t, "delivered twice", "%d", len(a.repeated))
	figure(
		t,
		"from the producer's start to the last line read",
		"%s",
		a.records[len(a.records)-1].read().Sub(began).Round(time.Millisecond),
	)
}

// Partitioning is a contract with producers in other languages, so it is pinned by test vectors
// that another client produced.
func TestLedgerKafkaPartitions(t *testing.T) {
	content, err := os.ReadFile("testdata/kafka_partitions.json")
	require.NoError(t, err)
	var pinned struct {
		Partitions int
		Vectors    []struct {
			Key       string
			Partition int
		}
	}
	require.NoError(t, json.Unmarshal(content, &pinned))
	require.Equal(t, partitions, pinned.Partitions)
	s, _ := newScenario(t)
	var text strings.Builder
	for _, v := range pinned.Vectors {
		require.Equal(t, v.Partition, kafkaPartition(v.Key, partitions), "kafka-go and the vector of %q", v.Key)
		text.WriteString(v.Key + "\n")
	}
	path := filepath.Join(s.dir, "keys")
	require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o600))
	launch(t, s.dir, "producer", render(t, linesConfig, lines{s.route, path, wholeLine})).join(t, waitLimit)
	found := map[string]int{}
	for i := range partitions {
		for _, e := range s.entries(t, i) {
			found[e.key] = i
		}
	}
	for _, v := range pinned.Vectors {
		require.Contains(t, found, v.Key)
		require.Equal(t, v.Partition, found[v.Key], "where %q went", v.Key)
	}
	figure(t, "keys on Kafka's partitions", "%d", len(pinned.Vectors))
}

// rafka does not move a Redis consumer group that it did not create, even if the group has the name
// of consumer_group. The topic is read all the same, and the group's own position stays.
func TestLedgerForeignGroup(t *testing.T) {
	path, text := accessLog(t)
	s, _ := newScenario(t)
	launch(t, s.dir, "producer", render(t, linesConfig, lines{s.route, path, firstField})).join(t, waitLimit)
	const foreign = 3
	first, err := s.client.XRangeN(t.Context(), s.partitionKey(foreign), "-", "+", 1).Result()
	require.NoError(t, err)
	require.NotEmpty(t, first)
	require.NoError(t, s.client.XGroupCreate(t.Context(), s.partitionKey(foreign), s.Group, first[0].ID).Err())

	c := s.consume(t, "c1")
	entered := make([]int64, len(text))
	for i := range entered {
		entered[i] = int64(i + 1)
	}
	a := s.awaitAndStop(t, entered)
	a.requireNoRepeats(t)
	for i := range partitions {
		if i != foreign {
			s.requireMirror(t, i)
		}
	}
	group := s.nativeGroup(t, s.partitionKey(foreign))
	require.Equal(t, first[0].ID, group.LastDeliveredID, "the foreign group was moved")
	require.Zero(t, group.Consumers, "the foreign group has a consumer now")
	newest, err := s.client.XRevRangeN(t.Context(), s.partitionKey(foreign), "+", "-", 1).Result()
	require.NoError(t, err)
	require.Equal(t, newest[0].ID, s.leases(t)[foreign].offset.String(), "rafka's own position")
	require.Contains(t, c.output(), "did not create", "the warning")
}
