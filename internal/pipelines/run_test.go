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

// stage is what all runs share: a server.
type stage struct {
	client *redis.Client
	url    string
	runs   atomic.Int64
	tally  *tally
	// proxies are those that no run uses: a run whose plan has outages reaches the server through
	// one.
	proxies chan *redistest.Proxy
}

func newStage(t *testing.T) *stage {
	t.Helper()
	server := redistest.Start(t)
	s := &stage{
		client:  server.Client(t),
		url:     server.URL(),
		tally:   newTally(),
		proxies: make(chan *redistest.Proxy, *atOnce),
	}
	for range *atOnce {
		s.proxies <- redistest.StartProxy(t, server.Addr())
	}
	return s
}

// verdict is what is wrong with a run.
type verdict struct {
	// kind is lost, stuck or order; what says more.
	kind, what string
	run        *run
}

// run is one play of a plan. Its streams come one after the other.
type run struct {
	*stage
	plan    *plan
	name    string
	world   *world
	journal *logtest.Journal
	stops   []stop           // those that are to come
	outages []outage         // likewise
	proxy   *redistest.Proxy // nil unless the plan has outages
	streams int
	// left is how many messages were not committed, and writes how many were written, when one of
	// them changed last.
	left, writes int
	began, moved time.Time
}

const (
	// patience is how long a run may stand still.
	patience = 40 * time.Second
	// longestRun is how long it may take while it moves. Those that nothing is wrong with take less
	// than a second.
	longestRun = 3 * time.Minute
	// shortestIdle is how long an input waits for messages before it ends. An input that can't join
	// its group so soon, on a busy machine, has longer in the next stream.
	shortestIdle = 200 * time.Millisecond
	// doomedFor is how long a stream is left with a message that it can't get rid of.
	doomedFor = 400 * time.Millisecond
	// lookEvery is how often the committed offsets are looked at.
	lookEvery = 15 * time.Millisecond
	// mostStreams is how often a run may begin again because its input has ended.
	mostStreams = 60
)

// play runs a plan and returns what is wrong, nil if nothing is. The error is that of a run that
// can't be judged.
func (s *stage) play(ctx context.Context, p *plan) (*verdict, error) {
	r := &run{
		stage:   s,
		plan:    p,
		name:    fmt.Sprintf("run%d", s.runs.Add(1)),
		world:   newWorld(p, s.tally),
		journal: &logtest.Journal{},
		stops:   p.stops,
		outages: p.outages,
		began:   time.Now(),
		moved:   time.Now(),
	}
	if len(p.outages) > 0 {
		r.proxy = <-s.proxies
		defer func() { s.proxies <- r.proxy }()
	}
	worlds.Store(r.name, r.world)
	defer worlds.Delete(r.name)
	if err := r.fill(ctx); err != nil {
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
			return nil, r.clean(ctx)
		case r.streams > mostStreams:
			return nil, errors.New("the input ended again and again")
		}
	}
}

// yaml is the configuration of the stream.
func (r *run) yaml() string {
	url := r.url
	if r.proxy != nil {
		url = r.proxy.URL()
	}
	return r.plan.yaml(r.name, url, shortestIdle*time.Duration(r.streams))
}

// fill writes the messages.
func (r *run) fill(ctx context.Context) error {
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
			r.world.messages = append(r.world.messages, message{topic: i, partition: partition, key: key})
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
		if r.world.messages[n].offset, err = splits.ParseOffset(id.Val()); err != nil {
			return err
		}
	}
	return nil
}

// stream runs the pipeline once: until everything is committed, the next stop, or its own end.
func (r *run) stream(ctx context.Context) (over bool, v *verdict, err error) {
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
	go func() { ended <- s.Run(context.WithoutCancel(ctx)) }() // halt waits for it
	hard, over, v, err := r.watch(ctx, ended)
	if r.proxy != nil {
		r.proxy.Pass() // an outage that goes on would only delay the end
	}
	if stopErr := halt(s, ended, hard || v != nil); stopErr != nil && err == nil && v == nil {
		err = stopErr
	}
	if v == nil && err == nil {
		over, v, err = r.judge(ctx, over)
	}
	return over, v, err
}

// Times that a stream has to stop. What the engine is given less than 4/3 of a second for is a hard
// stop at once. A broker that fails again and again waits up to three seconds between its attempts,
// and a graceful stop waits for it; once three quarters of the time have passed it becomes a hard
// stop, which not all outputs survive.
const (
	hardStop     = 1300 * time.Millisecond
	gracefulStop = time.Minute
)

// halt stops a stream that may have ended by itself, and waits for its end.
func halt(s *service.Stream, ended chan error, hard bool) error {
	within := gracefulStop
	if hard {
		within = hardStop
	}
	err := s.StopWithin(within)
	for notYet := 0; err != nil && strings.Contains(err.Error(), "has not been run yet") && notYet < 10000; notYet++ {
		// the goroutine that runs it has not got that far, and the engine says nothing when it has
		time.Sleep(time.Millisecond)
		err = s.StopWithin(within)
	}
	if err != nil { // the machine is slow, or something hangs
		err = s.StopWithin(gracefulStop)
	}
	if err != nil {
		stacks := make([]byte, 1<<24)
		file := filepath.Join(os.TempDir(), fmt.Sprintf("pipelines-%d.stacks", os.Getpid()))
		err = errors.Join(err, os.WriteFile(file, stacks[:runtime.Stack(stacks, true)], 0o600))
		return fmt.Errorf("the stream does not stop, the stacks are in %s: %w", file, err)
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(gracefulStop):
		return errors.New("the stream has stopped and still runs")
	}
}

// clean removes the streams of a run that is over, so that the server stays small.
func (r *run) clean(ctx context.Context) error {
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
