package broker

import "github.com/twmb/franz-go/pkg/kgo"

// KeyPartitioner chooses the partition of a key. The zero value is ready. It is not safe for
// concurrent use.
type KeyPartitioner struct {
	// record is reused to pass a key to the hash.
	record kgo.Record
}

// Choose returns the same partition for a key as Kafka's own producer: (murmur2(key) & 0x7fffffff)
// % count. The key must not be empty, and count must be at least 1.
func (p *KeyPartitioner) Choose(key string, count int) int {
	p.record.Key = append(p.record.Key[:0], key...)
	return kafka.Partition(&p.record, count)
}

// kafka is shared by all KeyPartitioners, because it has no state for records with a key. It must
// not be used for records without a key.
var kafka = kgo.StickyKeyPartitioner(nil).ForTopic("")
