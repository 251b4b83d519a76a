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

// sample is the result of one run of a contender: values by name.
type sample map[string]float64

// Names of values. Lower is better, except for rates.
const (
	rate      = "messages/s"
	clientCPU = "client µs/message"
	serverCPU = "server µs/message"
	resident  = "peak MB"
)

// pollPeriod is how often a counter is read. The rate is computed between two readings, so a longer
// period does not distort it.
const pollPeriod = 50 * time.Millisecond

// errEnded is returned by awaitCount if the process has ended.
var errEnded = errors.New("the process ended")

// reading is the state of a run at one moment.
type reading struct {
	at             time.Time
	count          float64
	client, server usage
}

func (e *environment) read(p *process, metric string) (r reading, err error) {
	if r.count, err = p.count(metric); err != nil {
		return r, err
	}
	r.at = time.Now()
	if r.client, err = usageOf(p.cmd.Process.Pid); err != nil {
		return r, err
	}
	r.server, err = usageOf(e.server.PID())
	return r, err
}

// measureFlow runs a configuration until output_sent is n, or until the process ends if its input
// does, and measures between the first and the last reading. It fails if output_sent exceeds n, or
// if the process ends otherwise.
func (e *environment) measureFlow(ctx context.Context, binary, config string, n int, ends bool) (sample, error) {
	p, err := e.start(binary, config)
	if err != nil {
		return nil, err
	}
	defer p.kill()
	first, last, err := e.awaitCount(ctx, p, "output_sent", n)
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
		return nil, fmt.Errorf("all %d messages were sent between two readings: increase SCALE", n)
	}
	return sample{
		rate:      done / last.at.Sub(first.at).Seconds(),
		clientCPU: (last.client.cpu - first.client.cpu).Seconds() * 1e6 / done,
		serverCPU: (last.server.cpu - first.server.cpu).Seconds() * 1e6 / done,
		resident:  last.client.peak,
	}, nil
}

// awaitCount returns the first reading with messages and the last one before the counter was n: the
// last message itself falls between two readings.
func (e *environment) awaitCount(
	ctx context.Context,
	p *process,
	metric string,
	n int,
) (first, last reading, err error) {
	deadline := time.Now().Add(5 * time.Minute)
	for tick := time.NewTicker(pollPeriod); ; {
		r, err := e.read(p, metric)
		switch {
		case err != nil: // the process does not listen yet, or has ended
		case r.count > float64(n):
			return first, last, fmt.Errorf("%.0f messages were sent instead of %d", r.count, n)
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
func (e *environment) limit(ctx context.Context, mode string, flags ...string) (sample, error) {
	before, err := usageOf(e.server.PID())
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, e.limits, append(append([]string{"-url", e.server.URL()}, flags...), mode)...)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", mode, err)
	}
	after, err := usageOf(e.server.PID())
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

// quantile returns the nearest rank; the median of an even number of values is the mean of the
// middle two.
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
