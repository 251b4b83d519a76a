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
	byPlace    map[place]*cut // once there are more than fewCuts
}

// fewCuts are found faster one by one: most batches have one message, or one topic of a few
// partitions.
const fewCuts = 8

// place is where a message goes; a topic without partitions has place 0 alone.
type place struct {
	topic     string
	partition int
}

func newCutter(p *partitioner) *cutter { return &cutter{partitions: p.newBatch()} }

// add puts the message at index i of the batch into the cut of its partition. The error is that of
// the message.
func (c *cutter) add(i int, m outgoing, topic broker.Topic) error {
	n, err := c.partitions.choose(topic.Name, max(topic.Partitions, 1), m.key, m.partition)
	if err != nil {
		return err
	}
	at := place{topic.Name, n}
	to := c.find(at)
	if to == nil {
		to = &cut{target: target(topic, n)}
		c.keep(at, to)
	}
	to.records = append(to.records, m.record)
	to.messages = append(to.messages, i)
	return nil
}

func (c *cutter) find(at place) *cut {
	if c.byPlace != nil {
		return c.byPlace[at]
	}
	for _, to := range c.cuts {
		if to.place() == at {
			return to
		}
	}
	return nil
}

func (c *cutter) keep(at place, to *cut) {
	c.cuts = append(c.cuts, to)
	switch {
	case c.byPlace != nil:
		c.byPlace[at] = to
	case len(c.cuts) > fewCuts:
		c.byPlace = map[place]*cut{}
		for _, to := range c.cuts {
			c.byPlace[to.place()] = to
		}
	}
}

func (c *cut) place() place { return place{c.target.Topic, c.target.Partition} }

func target(topic broker.Topic, partition int) appender.Target {
	split := topic.Split(partition)
	return appender.Target{Topic: topic.Name, Partition: split.Partition, Key: split.Key, Plain: topic.Plain()}
}
