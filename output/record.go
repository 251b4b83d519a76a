package output

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/internal/appender"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
)

// ownMetadata is the prefix of the metadata keys that the input sets. They describe the source of a
// message, so the output does not write them.
const ownMetadata = "rafka_"

// recorder turns messages into records. It is read-only and shared by all batches.
type recorder struct {
	bodyKey  string
	metadata *service.MetadataExcludeFilter
	// limit is the maximum size of the names and values of one record, in bytes.
	limit int64
}

// record returns the message as a record on the arena. dropped has the metadata keys that are not
// written because the record has another field of that name. An error concerns only this message.
func (r *recorder) record(
	a *arena,
	msg *service.Message,
	key string,
) (record appender.Record, dropped []string, err error) {
	body, err := msg.AsBytes()
	if err != nil {
		return record, nil, fmt.Errorf("reading the message: %w", err)
	}
	metadata, err := r.fields(msg)
	if err != nil {
		return record, nil, err
	}
	trace, metadata := traceOf(msg, metadata)
	if r.bodyKey == "" {
		if record.Fields, dropped, err = broker.EncodeObject(body, key, metadata); err != nil {
			return record, nil, fmt.Errorf("with an empty body_key a message must be a JSON object: %w", err)
		}
	} else {
		fields := a.list(4 + 2*len(metadata) + len(trace))
		record.Fields, dropped = broker.Encode(fields, a.body(body), r.bodyKey, key, metadata)
	}
	record.Fields = append(record.Fields, trace...)
	if n := len(record.Fields) / 2; n > broker.MaxFields {
		return record, nil, fmt.Errorf(
			"the message has %d fields, more than the %d that an entry can have: exclude metadata with "+
				"the field metadata, or set body_key to write the message as one field",
			n,
			broker.MaxFields,
		)
	}
	if size := int64(record.Size()); size > r.limit {
		return record, nil, fmt.Errorf(
			"the message has %d bytes with its key and metadata, more than max_message_bytes (%d) "+
				"allows: raise max_message_bytes or make the message smaller",
			size,
			r.limit,
		)
	}
	return record, dropped, nil
}

// fields returns the metadata to write, sorted by key, because messages keep metadata in no order.
func (r *recorder) fields(msg *service.Message) ([]broker.Field, error) {
	var fields []broker.Field
	err := r.metadata.WalkMut(msg, func(key string, value any) error {
		if !strings.HasPrefix(key, ownMetadata) {
			fields = append(fields, broker.Field{Name: key, Value: metadataText(msg, key, value)})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the metadata of the message: %w", err)
	}
	slices.SortFunc(fields, func(a, b broker.Field) int { return cmp.Compare(a.Name, b.Name) })
	return fields, nil
}

// metadataText returns a metadata value as it is written: strings and bytes unchanged, other types
// as JSON.
func metadataText(msg *service.Message, key string, value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		// Values that JSON can't represent (NaN, infinity) are written as the engine formats them.
		plain, _ := msg.MetaGet(key)
		return plain
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// prepare evaluates the interpolated fields for each message of the batch and makes the records. An
// error in one message fails only this message.
func (s *session) prepare(batch service.MessageBatch) *job {
	fields := s.settings.evaluate(batch)
	messages, errs := make([]outgoing, len(batch)), make([]error, len(batch))
	a := &arena{}
	for i, msg := range batch {
		a.left = len(batch) - i
		messages[i], errs[i] = s.prepareOne(a, fields, i, msg)
	}
	s.observer.reordered(s.order.check(batch), s.settings.maxInFlight)
	return newJob(messages, errs)
}

func (s *session) prepareOne(a *arena, fields evaluation, i int, msg *service.Message) (outgoing, error) {
	m, err := fields.message(i)
	if err != nil {
		return outgoing{}, err
	}
	if m.key == "null" && s.settings.key != nil {
		s.observer.keyIsNull(m.topic)
	}
	m.key = a.key(m.key)
	record, dropped, err := s.recorder.record(a, msg, m.key)
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

// message evaluates the fields for message i.
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
	return name, keys.ValidateTopic(name, e.settings.partitions > 0)
}
