package pipelines

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// harness is what all runs share: a server.
type harness struct {
	client *redis.Client
	url    string
	runs   atomic.Int64
	counts *counts
	// proxies are the unused proxies. A run whose plan has outages connects to the server through
	// one.
	proxies chan *redistest.Proxy
}

func newHarness(t *testing.T) *harness {
	t.Helper()
	server := redistest.Start(t)
	s := &harness{
		client:  server.Client(t),
		url:     server.URL(),
		counts:  newCounts(),
		proxies: make(chan *redistest.Proxy, *atOnce),
	}
	for range *atOnce {
		s.proxies <- redistest.StartProxy(t, server.Addr())
	}
	return s
}

// violation is what is wrong with a run.
type violation struct {
	// kind is lost, stuck or order; what has the details.
	kind, what string
	run        *run
}

// run is one execution of a plan. Its streams run one after the other.
type run struct {
	*harness
	plan    *plan
	name    string
	results *results
	journal *logtest.Journal
	stops   []stop           // remaining stops
	outages []outage         // remaining outages
	proxy   *redistest.Proxy // nil unless the plan has outages
	streams int
	// left is the number of messages not committed, and writes the number of writes, when one of
	// them last changed.
	left, writes      int
	began, progressAt time.Time
}

const (
	// idleLimit is how long a run can make no progress.
	idleLimit = 2 * time.Minute
	// runLimit is how long a run can take in all. Without a violation a run takes less than a
	// second.
	runLimit = 6 * time.Minute
	// minIdle is how long an input waits for messages before it ends. If that is too short to join
	// the group, on a busy machine, the input has more time in the next stream.
	minIdle = 200 * time.Millisecond
	// blockedFor is how long a stream with a message that always fails runs.
	blockedFor = 400 * time.Millisecond
	// checkEvery is how often the commits are checked.
	checkEvery = 15 * time.Millisecond
	// maxStreams is how often a run can restart because its input has ended.
	maxStreams = 60
)

// execute runs a plan and returns its violation, nil if there is none. It returns an error if the
// run can't be checked.
func (s *harness) execute(ctx context.Context, p *plan) (*violation, error) {
	r := &run{
		harness:    s,
		plan:       p,
		name:       fmt.Sprintf("run%d", s.runs.Add(1)),
		results:    newResults(p, s.counts),
		journal:    &logtest.Journal{},
		stops:      p.stops,
		outages:    p.outages,
		began:      time.Now(),
		progressAt: time.Now(),
	}
	if len(p.outages) > 0 {
		r.proxy = <-s.proxies
		defer func() { s.proxies <- r.proxy }()
	}
	allResults.Store(r.name, r.results)
	defer allResults.Delete(r.name)
	if err := r.writeMessages(ctx); err != nil {
		return nil, fmt.Errorf("filling the topics: %w", err)
	}
	for {
		over, v, err := r.stream(ctx)
		switch {
		case err != nil:
			return nil, err
		case v != nil:
			v.run = r
			return v, nil
		case over:
			r.countGroups()
			return nil, r.deleteKeys(ctx)
		case r.streams > maxStreams:
			return nil, errors.New("the input ended too often")
		}
	}
}

// countGroups counts the groups of a completed run by their types.
func (r *run) countGroups() {
	_, failures := r.results.progress()
	for _, t := range r.plan.topics {
		kind := "consumer group"
		if t.share {
			kind = "share group"
		}
		r.counts.count("group", kind)
		if failures > 0 {
			r.counts.count("group", kind+" with failures")
		}
	}
}

// yaml returns the configuration of the stream.
func (r *run) yaml() string {
	url := r.url
	if r.proxy != nil {
		url = r.proxy.URL()
	}
	return r.plan.yaml(r.name, url, minIdle*time.Duration(r.streams))
}

// writeMessages writes the messages.
func (r *run) writeMessages(ctx context.Context) error {
	topics := broker.NewTopics(r.client)
	pipe := r.client.Pipeline()
	var added []*redis.StringCmd
	for i, t := range r.plan.topics {
		name := fmt.Sprintf("%s-t%d", r.name, i)
		if _, _, err := topics.Create(ctx, name, t.partitions); err != nil {
			return err
		}
		for n := t.first; n < t.first+t.count; n++ {
			key := r.plan.key(n)
			partition := n % t.partitions
			values := []any{"body", r.plan.body(n)}
			if key != "" {
				partition = int(key[1]-'0') % t.partitions
				values = append(values, broker.KeyField, key)
			}
			r.results.messages = append(r.results.messages, message{topic: i, partition: partition, key: key})
			added = append(
				added,
				pipe.XAdd(ctx, &redis.XAddArgs{Stream: fmt.Sprintf("%s:%d", name, partition), Values: values}),
			)
		}
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return err
	}
	for n, id := range added {
		var err error
		if r.results.messages[n].offset, err = splits.ParseOffset(id.Val()); err != nil {
			return err
		}
	}
	return nil
}

// stream runs the pipeline once: until everything is committed, until the next stop, or until it
// ends.
func (r *run) stream(ctx context.Context) (over bool, v *violation, err error) {
	r.streams++
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(r.journal, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err := builder.SetYAML(r.yaml()); err != nil {
		return false, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	s, err := builder.Build()
	if err != nil {
		return false, nil, fmt.Errorf("building the stream: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(context.WithoutCancel(ctx)) }() // stopStream waits for it
	hard, over, v, err := r.awaitStop(ctx, ended)
	if r.proxy != nil {
		r.proxy.Pass() // a continuing outage would only delay the end
	}
	if stopErr := stopStream(s, ended, hard || v != nil); stopErr != nil && err == nil && v == nil {
		err = stopErr
	}
	if v == nil && err == nil {
		over, v, err = r.checkStopped(ctx, over)
	}
	return over, v, err
}

// How long a stream can take to stop. For the engine, less than 4/3 of a second is an immediate
// hard stop. A broker that keeps failing waits up to three seconds between its attempts, and a
// graceful stop waits for it; after three quarters of the time it becomes a hard stop, which not
// all outputs survive.
const (
	hardStop     = 1300 * time.Millisecond
	gracefulStop = time.Minute
)

// stopStream stops a stream, which may have ended already, and waits for its end.
func stopStream(s *service.Stream, ended chan error, hard bool) error {
	within := gracefulStop
	if hard {
		within = hardStop
	}
	err := s.StopWithin(within)
	for notYet := 0; err != nil && strings.Contains(err.Error(), "has not been run yet") && notYet < 10000; notYet++ {
		// the goroutine that runs it has not started it, and the engine gives no signal when it has
		time.Sleep(time.Millisecond)
		err = s.StopWithin(within)
	}
	if err != nil { // the machine is slow, or the stream hangs
		err = s.StopWithin(gracefulStop)
	}
	if err != nil {
		stacks := make([]byte, 1<<24)
		file := filepath.Join(os.TempDir(), fmt.Sprintf("pipelines-%d.stacks", os.Getpid()))
		err = errors.Join(err, os.WriteFile(file, stacks[:runtime.Stack(stacks, true)], 0o600))
		return fmt.Errorf("the stream does not stop; the stacks are in %s: %w", file, err)
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(gracefulStop):
		return errors.New("the stream has stopped but its Run does not return")
	}
}

// deleteKeys deletes the keys of a completed run, so that the server stays small.
func (r *run) deleteKeys(ctx context.Context) error {
	var names []string
	for keys := r.client.Scan(ctx, 0, "*"+r.name+"-*", 1000).Iterator(); keys.Next(ctx); {
		if strings.Contains(keys.Val(), r.name+"-") {
			names = append(names, keys.Val())
		}
	}
	if len(names) == 0 {
		return nil
	}
	return r.client.Unlink(ctx, names...).Err()
}
