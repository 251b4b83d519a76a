package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
)

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
