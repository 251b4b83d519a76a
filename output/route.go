package output

import (
	"context"
	"errors"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
)

// outgoing is a message that is being written.
type outgoing struct {
	topic, key, partition string
	record                appender.Record
}

// partitionBatch has the messages of a batch that go to one partition, in the order of the batch.
type partitionBatch struct {
	target  appender.Target
	records []appender.Record
	// messages has the indexes of the records' messages in the batch.
	messages []int
}

// grouper divides a batch by partition. It is not safe for concurrent use.
type grouper struct {
	partitions  *batchPartitioner
	batches     []*partitionBatch
	byPartition map[partitionKey]*partitionBatch // made for more than maxLinearSearch partitions
}

// maxLinearSearch is the number of partitions up to which a search without a map is faster. Most
// batches have one message, or one topic with a few partitions.
const maxLinearSearch = 8

// partitionKey identifies a partition. A topic without partitions has only partition 0.
type partitionKey struct {
	topic     string
	partition int
}

func newGrouper(p *partitioner) *grouper { return &grouper{partitions: p.newBatch()} }

// add adds message i of the batch to its partition. An error concerns only this message.
func (g *grouper) add(i int, m outgoing, topic broker.Topic) error {
	n, err := g.partitions.choose(topic.Name, max(topic.Partitions, 1), m.key, m.partition)
	if err != nil {
		return err
	}
	at := partitionKey{topic.Name, n}
	to := g.find(at)
	if to == nil {
		to = &partitionBatch{target: target(topic, n)}
		g.insert(at, to)
	}
	to.records = append(to.records, m.record)
	to.messages = append(to.messages, i)
	return nil
}

func (g *grouper) find(at partitionKey) *partitionBatch {
	if g.byPartition != nil {
		return g.byPartition[at]
	}
	for _, to := range g.batches {
		if to.key() == at {
			return to
		}
	}
	return nil
}

func (g *grouper) insert(at partitionKey, to *partitionBatch) {
	g.batches = append(g.batches, to)
	switch {
	case g.byPartition != nil:
		g.byPartition[at] = to
	case len(g.batches) > maxLinearSearch:
		g.byPartition = map[partitionKey]*partitionBatch{}
		for _, to := range g.batches {
			g.byPartition[to.key()] = to
		}
	}
}

func (b *partitionBatch) key() partitionKey { return partitionKey{b.target.Topic, b.target.Partition} }

func target(topic broker.Topic, partition int) appender.Target {
	split := topic.Split(partition)
	return appender.Target{Topic: topic.Name, Partition: split.Partition, Key: split.Key, Plain: topic.Plain()}
}

// route looks up the topics of the unrouted messages and passes the messages to the appender. It
// passes no message before all lookups are done: otherwise messages of one batch could overtake
// each other.
func (j *job) route(ctx context.Context, s *session) error {
	if len(j.unrouted) == 0 {
		return nil
	}
	found, err := j.lookUpTopics(ctx, s)
	if err != nil {
		return err
	}
	if err := j.refreshGrown(ctx, s, found); err != nil {
		return err
	}
	group := newGrouper(s.partitioner)
	for _, i := range j.unrouted {
		m := j.messages[i]
		if topic := found[m.topic]; topic.err != nil {
			s.health.writeFailed(m.topic, topic.err)
			j.errs[i] = topic.err
		} else if err := group.add(i, m, topic.Topic); err != nil {
			j.errs[i] = err
		}
	}
	j.unrouted = nil
	j.routes++
	for _, b := range group.batches {
		j.sent = append(j.sent, sentBatch{partitionBatch: b, pending: s.appender.Append(b.target, b.records)})
	}
	return nil
}

// lookup is the result for one topic of a batch.
type lookup struct {
	broker.Topic
	err error
}

// lookUpTopics finds the topics of the unrouted messages. The error of a topic becomes the error of
// its messages.
func (j *job) lookUpTopics(ctx context.Context, s *session) (map[string]lookup, error) {
	found := map[string]lookup{}
	last := -1
	for _, i := range j.unrouted {
		name := j.messages[i].topic
		if last >= 0 && name == j.messages[last].topic {
			continue
		}
		last = i
		if _, ok := found[name]; ok {
			continue
		}
		topic, err := s.findTopic(ctx, name)
		if errors.Is(err, errDisconnected) || ctx.Err() != nil {
			return nil, orContext(ctx, err)
		}
		found[name] = lookup{Topic: topic, err: err}
	}
	return found, nil
}

// refreshGrown looks up a topic again if a message with partitioner manual has a partition number
// that is too high: the topic may have grown.
func (j *job) refreshGrown(ctx context.Context, s *session, found map[string]lookup) error {
	if s.partitioner.kind != manual {
		return nil
	}
	seen := map[string]bool{}
	for _, i := range j.unrouted {
		name := j.messages[i].topic
		topic := found[name]
		n, err := manualNumber(j.messages[i].partition)
		if err != nil || n < max(topic.Partitions, 1) || topic.err != nil || seen[name] {
			continue
		}
		seen[name] = true
		s.topics.expire(name)
		again, err := s.findTopic(ctx, name)
		if errors.Is(err, errDisconnected) || ctx.Err() != nil {
			return orContext(ctx, err)
		}
		found[name] = lookup{Topic: again, err: err}
	}
	return nil
}

// orContext returns the error of the context if there is one, since that caused err.
func orContext(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
