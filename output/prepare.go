package output

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/internal/broker"
)

// prepare evaluates the interpolated fields for each message of the batch and makes the records.
// What is wrong with one message is that message's error.
func (s *session) prepare(batch service.MessageBatch) *job {
	fields := s.settings.evaluate(batch)
	messages, errs := make([]outgoing, len(batch)), make([]error, len(batch))
	p := &pad{}
	for i, msg := range batch {
		p.left = len(batch) - i
		messages[i], errs[i] = s.prepareOne(p, fields, i, msg)
	}
	s.observer.reordered(s.order.check(batch), s.settings.maxInFlight) // right before they are handed to the appender
	return newJob(messages, errs)
}

func (s *session) prepareOne(p *pad, fields evaluation, i int, msg *service.Message) (outgoing, error) {
	m, err := fields.message(i)
	if err != nil {
		return outgoing{}, err
	}
	if m.key == "null" && s.settings.key != nil {
		s.observer.keyIsNull(m.topic)
	}
	m.key = p.key(m.key)
	record, dropped, err := s.recorder.record(p, msg, m.key)
	if err != nil {
		return outgoing{}, err
	}
	s.observer.dropped(m.topic, dropped)
	m.record = record
	return m, nil
}

// evaluation evaluates the interpolated fields for the messages of one batch.
type evaluation struct {
	settings              *settings
	topic, key, partition *service.MessageBatchInterpolationExecutor
}

func (s *settings) evaluate(batch service.MessageBatch) evaluation {
	e := evaluation{settings: s}
	if s.topic == "" {
		e.topic = batch.InterpolationExecutor(s.streamName)
	}
	if s.key != nil {
		e.key = batch.InterpolationExecutor(s.key)
	}
	if s.partition != nil {
		e.partition = batch.InterpolationExecutor(s.partition)
	}
	return e
}

// message returns what the fields say of the message at place i.
func (e evaluation) message(i int) (m outgoing, err error) {
	if m.topic, err = e.topicOf(i); err != nil {
		return m, err
	}
	if e.key != nil {
		if m.key, err = e.key.TryString(i); err != nil {
			return m, fmt.Errorf("interpolating field %s: %w", fieldKey, err)
		}
	}
	if e.partition != nil {
		if m.partition, err = e.partition.TryString(i); err != nil {
			return m, fmt.Errorf("interpolating field %s: %w", fieldPartition, err)
		}
	}
	return m, nil
}

func (e evaluation) topicOf(i int) (string, error) {
	if e.topic == nil {
		return e.settings.topic, nil
	}
	name, err := e.topic.TryString(i)
	if err != nil {
		return "", fmt.Errorf("interpolating field %s: %w", fieldStreamName, err)
	}
	return name, broker.ValidateTopic(name, e.settings.partitions > 0)
}
