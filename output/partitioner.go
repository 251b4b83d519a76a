package output

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rafka-streams/rafka/internal/broker"
)

// The values of the field partitioner.
const (
	murmur2Hash = "murmur2_hash"
	roundRobin  = "round_robin"
	manual      = "manual"
)

// partitioner chooses the partition of each message. It is safe for concurrent use by several
// batches.
type partitioner struct {
	kind string

	mu sync.Mutex
	// turns counts the messages of each topic for round_robin. After a topic was forgotten, the
	// next message goes to its first partition.
	turns *topicCache[*atomic.Uint64]
}

func newPartitioner(kind string) *partitioner {
	return &partitioner{kind: kind, turns: newTopicCache[*atomic.Uint64](time.Now)}
}

// newBatch returns the partitioner of one batch.
func (p *partitioner) newBatch() *batchPartitioner {
	return &batchPartitioner{partitioner: p}
}

// batchPartitioner chooses the partitions for one batch. It is not safe for concurrent use.
type batchPartitioner struct {
	*partitioner
	// sticky is the partition of this batch's messages without a key, by topic. They stay together
	// so that they share one append.
	sticky map[string]int
	keys   broker.KeyPartitioner
}

// choose returns the partition of a message in a topic with count partitions. An error concerns
// only this message.
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
	return b.keys.Choose(key, count), nil
}

// stick returns the partition of the batch's messages without a key. It is random, but the same for
// the whole batch.
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

// nextTurn returns the partitions of a topic in turn, across batches.
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

// manualPartition returns the partition that the interpolated field partition contains.
func manualPartition(topic string, count int, text string) (int, error) {
	n, err := manualNumber(text)
	if err != nil {
		return 0, fmt.Errorf(
			"the field partition resulted in %.40q, which is not a number: "+
				"partitioner manual needs the number of a partition",
			text,
		)
	}
	if n < 0 || n >= count {
		if count == 1 {
			return 0, fmt.Errorf("the field partition resulted in %d, but topic %q has only partition 0", n, topic)
		}
		return 0, fmt.Errorf(
			"the field partition resulted in %d, but topic %q has the partitions 0 to %d",
			n,
			topic,
			count-1,
		)
	}
	return n, nil
}

func manualNumber(text string) (int, error) { return strconv.Atoi(strings.TrimSpace(text)) }
