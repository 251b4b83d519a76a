package input

import (
	"os"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

// settings is the parsed configuration of an input.
type settings struct {
	connection         *config.Connection
	topic, group, name string
	instance           string        // empty: not a static member
	share              bool          // the group is a share group
	bodyKey, orderKey  string        // fields of the entry
	adoptIdle          time.Duration // in a share group; 0: off
	letters            string        // the topic of the dead letters; empty: none are written
	deleteOnAck        bool          // in a share group
	consumer           splits.Config // without the store, the member, the letters and the observer
}

// parse reads and checks the configuration. The error names everything that is wrong with the
// input's own fields.
func parse(conf *service.ParsedConfig) (*settings, error) {
	connection, _, err := config.Parse(conf, check)
	if err != nil {
		return nil, err
	}
	p := parser{conf: conf}
	s := &settings{
		connection: connection, bodyKey: p.text(fieldBodyKey), orderKey: p.text(fieldOrderKey),
		topic: p.text(fieldStreamName), group: p.text(fieldConsumerGroup), name: p.text(fieldConsumerName),
		instance: p.text(fieldInstanceID), share: p.text(fieldGroupType) == broker.ShareGroup,
		deleteOnAck: p.yes(fieldDeleteOnAck),
	}
	if s.name == "" {
		s.name = hostname()
	}
	session := p.duration(fieldSessionTimeout)
	heartbeat := min(defaultHeartbeat, session/heartbeatsPerSession)
	if conf.Contains(fieldHeartbeat) {
		heartbeat = p.duration(fieldHeartbeat)
	}
	if p.text(fieldAdoptIdle) != "" {
		s.adoptIdle = p.duration(fieldAdoptIdle)
	}
	ordering := orderings[p.text(fieldOrdering)]
	if conf.Contains(fieldUnordered) && p.yes(fieldUnordered, fieldEnabled) {
		ordering = splits.Unordered
	}
	start, err := parseStart(p.text(fieldStartOffset), time.Now())
	p.record(err)
	s.consumer = splits.Config{
		TTL: session, Start: start,
		// Each heartbeat checks the topic too, so checking more often takes more heartbeats.
		Heartbeat:       min(heartbeat, p.duration(fieldRefreshMetadata)),
		CommitEvery:     p.duration(fieldCommitPeriod),
		SampleEvery:     p.duration(fieldRefreshLag),
		DrainFor:        p.duration(fieldRebalance),
		FetchWithin:     connection.ReadTimeout(),
		BatchSize:       p.whole(fieldBatchSize),
		SplitBuffer:     p.size(fieldPartitionBuffer),
		FetchMax:        p.size(fieldFetchMax),
		Ordering:        ordering,
		CheckpointLimit: p.whole(fieldCheckpointLimit),
		MaxAhead:        p.whole(fieldMaxAhead),
		SkipNacked:      !p.yes(fieldReplayNacks),
		FailOnLoss:      p.text(fieldOnDataLoss) == lossFail,
	}
	if s.letters = p.text(fieldDeadLetter, fieldLetterTopic); s.letters != "" {
		s.consumer.DeadLetters = p.deadLetters()
	}
	return s, p.err
}

// deadLetters reads when messages are given up.
func (p *parser) deadLetters() splits.DeadLetters {
	expressions, err := compileAll(read(p, p.conf.FieldStringList, []string{fieldDeadLetter, fieldMatch}))
	p.record(err)
	return splits.DeadLetters{
		MaxDeliveries: p.whole(fieldDeadLetter, fieldMaxDeliveries),
		MaxBackoff:    p.duration(fieldDeadLetter, fieldLetterBackoff),
		MinAge:        p.duration(fieldDeadLetter, fieldMinAge),
		Match:         matchAny(expressions),
	}
}

// hostname returns the default name of a member.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || keys.ValidateConsumer(name) != nil {
		return "host"
	}
	return name
}

// parser reads fields and records the first error.
type parser struct {
	conf *service.ParsedConfig
	err  error
}

func (p *parser) record(err error) {
	if p.err == nil {
		p.err = err
	}
}

func read[T any](p *parser, get func(path ...string) (T, error), path []string) T {
	value, err := get(path...)
	p.record(err)
	return value
}

func (p *parser) text(path ...string) string { return read(p, p.conf.FieldString, path) }
func (p *parser) yes(path ...string) bool    { return read(p, p.conf.FieldBool, path) }

func (p *parser) whole(path ...string) int {
	n, err := config.Whole(p.conf, path...)
	p.record(err)
	return n
}

func (p *parser) duration(path ...string) time.Duration {
	d, err := config.PositiveDuration(p.conf, path...)
	p.record(err)
	return d
}

func (p *parser) size(path ...string) int {
	n, err := config.Size(p.conf, path...)
	p.record(err)
	return int(n)
}
