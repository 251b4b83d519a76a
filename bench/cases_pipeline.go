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
func copiers(ctx context.Context, l *lab) ([]contender, error) {
	const parts = 8
	n := l.messages(200_000)
	source, err := l.topic(ctx, parts, n, "")
	if err != nil {
		return nil, err
	}
	single, err := l.topic(ctx, 1, n, "")
	if err != nil {
		return nil, err
	}
	rival := func(name string, sources []string, input, output string) contender {
		return contender{name, func(ctx context.Context, l *lab) (sample, error) {
			target, group := l.name("topic"), l.name("group")
			s, err := l.flow(ctx, l.bento, rivalReader(group, sources, input)+changeBody+fmt.Sprintf(`
output: {redis_streams: {url: $URL, stream: "%s", body_key: body %s}}
`, stream(target, 0), output), n, false)
			if err != nil {
				return nil, err
			}
			if err := l.forget(ctx, group, sources); err != nil {
				return nil, err
			}
			return s, l.written(ctx, target, 1, n)
		}}
	}
	return []contender{
		{rafka, func(ctx context.Context, l *lab) (sample, error) {
			target := l.name("topic")
			s, err := l.flow(ctx, l.rafka, rafkaReader(l, source)+changeBody+fmt.Sprintf(`
output: {rafka: {url: $URL, stream_name: %s, partitions: %d, key: "${! @rafka_key }", max_in_flight: 64}}
`, target, parts), n, false)
			if err != nil {
				return nil, err
			}
			return s, l.written(ctx, target, parts, n)
		}},
		rival(rivalPlain, streams(single, 1), "", ""),
		rival(rivalWide, streams(source, parts), "limit: 1000", ", batching: {count: 500, period: 10ms}"),
	}, nil
}

// written checks that n entries are in a topic, and removes it.
func (l *lab) written(ctx context.Context, topic string, partitions, n int) error {
	err := l.expect(ctx, topic, partitions, n)
	l.redis.Unlink(ctx, streams(topic, partitions)...)
	return err
}

// The quantiles of times.
const (
	p50 = "p50 ms"
	p99 = "p99 ms"
)

// latencies write the time into messages, one a millisecond, and note how long ago that was when
// they are read.
func latencies(_ context.Context, l *lab) ([]contender, error) {
	ours := func(parts int) contender {
		return contender{
			fmt.Sprintf("rafka, %d partition%s", parts, plural(parts)),
			func(ctx context.Context, l *lab) (sample, error) {
				topic := l.name("topic")
				return l.latency(ctx, l.rafka, rafkaReader(l, topic), fmt.Sprintf(`
output: {rafka: {url: $URL, stream_name: %s, partitions: %d, key: "${! counter() %% 1000 }", max_in_flight: 64}}
`, topic, parts))
			},
		}
	}
	return []contender{
		ours(1),
		{rivalPlain, func(ctx context.Context, l *lab) (sample, error) {
			topic := l.name("topic")
			return l.latency(ctx, l.bento, rivalReader(l.name("group"), streams(topic, 1), ""), fmt.Sprintf(`
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

// latency runs a writer and a reader of the same binary for 20 seconds and leaves out what was
// written in the first two.
func (l *lab) latency(ctx context.Context, binary, input, output string) (sample, error) {
	const perSecond, warm = 1000, 2000
	n := l.messages(20 * perSecond)
	file := filepath.Join(l.dir, l.name("times"))
	defer os.Remove(file)
	writer, err := l.start(binary, fmt.Sprintf(`
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
	reader, err := l.start(binary, input+fmt.Sprintf(`
pipeline:
  processors:
    - mapping: 'root = timestamp_unix_nano() - content().string().split(" ").index(0).int64()'
output: {file: {path: %s, codec: lines}}
`, file))
	if err != nil {
		return nil, err
	}
	defer reader.kill()
	if _, _, err := l.follow(ctx, reader, "output_sent", n); err != nil {
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
		return nil, fmt.Errorf("%d times were noted of %d", len(times), n)
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

// Shares of one core.
const (
	clientShare = "client % of a core"
	serverShare = "server % of a core"
)

// idlers read topics without messages.
func idlers(ctx context.Context, l *lab) ([]contender, error) {
	var contenders []contender
	contenders = append(
		contenders,
		contender{"none", func(ctx context.Context, l *lab) (sample, error) { return l.idle(ctx, "") }},
	)
	for _, parts := range []int{64, 1000} {
		topic, err := l.topic(ctx, parts, 1000, "") // a message makes each stream, as in real life
		if err != nil {
			return nil, err
		}
		contenders = append(
			contenders,
			contender{fmt.Sprintf("%d partitions", parts), func(ctx context.Context, l *lab) (sample, error) {
				return l.idle(ctx, rafkaReader(l, topic)+drop)
			}},
		)
	}
	return contenders, nil
}

// idle lets a config run for a while before it measures what it uses. Without a config it measures
// the server alone.
func (l *lab) idle(ctx context.Context, config string) (sample, error) {
	pid := 0
	if config != "" {
		p, err := l.start(l.rafka, config)
		if err != nil {
			return nil, err
		}
		defer p.kill()
		pid = p.cmd.Process.Pid
		if err := pause(ctx, 3*time.Second); err != nil {
			return nil, err
		}
	}
	look := func() (client, server usage, err error) {
		if pid != 0 {
			if client, err = usageOf(pid); err != nil {
				return client, server, err
			}
		}
		server, err = usageOf(l.server.PID())
		return client, server, err
	}
	client, server, err := look()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := pause(ctx, time.Duration(20*l.scale*float64(time.Second))); err != nil {
		return nil, err
	}
	clientNow, serverNow, err := look()
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

// hoarders read backlogs into a pipeline that is slower than Redis, so that they hold as much as
// they may.
func hoarders(ctx context.Context, l *lab) ([]contender, error) {
	hoard := func(name, topic string) contender {
		return contender{name, func(ctx context.Context, l *lab) (sample, error) {
			p, err := l.start(
				l.rafka,
				rafkaReader(l, topic)+"pipeline: {threads: 2, processors: [{sleep: {duration: 1ms}}]}\n"+drop,
			)
			if err != nil {
				return nil, err
			}
			defer p.kill()
			if err := pause(ctx, time.Duration(15*l.scale*float64(time.Second))); err != nil {
				return nil, err
			}
			used, err := usageOf(p.cmd.Process.Pid)
			return sample{resident: used.peak}, err
		}}
	}
	many, err := l.topic(ctx, 64, l.messages(1_000_000), "")
	if err != nil {
		return nil, err
	}
	large := l.name("topic")
	if err := l.fillLarge(ctx, large, 256, 4); err != nil {
		return nil, err
	}
	return []contender{hoard("64 partitions, 1,000,000 messages", many), hoard("256 partitions of 1 MB", large)}, nil
}

// fillLarge writes some entries of 1 MB to each partition of a new topic.
func (l *lab) fillLarge(ctx context.Context, topic string, partitions, each int) error {
	p, err := l.start(l.rafka, fmt.Sprintf(`
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
	return l.expect(ctx, topic, partitions, partitions*each)
}
