package input

import (
	"os"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/config"
	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// settings is the parsed configuration of an input.
type settings struct {
	connection         *config.Connection
	topic, group, name string
	instance           string // empty: the member is not a static one
	bodyKey            string
	consumer           splits.Config // all but the store, the member and the observer
}

// parse reads and checks the configuration. The error has everything that is wrong with the input's
// own fields.
func parse(conf *service.ParsedConfig) (*settings, error) {
	connection, _, err := config.Parse(conf, check)
	if err != nil {
		return nil, err
	}
	p := parser{conf: conf}
	s := &settings{
		connection: connection, bodyKey: p.text(fieldBodyKey),
		topic: p.text(fieldStreamName), group: p.text(fieldConsumerGroup), name: p.text(fieldConsumerName),
		instance: p.text(fieldInstanceID),
	}
	if s.name == "" {
		s.name = hostname()
	}
	session := p.duration(fieldSessionTimeout)
	heartbeat := min(defaultHeartbeat, session/heartbeats)
	if conf.Contains(fieldHeartbeat) {
		heartbeat = p.duration(fieldHeartbeat)
	}
	start, err := parseStart(p.text(fieldStartOffset), time.Now())
	p.keep(err)
	s.consumer = splits.Config{
		TTL: session, Start: start,
		// Every heartbeat looks at the topic too, so looking more often means beating more often.
		Heartbeat:       min(heartbeat, p.duration(fieldRefreshMetadata)),
		CommitEvery:     p.duration(fieldCommitPeriod),
		SampleEvery:     p.duration(fieldRefreshLag),
		DrainFor:        p.duration(fieldRebalance),
		FetchWithin:     connection.ReadTimeout(),
		BatchSize:       p.whole(fieldBatchSize),
		SplitBuffer:     p.size(fieldPartitionBuffer),
		FetchMax:        p.size(fieldFetchMax),
		Unordered:       p.yes(fieldUnordered, fieldEnabled),
		CheckpointLimit: p.whole(fieldUnordered, fieldCheckpointLimit),
		MaxAhead:        p.whole(fieldUnordered, fieldMaxAhead),
		SkipNacked:      !p.yes(fieldReplayNacks),
		FailOnLoss:      p.text(fieldOnDataLoss) == lossFail,
	}
	return s, p.err
}

// hostname is the name of a member that was given none.
func hostname() string {
	name, err := os.Hostname()
	if err != nil || broker.ValidateConsumer(name) != nil {
		return "host"
	}
	return name
}

// parser reads fields and keeps the first error.
type parser struct {
	conf *service.ParsedConfig
	err  error
}

func (p *parser) keep(err error) {
	if p.err == nil {
		p.err = err
	}
}

func read[T any](p *parser, get func(path ...string) (T, error), path []string) T {
	value, err := get(path...)
	p.keep(err)
	return value
}

func (p *parser) text(path ...string) string { return read(p, p.conf.FieldString, path) }
func (p *parser) yes(path ...string) bool    { return read(p, p.conf.FieldBool, path) }

func (p *parser) whole(path ...string) int {
	n, err := config.Whole(p.conf, path...)
	p.keep(err)
	return n
}

func (p *parser) duration(path ...string) time.Duration {
	d, err := config.PositiveDuration(p.conf, path...)
	p.keep(err)
	return d
}

func (p *parser) size(path ...string) int {
	n, err := config.Size(p.conf, path...)
	p.keep(err)
	return int(n)
}
