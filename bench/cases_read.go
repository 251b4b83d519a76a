package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

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
	spread, err := e.topic(ctx, 64, n, "partitioner: manual\n    partition: 7")
	if err != nil {
		return nil, err
	}
	return []contender{readRafka("alone", alone, n), readRafka("with 63 empty ones", spread, n)}, nil
}
