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

// The times of joining and leaving.
const (
	joinP50, joinP99   = "join p50 ms", "join p99 ms"
	leaveP50, leaveP99 = "leave p50 ms", "leave p99 ms"
)

const changeParts = 64

// changes have a member come and go beside one that stays.
func changes(context.Context, *lab) ([]contender, error) {
	of := func(name string, perSecond int) contender {
		return contender{name, func(ctx context.Context, l *lab) (sample, error) { return l.change(ctx, perSecond) }}
	}
	return []contender{of("quiet", 1000), of("20,000 messages/s", 20_000)}, nil
}

// sighting is a message that a member handed out.
type sighting struct {
	at        time.Time
	partition int
}

// watch collects what a member prints.
type watch struct {
	mu   sync.Mutex
	seen []sighting
	some chan struct{} // has a token when there is something new
}

const printSighting = `
pipeline:
  processors:
    - mapping: 'root = "%v %v".format(timestamp_unix_nano(), @rafka_partition)'
output: {stdout: {}}
`

// member starts a reader of the topic, and notes what it prints.
func (l *lab) member(topic, group string) (*process, *watch, error) {
	p, err := l.command(l.rafka, fmt.Sprintf(`
input: {rafka: {url: $URL, stream_name: %s, consumer_group: %s, start_offset: latest}}
`, topic, group)+printSighting)
	if err != nil {
		return nil, nil, err
	}
	w := &watch{some: make(chan struct{}, 1)}
	p.cmd.Stdout = &lineWriter{line: w.note}
	return p, w, p.begin()
}

func (w *watch) note(line string) {
	nanos, partition, ok := strings.Cut(line, " ")
	n, err := strconv.ParseInt(nanos, 10, 64)
	p, err2 := strconv.Atoi(partition)
	if !ok || err != nil || err2 != nil {
		return // a line of the log
	}
	w.mu.Lock()
	w.seen = append(w.seen, sighting{time.Unix(0, n), p})
	w.mu.Unlock()
	select {
	case w.some <- struct{}{}:
	default:
	}
}

// await returns the first sighting that is wanted.
func (w *watch) await(ctx context.Context, wanted func(sighting) bool) (sighting, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for looked := 0; ; {
		w.mu.Lock()
		fresh := w.seen[looked:]
		looked = len(w.seen)
		w.mu.Unlock()
		for _, s := range fresh {
			if wanted(s) {
				return s, nil
			}
		}
		select {
		case <-w.some:
		case <-ctx.Done():
			return sighting{}, errors.New("no message came within 30 s")
		}
	}
}

// of returns the partitions that were seen.
func (w *watch) of() map[int]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	partitions := map[int]bool{}
	for _, s := range w.seen {
		partitions[s.partition] = true
	}
	return partitions
}

// clear forgets what was seen.
func (w *watch) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = nil
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
// from its SIGTERM to the first message of its partitions elsewhere.
func (l *lab) change(ctx context.Context, perSecond int) (sample, error) {
	topic, group := l.name("topic"), l.name("group")
	writer, err := l.start(l.rafka, fmt.Sprintf(`
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
	stays, heir, err := l.member(topic, group)
	if err != nil {
		return nil, err
	}
	defer stays.kill()
	if _, err := heir.await(ctx, func(sighting) bool { return true }); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, stays.output.String())
	}
	var joins, leaves []float64
	for range max(int(10*l.scale), 1) {
		began := time.Now()
		comes, guest, err := l.member(topic, group)
		if err != nil {
			return nil, err
		}
		first, err := guest.await(ctx, func(sighting) bool { return true })
		if err != nil {
			comes.kill()
			return nil, fmt.Errorf("%w\n%s", err, comes.output.String())
		}
		joins = append(joins, first.at.Sub(began).Seconds()*1000)
		if err := pause(ctx, time.Second); err != nil { // until the change has settled
			comes.kill()
			return nil, err
		}
		moved := guest.of()
		heir.clear()
		left := time.Now()
		if err := comes.stop(); err != nil {
			return nil, err
		}
		next, err := heir.await(ctx, func(s sighting) bool { return s.at.After(left) && moved[s.partition] })
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
