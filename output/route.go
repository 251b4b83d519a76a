package output

import (
	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
)

// outgoing is a message on its way.
type outgoing struct {
	topic, key, partition string
	record                appender.Record
}

// cut is the part of a batch that goes to one partition, in the order of the batch.
type cut struct {
	target  appender.Target
	records []appender.Record
	// messages are the places of the records in the batch.
	messages []int
}

// cutter cuts a batch by partition. It belongs to one goroutine.
type cutter struct {
	partitions *batchPartitioner
	cuts       []*cut
	byTarget   map[appender.Target]*cut
}

func newCutter(p *partitioner) *cutter {
	return &cutter{partitions: p.newBatch(), byTarget: map[appender.Target]*cut{}}
}

// add puts the message at place i of the batch into the cut of its partition. The error is that of the message.
func (c *cutter) add(i int, m outgoing, topic broker.Topic) error {
	target, err := c.target(m, topic)
	if err != nil {
		return err
	}
	to := c.byTarget[target]
	if to == nil {
		to = &cut{target: target}
		c.byTarget[target] = to
		c.cuts = append(c.cuts, to)
	}
	to.records = append(to.records, m.record)
	to.messages = append(to.messages, i)
	return nil
}

func (c *cutter) target(m outgoing, topic broker.Topic) (appender.Target, error) {
	n, err := c.partitions.choose(topic.Name, max(topic.Partitions, 1), m.key, m.partition)
	if err != nil {
		return appender.Target{}, err
	}
	split := topic.Split(n)
	return appender.Target{Topic: topic.Name, Partition: split.Partition, Key: split.Key, Plain: topic.Plain()}, nil
}
