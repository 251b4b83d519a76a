package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The names of the contenders in the tables.
const (
	rafka       = "rafka"
	otherPlain  = "redis_streams"
	otherBest   = "redis_streams limit 1000"
	otherWide   = "redis_streams limit 1000, 8 streams"
	engineLimit = "Benthos from memory"
	clientLimit = "bare go-redis"
)

func cases() []benchCase {
	return []benchCase{
		{
			name: "read", title: "a backlog of 500,000 over 8 partitions, to drop", prepare: readers,
			aims: []aim{
				{what: rafka, of: otherPlain, value: rate, least: 10},
				{what: rafka, of: otherBest, value: rate, least: 5},
				{what: rafka, of: otherWide, value: rate, least: 1},
				{what: rafka, of: engineLimit, orOf: clientLimit, value: rate, least: 0.7},
			},
		},
		{
			name:    "replicated",
			title:   "the same with an append-only file (everysec) and a replica",
			prepare: replicated,
			server:  []string{"--appendonly", "yes", "--appendfsync", "everysec"},
			aims: []aim{
				{what: rafka, of: otherPlain, value: rate, least: 10},
				{what: rafka, of: otherBest, value: rate, least: 5},
			},
		},
		{
			name: "partitions", title: "a backlog of 500,000 over growing numbers of partitions", prepare: partitions,
			aims: []aim{{what: "256", of: "8", value: rate, least: 0.8}},
		},
		{
			name:    "hot",
			title:   "a backlog of 500,000 in one partition, alone and with 63 empty ones",
			prepare: hot,
			aims:    []aim{{what: "with 63 empty ones", of: "alone", value: rate, least: 0.6}},
		},
		{
			name: "write", title: "500,000 keyed messages in batches of 1,000 to 8 partitions", prepare: writers,
			aims: []aim{
				{what: rafka, of: otherPlain, value: rate, least: 3.5},
				{what: rafka, of: clientLimit, value: rate, least: 0.6},
			},
		},
		{
			name:    "unbatched",
			title:   "200,000 keyed messages one by one to 8 partitions, max_in_flight 64",
			prepare: unbatched,
			aims:    []aim{{what: rafka, of: otherPlain, value: rate, least: 1.3}},
		},
		{
			name:    "copy",
			title:   "200,000 messages from 8 partitions through a mapping to 8 partitions",
			prepare: copiers,
			aims: []aim{
				{what: rafka, of: otherPlain, value: rate, least: 4},
				{what: rafka, of: otherWide, value: rate, least: 4},
			},
		},
		{
			name: "latency", title: "from write to read at 1,000 messages a second", prepare: latencies,
			aims: []aim{
				{what: "rafka, 1 partition", of: otherPlain, value: p50, most: 1},
				{what: "rafka, 1 partition", of: otherPlain, value: p99, most: 1},
				{what: "rafka, 64 partitions", of: otherPlain, value: p99, most: 1.5},
			},
		},
		{
			name: "idle", title: "cost of readers of empty partitions", prepare: idleReaders,
			aims: []aim{
				{what: "64 partitions", value: clientShare, most: 1},
				{what: "64 partitions", value: serverShare, most: 1},
				{what: "1000 partitions", value: clientShare, most: 3},
				{what: "1000 partitions", value: serverShare, most: 3},
			},
		},
		{
			name: "memory", title: "memory of readers with a backlog", prepare: backlogReaders,
			aims: []aim{
				{what: "64 partitions, 1,000,000 messages", value: resident, most: 150},
				{what: "256 partitions of 1 MB", value: resident, most: 400},
			},
		},
		{
			name: "change", title: "joining and leaving, 64 partitions", prepare: changes,
			aims: []aim{
				{what: "quiet", value: joinP99, most: 250},
				{what: "quiet", value: leaveP99, most: 250},
			},
		},
		{name: "growth", title: "groups of growing size on 10,000 partitions", prepare: growth},
	}
}

// rafkaReader returns an input with a new group.
func rafkaReader(e *environment, topic string) string {
	return fmt.Sprintf("\ninput: {rafka: {url: $URL, stream_name: %s, consumer_group: %s}}\n", topic, e.name("group"))
}

// otherReader returns a redis_streams input with a new group on the streams of a topic.
func otherReader(group string, streams []string, more string) string {
	return fmt.Sprintf(`
input:
  redis_streams:
    url: $URL
    body_key: body
    streams: [%s]
    consumer_group: %s
    client_id: bench
    create_streams: true
    start_from_oldest: true
    %s
`, strings.Join(streams, ", "), group, more)
}

const drop = "output: {drop: {}}\n"

func streams(topic string, partitions int) []string {
	keys := make([]string, partitions)
	for i := range keys {
		keys[i] = stream(topic, i)
	}
	return keys
}

// readRafka reads a topic to drop.
func readRafka(name, topic string, n int) contender {
	return contender{name, func(ctx context.Context, e *environment) (sample, error) {
		return e.measureFlow(ctx, e.rafka, rafkaReader(e, topic)+drop, n, false)
	}}
}

// readOther reads the streams of a topic to drop, and destroys its group.
func readOther(name, topic string, partitions, n int, more string) contender {
	return contender{name, func(ctx context.Context, e *environment) (sample, error) {
		group, keys := e.name("group"), streams(topic, partitions)
		s, err := e.measureFlow(ctx, e.bento, otherReader(group, keys, more)+drop, n, false)
		if err != nil {
			return nil, err
		}
		return s, e.destroyGroup(ctx, group, keys)
	}}
}

// destroyGroup destroys a group of redis_streams.
func (e *environment) destroyGroup(ctx context.Context, group string, streams []string) error {
	for _, key := range streams {
		if err := e.redis.XGroupDestroy(ctx, key, group).Err(); err != nil {
			return err
		}
	}
	return nil
}

// readers compares rafka on 8 partitions with redis_streams on one stream, as it is used without
// manual partitioning, and on 8 streams.
func readers(ctx context.Context, e *environment) ([]contender, error) {
	const parts = 8
	n := e.messages(500_000)
	topic, err := e.topic(ctx, parts, n, "")
	if err != nil {
		return nil, err
	}
	single, err := e.topic(ctx, 1, n, "")
	if err != nil {
		return nil, err
	}
	return []contender{
		readRafka(rafka, topic, n),
		readOther(otherPlain, single, 1, n, ""),
		readOther(otherBest, single, 1, n, "limit: 1000"),
		readOther(otherWide, topic, parts, n, "limit: 1000"),
		{engineLimit, func(ctx context.Context, e *environment) (sample, error) {
			return e.limit(ctx, "engine", "-n", strconv.Itoa(n))
		}},
		{clientLimit, func(ctx context.Context, e *environment) (sample, error) {
			return e.limit(ctx, "xread", "-n", strconv.Itoa(n), "-keys", topic+":%d", "-parts", strconv.Itoa(parts))
		}},
	}, nil
}

// replicated is readers with a replica that is in sync.
func replicated(ctx context.Context, e *environment) ([]contender, error) {
	if err := e.replica(ctx); err != nil {
		return nil, err
	}
	contenders, err := readers(ctx, e)
	if err != nil {
		return nil, err
	}
	return contenders[:4], nil
}

func partitions(ctx context.Context, e *environment) ([]contender, error) {
	n := e.messages(500_000)
	var contenders []contender
	for _, parts := range []int{1, 8, 64, 256} {
		topic, err := e.topic(ctx, parts, n, "")
		if err != nil {
			return nil, err
		}
		contenders = append(contenders, readRafka(strconv.Itoa(parts), topic, n))
	}
	return contenders, nil
}

func hot(ctx context.Context, e *environment) ([]contender, error) {
	n := e.messages(500_000)
	alone, err := e.topic(ctx, 1, n, "")
	if err != nil {
		return nil, err
	}
	beside, err := e.topic(ctx, 64, n, "partitioner: manual\n    partition: 7")
	if err != nil {
		return nil, err
	}
	return []contender{readRafka("alone", alone, n), readRafka("with 63 empty ones", beside, n)}, nil
}

// write runs a configuration whose input ends, and then checks the content of the streams.
func write(ctx context.Context, e *environment, binary, config, topic string, partitions, n int) (sample, error) {
	s, err := e.measureFlow(ctx, binary, config, n, true)
	return s, errors.Join(err, e.checkAndDelete(ctx, topic, partitions, n))
}

func writeRafka(n int, input string) contender {
	const parts = 8
	return contender{rafka, func(ctx context.Context, e *environment) (sample, error) {
		topic := e.name("topic")
		return write(ctx, e, e.rafka, input+fmt.Sprintf(`
output: {rafka: {url: $URL, stream_name: %s, partitions: %d, key: "${! counter() %% 1000 }", max_in_flight: 64}}
`, topic, parts), topic, parts, n)
	}}
}

func writeOther(n int, input string) contender {
	return contender{otherPlain, func(ctx context.Context, e *environment) (sample, error) {
		topic := e.name("topic")
		return write(ctx, e, e.bento, input+fmt.Sprintf(`
output: {redis_streams: {url: $URL, stream: "%s", body_key: body}}
`, stream(topic, 0)), topic, 1, n)
	}}
}

func writers(_ context.Context, e *environment) ([]contender, error) {
	n := e.messages(500_000)
	return []contender{
		writeRafka(n, generate(n, 1000)), writeOther(n, generate(n, 1000)),
		{engineLimit, func(ctx context.Context, e *environment) (sample, error) {
			return e.measureFlow(ctx, e.rafka, generate(n, 1000)+drop, n, true)
		}},
		{clientLimit, func(ctx context.Context, e *environment) (sample, error) {
			topic := e.name("topic")
			s, err := e.limit(ctx, "xadd", "-n", strconv.Itoa(n), "-batch", "1000", "-keys", topic+":%d")
			return s, errors.Join(err, e.checkAndDelete(ctx, topic, 8, n))
		}},
	}, nil
}

// unbatched writes batches that a processor splits, since an input that generates single messages
// would be the bottleneck.
func unbatched(_ context.Context, e *environment) ([]contender, error) {
	n := e.messages(200_000)
	input := generate(n, 1000) + "pipeline: {processors: [{split: {size: 1}}]}\n"
	return []contender{
		writeRafka(n, input),
		writeOther(n, input),
		{
			engineLimit,
			func(ctx context.Context, e *environment) (sample, error) {
				return e.measureFlow(ctx, e.rafka, input+drop, n, true)
			},
		},
	}, nil
}
