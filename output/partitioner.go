package output

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The values of the field partitioner.
const (
	murmur2Hash = "murmur2_hash"
	roundRobin  = "round_robin"
	manual      = "manual"
)

// partitioner chooses the partition of each message. It may be used by several batches at once.
type partitioner struct {
	kind string

	mu sync.Mutex
	// turns counts the messages of each topic for round_robin. A topic that was forgotten begins
	// again with its first partition.
	turns *topicCache[*atomic.Uint64]
}

func newPartitioner(kind string) *partitioner {
	return &partitioner{kind: kind, turns: newTopicCache[*atomic.Uint64](time.Now)}
}

// newBatch starts the partitioning of one batch.
func (p *partitioner) newBatch() *batchPartitioner {
	return &batchPartitioner{partitioner: p}
}

// batchPartitioner partitions the messages of one batch; it belongs to one goroutine.
type batchPartitioner struct {
	*partitioner
	// sticky is the partition to which this batch's messages without key go, by topic: together, so
	// that they share one append.
	sticky map[string]int
	// record carries a key to the hash.
	record kgo.Record
}

// choose returns the partition for a message of a topic with count partitions. The error is that of
// the message.
func (b *batchPartitioner) choose(topic string, count int, key, partition string) (int, error) {
	switch b.kind {
	case manual:
		return manualPartition(topic, count, partition)
	case roundRobin:
		return b.nextTurn(topic, count), nil
	}
	if key == "" {
		return b.stick(topic, count), nil
	}
	b.record.Key = append(b.record.Key[:0], key...)
	return kafka.Partition(&b.record, count), nil
}

// stick returns the batch's partition for messages without key, chosen at random once.
func (b *batchPartitioner) stick(topic string, count int) int {
	chosen, ok := b.sticky[topic]
	if !ok || chosen >= count {
		if b.sticky == nil {
			b.sticky = map[string]int{}
		}
		chosen = rand.IntN(count)
		b.sticky[topic] = chosen
	}
	return chosen
}

// nextTurn deals the messages of a topic to its partitions in turn, whatever batch they come in.
func (p *partitioner) nextTurn(topic string, count int) int {
	p.mu.Lock()
	turn, ok := p.turns.get(topic)
	if !ok {
		turn = new(atomic.Uint64)
		p.turns.set(topic, turn)
	}
	p.mu.Unlock()
	return int((turn.Add(1) - 1) % uint64(count))
}

// kafka puts records with a key where Kafka's own producer puts them: (murmur2(key) & 0x7fffffff) %
// count. It keeps no state for them, so that all share it. For a record without a key it would,
// which must not happen.
var kafka = kgo.StickyKeyPartitioner(nil).ForTopic("")

// manualPartition reads the partition that the user's interpolation gave.
func manualPartition(topic string, count int, text string) (int, error) {
	n, err := manualNumber(text)
	if err != nil {
		return 0, fmt.Errorf(
			"the field partition resulted in %.40q, which is not a number: partitioner manual needs the number of a partition",
			text,
		)
	}
	if n < 0 || n >= count {
		if count == 1 {
			return 0, fmt.Errorf("the field partition resulted in %d, but topic %q has only partition 0", n, topic)
		}
		return 0, fmt.Errorf("the field partition resulted in %d, but topic %q has the partitions 0 to %d", n, topic, count-1)
	}
	return n, nil
}

func manualNumber(text string) (int, error) { return strconv.Atoi(strings.TrimSpace(text)) }
