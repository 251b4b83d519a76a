package output

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/keys"
)

// settings is the parsed configuration of an output.
type settings struct {
	connection *config.Connection
	// topic is the value of streamName, or empty if that depends on the message.
	streamName *service.InterpolatedString
	topic      string
	// partitions is the number of partitions of new topics. 0 means that the output does not create
	// topics.
	partitions  int
	partitioner string
	// key and partition are nil if they are not set.
	key, partition  *service.InterpolatedString
	bodyKey         string
	metadata        *service.MetadataExcludeFilter
	idempotent      bool
	maxMessageBytes int64
	// maxLength and maxAge are 0 without a limit.
	maxLength   int64
	maxAge      time.Duration
	retry       retryPolicy
	maxInFlight int
	batching    service.BatchPolicy
	// batchingProcessors is true if messages pass through processors after the engine has marked
	// them and before WriteBatch gets them.
	batchingProcessors bool
}

// parse reads and checks the configuration. The error lists all problems of the output's own
// fields.
func parse(conf *service.ParsedConfig) (*settings, error) {
	connection, fields, err := config.Parse(conf, check)
	if err != nil {
		return nil, err
	}
	s := &settings{connection: connection}
	if err := s.parseAddress(conf, fields); err != nil {
		return nil, err
	}
	if err := s.parseRecord(conf); err != nil {
		return nil, err
	}
	processors, _ := fields.Object(fieldBatching)["processors"].([]any)
	s.batchingProcessors = len(processors) > 0
	return s, s.parseDelivery(conf)
}

func (s *settings) parseAddress(conf *service.ParsedConfig, fields config.Fields) (err error) {
	if s.streamName, err = conf.FieldInterpolatedString(fieldStreamName); err != nil {
		return err
	}
	s.topic, _ = s.streamName.Static()
	partitions, _ := fields.Whole(fieldPartitions, 1, keys.MaxPartitions) // check found nothing wrong with it
	s.partitions = int(partitions)
	if s.partitioner, err = conf.FieldString(fieldPartitioner); err != nil {
		return err
	}
	if s.key, err = optional(conf, fieldKey); err != nil {
		return err
	}
	s.partition, err = optional(conf, fieldPartition)
	return err
}

// optional returns an interpolated string, nil if it is not set or empty.
func optional(conf *service.ParsedConfig, field string) (*service.InterpolatedString, error) {
	if !conf.Contains(field) {
		return nil, nil
	}
	parsed, err := conf.FieldInterpolatedString(field)
	if err != nil {
		return nil, err
	}
	if text, static := parsed.Static(); static && text == "" {
		return nil, nil
	}
	return parsed, nil
}

func (s *settings) parseRecord(conf *service.ParsedConfig) (err error) {
	if s.bodyKey, err = conf.FieldString(fieldBodyKey); err != nil {
		return err
	}
	if s.metadata, err = parseMetadata(conf); err != nil {
		return fmt.Errorf("%s: %w", fieldMetadata, err)
	}
	if s.maxMessageBytes, err = config.Size(conf, fieldMaxMessageBytes); err != nil {
		return err
	}
	length, err := config.Whole(conf, fieldMaxLength)
	if err != nil {
		return err
	}
	s.maxLength = int64(length)
	if age, err := conf.FieldString(fieldMaxAge); err != nil || age == "" {
		return err
	}
	s.maxAge, err = config.PositiveDuration(conf, fieldMaxAge)
	return err
}

// parseMetadata returns the engine's filter for the field metadata, which check has accepted.
func parseMetadata(conf *service.ParsedConfig) (*service.MetadataExcludeFilter, error) {
	value, err := conf.FieldAny(fieldMetadata)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(map[string]any{fieldMetadata: value})
	if err != nil {
		return nil, err
	}
	filter, err := service.NewConfigSpec().Field(
		service.NewMetadataExcludeFilterField(fieldMetadata),
	).ParseYAML(
		string(text),
		nil,
	)
	if err != nil {
		return nil, err
	}
	return filter.FieldMetadataExcludeFilter(fieldMetadata)
}

func (s *settings) parseDelivery(conf *service.ParsedConfig) (err error) {
	if s.idempotent, err = conf.FieldBool(fieldIdempotentWrite); err != nil {
		return err
	}
	if s.retry.maxRetries, err = config.Whole(conf, fieldMaxRetries); err != nil {
		return err
	}
	waits, err := conf.FieldBackOff(fieldBackoff)
	if err != nil {
		return err
	}
	s.retry.initial, s.retry.longest = waits.InitialInterval, waits.MaxInterval
	s.retry.maxElapsed = waits.MaxElapsedTime
	if s.maxInFlight, err = s.parseMaxInFlight(conf); err != nil {
		return err
	}
	s.batching, err = conf.FieldBatchPolicy(fieldBatching)
	return err
}

// parseMaxInFlight returns the field. If it is not set, it returns 1 with a key, which keeps the
// order of the key, and unkeyedInFlight without a key.
func (s *settings) parseMaxInFlight(conf *service.ParsedConfig) (int, error) {
	switch {
	case conf.Contains(fieldMaxInFlight):
		return config.Whole(conf, fieldMaxInFlight)
	case s.key != nil:
		return 1, nil
	}
	return unkeyedInFlight, nil
}
