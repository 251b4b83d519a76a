package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The contenders, as they are called in the tables.
const (
	rafka       = "rafka"
	rivalPlain  = "redis_streams"
	rivalBest   = "redis_streams limit 1000"
	rivalWide   = "redis_streams limit 1000, 8 streams"
	engineLimit = "Benthos from memory"
	clientLimit = "bare go-redis"
)

func cases() []benchCase {
	return []benchCase{
		{
			name: "read", title: "a backlog of 500,000 over 8 partitions, to drop", prepare: readers,
			bars: []bar{
				{what: rafka, of: rivalPlain, value: rate, least: 10},
				{what: rafka, of: rivalBest, value: rate, least: 5},
				{what: rafka, of: rivalWide, value: rate, least: 1},
				{what: rafka, of: engineLimit, orOf: clientLimit, value: rate, least: 0.7},
			},
		},
		{
			name:    "replicated",
			title:   "the same with an append-only file (everysec) and a replica",
			prepare: replicated,
			server:  []string{"--appendonly", "yes", "--appendfsync", "everysec"},
			bars: []bar{
				{what: rafka, of: rivalPlain, value: rate, least: 10},
				{what: rafka, of: rivalBest, value: rate, least: 5},
			},
		},
		{
			name: "partitions", title: "a backlog of 500,000 over more and more partitions", prepare: partitions,
			bars: []bar{{what: "256", of: "8", value: rate, least: 0.8}},
		},
		{
			name:    "hot",
			title:   "a backlog of 500,000 in one partition, alone and beside 63 that are empty",
			prepare: hot,
			bars:    []bar{{what: "beside 63", of: "alone", value: rate, least: 0.6}},
		},
		{
			name: "write", title: "500,000 keyed messages in batches of 1,000 to 8 partitions", prepare: writers,
			bars: []bar{
				{what: rafka, of: rivalPlain, value: rate, least: 3.5},
				{what: rafka, of: clientLimit, value: rate, least: 0.6},
			},
		},
		{
			name:    "unbatched",
			title:   "200,000 keyed messages one by one to 8 partitions, max_in_flight 64",
			prepare: unbatched,
			bars:    []bar{{what: rafka, of: rivalPlain, value: rate, least: 1.3}},
		},
		{
			name:    "copy",
			title:   "200,000 messages from 8 partitions through a mapping to 8 partitions",
			prepare: copiers,
			bars: []bar{
				{what: rafka, of: rivalPlain, value: rate, least: 4},
				{what: rafka, of: rivalWide, value: rate, least: 4},
			},
		},
		{
			name: "latency", title: "from write to read at 1,000 messages a second", prepare: latencies,
			bars: []bar{
				{what: "rafka, 1 partition", of: rivalPlain, value: p50, most: 1},
				{what: "rafka, 1 partition", of: rivalPlain, value: p99, most: 1},
				{what: "rafka, 64 partitions", of: rivalPlain, value: p99, most: 1.5},
			},
		},
		{
			name: "idle", title: "what a reader of empty partitions costs", prepare: idlers,
			bars: []bar{
				{what: "64 partitions", value: clientShare, most: 1},
				{what: "64 partitions", value: serverShare, most: 1},
				{what: "1000 partitions", value: clientShare, most: 3},
				{what: "1000 partitions", value: serverShare, most: 3},
			},
		},
		{
			name: "memory", title: "what a reader with a backlog holds", prepare: hoarders,
			bars: []bar{
				{what: "64 partitions, 1,000,000 messages", value: resident, most: 150},
				{what: "256 partitions of 1 MB", value: resident, most: 400},
			},
		},
		{
			name: "change", title: "joining and leaving, 64 partitions", prepare: changes,
			bars: []bar{
				{what: "quiet", value: joinP99, most: 250},
				{what: "quiet", value: leaveP99, most: 250},
			},
		},
		{name: "growth", title: "groups of more and more members on 10,000 partitions", prepare: growth},
	}
}

// rafkaReader is an input of a group that has not read yet.
func rafkaReader(l *lab, topic string) string {
	return fmt.Sprintf("\ninput: {rafka: {url: $URL, stream_name: %s, consumer_group: %s}}\n", topic, l.name("group"))
}

// rivalReader is an input of a group of its own on the streams of a topic.
func rivalReader(group string, streams []string, more string) string {
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
	return contender{name, func(ctx context.Context, l *lab) (sample, error) {
		return l.flow(ctx, l.rafka, rafkaReader(l, topic)+drop, n, false)
	}}
}

// readRival reads the streams of a topic to drop, and removes its group.
func readRival(name, topic string, partitions, n int, more string) contender {
	return contender{name, func(ctx context.Context, l *lab) (sample, error) {
		group, keys := l.name("group"), streams(topic, partitions)
		s, err := l.flow(ctx, l.bento, rivalReader(group, keys, more)+drop, n, false)
		if err != nil {
			return nil, err
		}
		return s, l.forget(ctx, group, keys)
	}}
}

// forget removes a group of redis_streams.
func (l *lab) forget(ctx context.Context, group string, streams []string) error {
	for _, key := range streams {
		if err := l.redis.XGroupDestroy(ctx, key, group).Err(); err != nil {
			return err
		}
	}
	return nil
}

// readers are rafka with 8 partitions, redis_streams with one stream as it is used by those who do
// not partition by hand, and with 8.
func readers(ctx context.Context, l *lab) ([]contender, error) {
	const parts = 8
	n := l.messages(500_000)
	topic, err := l.topic(ctx, parts, n, "")
	if err != nil {
		return nil, err
	}
	single, err := l.topic(ctx, 1, n, "")
	if err != nil {
		return nil, err
	}
	return []contender{
		readRafka(rafka, topic, n),
		readRival(rivalPlain, single, 1, n, ""),
		readRival(rivalBest, single, 1, n, "limit: 1000"),
		readRival(rivalWide, topic, parts, n, "limit: 1000"),
		{engineLimit, func(ctx context.Context, l *lab) (sample, error) {
			return l.limit(ctx, "engine", "-n", strconv.Itoa(n))
		}},
		{clientLimit, func(ctx context.Context, l *lab) (sample, error) {
			return l.limit(ctx, "xread", "-n", strconv.Itoa(n), "-keys", topic+":%d", "-parts", strconv.Itoa(parts))
		}},
	}, nil
}

// replicated is readers with a replica that has caught up.
func replicated(ctx context.Context, l *lab) ([]contender, error) {
	if err := l.replica(ctx); err != nil {
		return nil, err
	}
	contenders, err := readers(ctx, l)
	if err != nil {
		return nil, err
	}
	return contenders[:4], nil
}

func partitions(ctx context.Context, l *lab) ([]contender, error) {
	n := l.messages(500_000)
	var contenders []contender
	for _, parts := range []int{1, 8, 64, 256} {
		topic, err := l.topic(ctx, parts, n, "")
		if err != nil {
			return nil, err
		}
		contenders = append(contenders, readRafka(strconv.Itoa(parts), topic, n))
	}
	return contenders, nil
}

func hot(ctx context.Context, l *lab) ([]contender, error) {
	n := l.messages(500_000)
	alone, err := l.topic(ctx, 1, n, "")
	if err != nil {
		return nil, err
	}
	beside, err := l.topic(ctx, 64, n, "partitioner: manual\n    partition: 7")
	if err != nil {
		return nil, err
	}
	return []contender{readRafka("alone", alone, n), readRafka("beside 63", beside, n)}, nil
}

// write runs a config that ends by itself, and checks what is in the streams after it.
func write(ctx context.Context, l *lab, binary, config, topic string, partitions, n int) (sample, error) {
	s, err := l.flow(ctx, binary, config, n, true)
	return s, errors.Join(err, l.written(ctx, topic, partitions, n))
}

func writeRafka(n int, input string) contender {
	const parts = 8
	return contender{rafka, func(ctx context.Context, l *lab) (sample, error) {
		topic := l.name("topic")
		return write(ctx, l, l.rafka, input+fmt.Sprintf(`
output: {rafka: {url: $URL, stream_name: %s, partitions: %d, key: "${! counter() %% 1000 }", max_in_flight: 64}}
`, topic, parts), topic, parts, n)
	}}
}

func writeRival(n int, input string) contender {
	return contender{rivalPlain, func(ctx context.Context, l *lab) (sample, error) {
		topic := l.name("topic")
		return write(ctx, l, l.bento, input+fmt.Sprintf(`
output: {redis_streams: {url: $URL, stream: "%s", body_key: body}}
`, stream(topic, 0)), topic, 1, n)
	}}
}

func writers(_ context.Context, l *lab) ([]contender, error) {
	n := l.messages(500_000)
	return []contender{
		writeRafka(n, generate(n, 1000)), writeRival(n, generate(n, 1000)),
		{engineLimit, func(ctx context.Context, l *lab) (sample, error) {
			return l.flow(ctx, l.rafka, generate(n, 1000)+drop, n, true)
		}},
		{clientLimit, func(ctx context.Context, l *lab) (sample, error) {
			topic := l.name("topic")
			s, err := l.limit(ctx, "xadd", "-n", strconv.Itoa(n), "-batch", "1000", "-keys", topic+":%d")
			return s, errors.Join(err, l.written(ctx, topic, 8, n))
		}},
	}, nil
}

// unbatched writers get batches that are split on the way, as the input that makes single messages
// is slower than they are.
func unbatched(_ context.Context, l *lab) ([]contender, error) {
	n := l.messages(200_000)
	input := generate(n, 1000) + "pipeline: {processors: [{split: {size: 1}}]}\n"
	return []contender{
		writeRafka(n, input),
		writeRival(n, input),
		{
			engineLimit,
			func(ctx context.Context, l *lab) (sample, error) { return l.flow(ctx, l.rafka, input+drop, n, true) },
		},
	}, nil
}
