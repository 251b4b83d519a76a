package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const changeBody = `
pipeline:
  processors:
    - mapping: 'root = content().uppercase()'
`

// copiers read 8 partitions, change each message, and write it to 8 partitions.
func copiers(ctx context.Context, e *environment) ([]contender, error) {
	const parts = 8
	n := e.messages(200_000)
	source, err := e.topic(ctx, parts, n, "")
	if err != nil {
		return nil, err
	}
	single, err := e.topic(ctx, 1, n, "")
	if err != nil {
		return nil, err
	}
	other := func(name string, sources []string, input, output string) contender {
		return contender{name, func(ctx context.Context, e *environment) (sample, error) {
			target, group := e.name("topic"), e.name("group")
			s, err := e.measureFlow(ctx, e.bento, otherReader(group, sources, input)+changeBody+fmt.Sprintf(`
output: {redis_streams: {url: $URL, stream: "%s", body_key: body %s}}
`, stream(target, 0), output), n, false)
			if err != nil {
				return nil, err
			}
			if err := e.destroyGroup(ctx, group, sources); err != nil {
				return nil, err
			}
			return s, e.checkAndDelete(ctx, target, 1, n)
		}}
	}
	return []contender{
		{rafka, func(ctx context.Context, e *environment) (sample, error) {
			target := e.name("topic")
			s, err := e.measureFlow(ctx, e.rafka, rafkaReader(e, source)+changeBody+fmt.Sprintf(`
output: {rafka: {url: $URL, stream_name: %s, partitions: %d, key: "${! @rafka_key }", max_in_flight: 64}}
`, target, parts), n, false)
			if err != nil {
				return nil, err
			}
			return s, e.checkAndDelete(ctx, target, parts, n)
		}},
		other(otherPlain, streams(single, 1), "", ""),
		other(otherWide, streams(source, parts), "limit: 1000", ", batching: {count: 500, period: 10ms}"),
	}, nil
}

// checkAndDelete checks that a topic has n entries, and deletes it.
func (e *environment) checkAndDelete(ctx context.Context, topic string, partitions, n int) error {
	err := e.checkLength(ctx, topic, partitions, n)
	e.redis.Unlink(ctx, streams(topic, partitions)...)
	return err
}

// Quantiles of latencies.
const (
	p50 = "p50 ms"
	p99 = "p99 ms"
)

// latencies writes the time into messages, one per millisecond, and measures how long ago that was
// when they are read.
func latencies(_ context.Context, e *environment) ([]contender, error) {
	ours := func(parts int) contender {
		return contender{
			fmt.Sprintf("rafka, %d partition%s", parts, plural(parts)),
			func(ctx context.Context, e *environment) (sample, error) {
				topic := e.name("topic")
				return e.latency(ctx, e.rafka, rafkaReader(e, topic), fmt.Sprintf(`
output: {rafka: {url: $URL, stream_name: %s, partitions: %d, key: "${! counter() %% 1000 }", max_in_flight: 64}}
`, topic, parts))
			},
		}
	}
	return []contender{
		ours(1),
		{otherPlain, func(ctx context.Context, e *environment) (sample, error) {
			topic := e.name("topic")
			return e.latency(ctx, e.bento, otherReader(e.name("group"), streams(topic, 1), ""), fmt.Sprintf(`
output: {redis_streams: {url: $URL, stream: "%s", body_key: body}}
`, stream(topic, 0)))
		}},
		ours(64),
	}, nil
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// latency runs a writer and a reader of the same binary for 20 seconds and ignores messages of the
// first two seconds.
func (e *environment) latency(ctx context.Context, binary, input, output string) (sample, error) {
	const perSecond, warm = 1000, 2000
	n := e.messages(20 * perSecond)
	file := filepath.Join(e.dir, e.name("times"))
	defer os.Remove(file)
	writer, err := e.start(binary, fmt.Sprintf(`
input:
  generate:
    count: %d
    interval: 1ms
    mapping: 'root = "%%v %s".format(timestamp_unix_nano())'
`, n, strings.Repeat("x", 236))+output)
	if err != nil {
		return nil, err
	}
	defer writer.kill()
	reader, err := e.start(binary, input+fmt.Sprintf(`
pipeline:
  processors:
    - mapping: 'root = timestamp_unix_nano() - content().string().split(" ").index(0).int64()'
output: {file: {path: %s, codec: lines}}
`, file))
	if err != nil {
		return nil, err
	}
	defer reader.kill()
	if _, _, err := e.awaitCount(ctx, reader, "output_sent", n); err != nil {
		return nil, err
	}
	if err := reader.stop(); err != nil {
		return nil, err
	}
	times, err := numbers(file)
	if err != nil {
		return nil, err
	}
	if len(times) != n {
		return nil, fmt.Errorf("%d of %d latencies were measured", len(times), n)
	}
	times = times[min(warm, n/2):]
	return sample{p50: quantile(times, 0.5) / 1e6, p99: quantile(times, 0.99) / 1e6}, nil
}

func numbers(file string) ([]float64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []float64
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		value, err := strconv.ParseFloat(lines.Text(), 64)
		if err != nil {
			return nil, err
		}
		all = append(all, value)
	}
	return all, lines.Err()
}

// Percentages of one core.
const (
	clientShare = "client % of a core"
	serverShare = "server % of a core"
)

// idleReaders measures readers of topics without new messages.
func idleReaders(ctx context.Context, e *environment) ([]contender, error) {
	var contenders []contender
	contenders = append(
		contenders,
		contender{"none", func(ctx context.Context, e *environment) (sample, error) { return e.idle(ctx, "") }},
	)
	for _, parts := range []int{64, 1000} {
		topic, err := e.topic(ctx, parts, 1000, "") // one message creates each stream, as in practice
		if err != nil {
			return nil, err
		}
		contenders = append(
			contenders,
			contender{fmt.Sprintf("%d partitions", parts), func(ctx context.Context, e *environment) (sample, error) {
				return e.idle(ctx, rafkaReader(e, topic)+drop)
			}},
		)
	}
	return contenders, nil
}

// idle runs a configuration for a while before it measures the CPU time. Without a configuration it
// measures only the server.
func (e *environment) idle(ctx context.Context, config string) (sample, error) {
	pid := 0
	if config != "" {
		p, err := e.start(e.rafka, config)
		if err != nil {
			return nil, err
		}
		defer p.kill()
		pid = p.cmd.Process.Pid
		if err := pause(ctx, 3*time.Second); err != nil {
			return nil, err
		}
	}
	measure := func() (client, server usage, err error) {
		if pid != 0 {
			if client, err = usageOf(pid); err != nil {
				return client, server, err
			}
		}
		server, err = usageOf(e.server.PID())
		return client, server, err
	}
	client, server, err := measure()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := pause(ctx, time.Duration(20*e.scale*float64(time.Second))); err != nil {
		return nil, err
	}
	clientNow, serverNow, err := measure()
	if err != nil {
		return nil, err
	}
	span := time.Since(began).Seconds()
	s := sample{serverShare: 100 * (serverNow.cpu - server.cpu).Seconds() / span}
	if pid != 0 {
		s[clientShare] = 100 * (clientNow.cpu - client.cpu).Seconds() / span
	}
	return s, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// backlogReaders measures readers of backlogs with a slow pipeline, whose buffers are full.
func backlogReaders(ctx context.Context, e *environment) ([]contender, error) {
	reader := func(name, topic string) contender {
		return contender{name, func(ctx context.Context, e *environment) (sample, error) {
			p, err := e.start(
				e.rafka,
				rafkaReader(e, topic)+"pipeline: {threads: 2, processors: [{sleep: {duration: 1ms}}]}\n"+drop,
			)
			if err != nil {
				return nil, err
			}
			defer p.kill()
			if err := pause(ctx, time.Duration(15*e.scale*float64(time.Second))); err != nil {
				return nil, err
			}
			used, err := usageOf(p.cmd.Process.Pid)
			return sample{resident: used.peak}, err
		}}
	}
	small, err := e.topic(ctx, 64, e.messages(1_000_000), "")
	if err != nil {
		return nil, err
	}
	large := e.name("topic")
	if err := e.fillLarge(ctx, large, 256, 4); err != nil {
		return nil, err
	}
	return []contender{reader("64 partitions, 1,000,000 messages", small), reader("256 partitions of 1 MB", large)}, nil
}

// fillLarge writes entries of 1 MB to each partition of a new topic.
func (e *environment) fillLarge(ctx context.Context, topic string, partitions, each int) error {
	p, err := e.start(e.rafka, fmt.Sprintf(`
input:
  generate:
    count: %d
    interval: ""
    mapping: 'root = "0123456789abcdef".repeat(65536)'
output: {rafka: {url: $URL, stream_name: %s, partitions: %d, partitioner: round_robin, max_in_flight: 8}}
`, partitions*each, topic, partitions))
	if err != nil {
		return err
	}
	if err := p.wait(ctx); err != nil {
		return err
	}
	return e.checkLength(ctx, topic, partitions, partitions*each)
}
