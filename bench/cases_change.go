package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The durations of joining and leaving.
const (
	joinP50, joinP99   = "join p50 ms", "join p99 ms"
	leaveP50, leaveP99 = "leave p50 ms", "leave p99 ms"
)

const changeParts = 64

// changes measures a member that joins and leaves while another one stays.
func changes(context.Context, *environment) ([]contender, error) {
	of := func(name string, perSecond int) contender {
		return contender{
			name,
			func(ctx context.Context, e *environment) (sample, error) { return e.change(ctx, perSecond) },
		}
	}
	return []contender{of("quiet", 1000), of("20,000 messages/s", 20_000)}, nil
}

// delivery is a message that a member handed out.
type delivery struct {
	at        time.Time
	partition int
}

// deliveries collects the output of a member.
type deliveries struct {
	mu     sync.Mutex
	all    []delivery
	signal chan struct{} // capacity 1: there are new deliveries
}

const printDelivery = `
pipeline:
  processors:
    - mapping: 'root = "%v %v".format(timestamp_unix_nano(), @rafka_partition)'
output: {stdout: {}}
`

// member starts a reader of the topic, and collects its output.
func (e *environment) member(topic, group string) (*process, *deliveries, error) {
	p, err := e.command(e.rafka, fmt.Sprintf(`
input: {rafka: {url: $URL, stream_name: %s, consumer_group: %s, start_offset: latest}}
`, topic, group)+printDelivery)
	if err != nil {
		return nil, nil, err
	}
	w := &deliveries{signal: make(chan struct{}, 1)}
	p.cmd.Stdout = &lineWriter{line: w.add}
	return p, w, p.begin()
}

func (w *deliveries) add(line string) {
	nanos, partition, ok := strings.Cut(line, " ")
	n, err := strconv.ParseInt(nanos, 10, 64)
	p, err2 := strconv.Atoi(partition)
	if !ok || err != nil || err2 != nil {
		return // a log line
	}
	w.mu.Lock()
	w.all = append(w.all, delivery{time.Unix(0, n), p})
	w.mu.Unlock()
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// await returns the first delivery that is wanted.
func (w *deliveries) await(ctx context.Context, wanted func(delivery) bool) (delivery, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for looked := 0; ; {
		w.mu.Lock()
		fresh := w.all[looked:]
		looked = len(w.all)
		w.mu.Unlock()
		for _, s := range fresh {
			if wanted(s) {
				return s, nil
			}
		}
		select {
		case <-w.signal:
		case <-ctx.Done():
			return delivery{}, errors.New("no message was read within 30 s")
		}
	}
}

// partitions returns the partitions of the deliveries.
func (w *deliveries) partitions() map[int]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	partitions := map[int]bool{}
	for _, s := range w.all {
		partitions[s.partition] = true
	}
	return partitions
}

// clear drops all deliveries.
func (w *deliveries) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = nil
}

// lineWriter calls line with each line that is written to it.
type lineWriter struct {
	line func(string)
	rest string
}

var _ io.Writer = (*lineWriter)(nil)

func (w *lineWriter) Write(p []byte) (int, error) {
	lines := strings.Split(w.rest+string(p), "\n")
	w.rest = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		w.line(line)
	}
	return len(p), nil
}

// change measures ten times how long it takes from the start of a process to its first message, and
// from its SIGTERM to the first message of its partitions on the other member.
func (e *environment) change(ctx context.Context, perSecond int) (sample, error) {
	topic, group := e.name("topic"), e.name("group")
	writer, err := e.start(e.rafka, fmt.Sprintf(`
input:
  generate:
    interval: 1ms
    batch_size: %d
    mapping: 'root = "%s"'
output: {rafka: {url: $URL, stream_name: %s, partitions: %d, partitioner: round_robin}}
`, perSecond/1000, strings.Repeat("x", 256), topic, changeParts))
	if err != nil {
		return nil, err
	}
	defer writer.kill()
	stayer, remaining, err := e.member(topic, group)
	if err != nil {
		return nil, err
	}
	defer stayer.kill()
	if _, err := remaining.await(ctx, func(delivery) bool { return true }); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stayer.output.String())
	}
	var joins, leaves []float64
	for range max(int(10*e.scale), 1) {
		began := time.Now()
		joining, joined, err := e.member(topic, group)
		if err != nil {
			return nil, err
		}
		first, err := joined.await(ctx, func(delivery) bool { return true })
		if err != nil {
			joining.kill()
			return nil, fmt.Errorf("%w\n%s", err, joining.output.String())
		}
		joins = append(joins, first.at.Sub(began).Seconds()*1000)
		if err := pause(ctx, time.Second); err != nil { // until the group is stable
			joining.kill()
			return nil, err
		}
		moved := joined.partitions()
		remaining.clear()
		left := time.Now()
		if err := joining.stop(); err != nil {
			return nil, err
		}
		next, err := remaining.await(ctx, func(s delivery) bool { return s.at.After(left) && moved[s.partition] })
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, next.at.Sub(left).Seconds()*1000)
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return sample{
		joinP50: quantile(joins, 0.5), joinP99: quantile(joins, 0.99),
		leaveP50: quantile(leaves, 0.5), leaveP99: quantile(leaves, 0.99),
	}, nil
}
