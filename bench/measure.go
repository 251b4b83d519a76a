package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sample is what one run of a contender gave: values by the name of what was measured.
type sample map[string]float64

// What is measured. All but rates are better when lower.
const (
	rate      = "messages/s"
	clientCPU = "client µs/message"
	serverCPU = "server µs/message"
	resident  = "peak MB"
)

// pollPeriod is how often a counter is read. The rate is taken between two readings, so a longer
// period does not falsify it.
const pollPeriod = 50 * time.Millisecond

// errEnded is what follow says of a process that is gone.
var errEnded = errors.New("the process ended")

// reading is the state of a run at one moment.
type reading struct {
	at             time.Time
	count          float64
	client, server usage
}

func (l *lab) read(p *process, metric string) (r reading, err error) {
	if r.count, err = p.count(metric); err != nil {
		return r, err
	}
	r.at = time.Now()
	if r.client, err = usageOf(p.cmd.Process.Pid); err != nil {
		return r, err
	}
	r.server, err = usageOf(l.server.PID())
	return r, err
}

// flow runs a config until output_sent shows n messages, or until it ends by itself if that is what
// its input does, and measures between the first and the last reading. It fails when more than n
// were seen, or if the process ended otherwise.
func (l *lab) flow(ctx context.Context, binary, config string, n int, ends bool) (sample, error) {
	p, err := l.start(binary, config)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	first, last, err := l.follow(ctx, p, "output_sent", n)
	if ends && errors.Is(err, errEnded) && p.err == nil {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, p.output.String())
	}
	if err := p.stop(); err != nil {
		return nil, err
	}
	done := last.count - first.count
	if done <= 0 {
		return nil, fmt.Errorf("all %d messages came between two readings: there must be more of them", n)
	}
	return sample{
		rate:      done / last.at.Sub(first.at).Seconds(),
		clientCPU: (last.client.cpu - first.client.cpu).Seconds() * 1e6 / done,
		serverCPU: (last.server.cpu - first.server.cpu).Seconds() * 1e6 / done,
		resident:  last.client.peak,
	}, nil
}

// follow returns the first reading that shows messages and the last one before all were there: the
// time of the very last message falls between two readings.
func (l *lab) follow(ctx context.Context, p *process, metric string, n int) (first, last reading, err error) {
	deadline := time.Now().Add(5 * time.Minute)
	for tick := time.NewTicker(pollPeriod); ; {
		r, err := l.read(p, metric)
		switch {
		case err != nil: // it does not listen yet, or not any more: then it ends
		case r.count > float64(n):
			return first, last, fmt.Errorf("%.0f messages came of %d", r.count, n)
		case r.count == float64(n):
			return first, last, nil
		case first.count == 0:
			first = r
		default:
			last = r
		}
		select {
		case <-tick.C:
		case <-p.done:
			return first, last, fmt.Errorf("%w after %.0f messages: %w", errEnded, last.count, cmp.Or(p.err, io.EOF))
		case <-ctx.Done():
			return first, last, ctx.Err()
		}
		if time.Now().After(deadline) {
			return first, last, fmt.Errorf("%.0f of %d messages after 5 minutes", last.count, n)
		}
	}
}

// limit runs the command limits.
func (l *lab) limit(ctx context.Context, mode string, flags ...string) (sample, error) {
	before, err := usageOf(l.server.PID())
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, l.limits, append(append([]string{"-url", l.server.URL()}, flags...), mode)...)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mode, err)
	}
	after, err := usageOf(l.server.PID())
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(out))
	value, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return nil, err
	}
	return sample{
		rate:      value,
		clientCPU: (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() * 1e6 / n,
		serverCPU: (after.cpu - before.cpu).Seconds() * 1e6 / n,
	}, nil
}

func median(values []float64) float64 { return quantile(values, 0.5) }

// quantile is by the nearest rank; of an even number the median is the mean of the two in the
// middle.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); q == 0.5 && n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
