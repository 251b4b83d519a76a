package acceptance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// picky is an output that rejects each batch with the message "bad", and names the message or not.
type picky struct {
	hints bool
	gate  chan struct{} // what comes first waits for it

	mu    sync.Mutex
	seen  map[string]int // deliveries of each message
	taken map[string]bool
	since time.Time     // when the first batch came
	rest  time.Duration // until all but the bad message had been accepted
	want  int
	late  int // deliveries of other messages after that
}

func (p *picky) Connect(context.Context) error { return nil }
func (p *picky) Close(context.Context) error   { return nil }

var errPicky = errors.New("this one is bad")

func (p *picky) WriteBatch(_ context.Context, b service.MessageBatch) error {
	<-p.gate
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.since.IsZero() {
		p.since = time.Now()
	}
	bad := -1
	var names []string
	for i, m := range b {
		body, err := m.AsBytes()
		if err != nil {
			return err
		}
		name := string(body)
		p.seen[name]++
		names = append(names, name)
		if name == "bad" {
			bad = i
		} else if p.rest > 0 {
			p.late++
		}
	}
	switch {
	case bad < 0:
		for _, name := range names {
			p.taken[name] = true
		}
		if len(p.taken) == p.want && p.rest == 0 {
			p.rest = time.Since(p.since)
		}
		return nil
	case p.hints:
		return service.NewBatchError(b, errPicky).Failed(bad, errPicky)
	}
	return errPicky
}

// attempts is how often the bad message came.
func (p *picky) attempts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen["bad"]
}

func (p *picky) done() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rest > 0
}

// duplicates is how many deliveries of other messages than the bad one were not the first.
func (p *picky) duplicates() (n int) {
	for name, times := range p.seen {
		if name != "bad" {
			n += times - 1
		}
	}
	return n
}

// environment has the output under the name picky.
func (p *picky) environment(t *testing.T) *service.Environment {
	t.Helper()
	env := service.GlobalEnvironment().Clone()
	require.NoError(
		t,
		env.RegisterBatchOutput(
			"picky",
			service.NewConfigSpec().Field(service.NewBatchPolicyField("batching")),
			func(conf *service.ParsedConfig, _ *service.Resources) (service.BatchOutput, service.BatchPolicy, int, error) {
				policy, err := conf.FieldBatchPolicy("batching")
				return p, policy, 4, err
			},
		),
	)
	return env
}

// blocked reports whether a client waits in a read: everything has been read then.
func blocked(t *testing.T, client *redis.Client) bool {
	t.Helper()
	info, err := client.Info(t.Context(), "clients").Result()
	require.NoError(t, err)
	return !strings.Contains(info, "blocked_clients:0")
}

// One message of 500 always fails. All others are accepted soon, few of them come twice, and none
// does for ever.
func TestOneBadMessageAmongFiveHundred(t *testing.T) {
	for name, c := range map[string]struct {
		partitions    int
		hints         bool
		input, output string
		duplicates    int
		processors    string
	}{
		"ordered, with a hint":   {partitions: 1, hints: true, duplicates: 499},
		"ordered, without":       {partitions: 1, duplicates: 1000},
		"unordered, with a hint": {partitions: 1, hints: true, input: "unordered_processing: {enabled: true}", duplicates: 499},
		"unordered, without":     {partitions: 1, input: "unordered_processing: {enabled: true}", duplicates: 1000},
		"ordered, with wrong hints": {
			partitions: 1, hints: true, duplicates: 1500,
			processors: `[{mapping: 'root = if content() == "0-20" { deleted() }'}]`,
		},
		// The output merges the batches of four partitions, and rejects all of them.
		"output batching": {partitions: 4, output: "batching: {count: 2000, period: 20ms}", duplicates: 8000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ahead := 16 / c.partitions // so many come in the first batch of each partition
			server := redistest.Start(t)
			client := server.Client(t)
			_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", c.partitions)
			require.NoError(t, err)
			sink := &picky{
				hints: c.hints,
				gate:  make(chan struct{}),
				seen:  map[string]int{},
				taken: map[string]bool{},
				want:  (ahead+500)*c.partitions - 1,
			}
			if c.processors != "" {
				sink.want-- // one is filtered
			}
			for p := range c.partitions {
				pipe := client.Pipeline()
				for i := range ahead + 500 {
					text := fmt.Sprintf("%d-%d", p, i)
					if p == 0 && i == ahead+250 {
						text = "bad"
					}
					pipe.XAdd(
						t.Context(),
						&redis.XAddArgs{Stream: fmt.Sprintf("orders:%d", p), Values: []string{"body", text}},
					)
				}
				_, err := pipe.Exec(t.Context())
				require.NoError(t, err)
			}
			run(t, sink.environment(t), func(b *service.StreamBuilder) {
				group := "stream_name: orders\nconsumer_group: g\nbatch_size: 500"
				require.NoError(t, b.AddInputYAML(component("url: "+server.URL(), group, c.input)))
				if c.processors != "" {
					require.NoError(t, b.AddProcessorYAML("processors: "+c.processors))
				}
				require.NoError(t, b.AddOutputYAML("picky: {"+c.output+"}"))
			})
			require.Eventually(
				t,
				func() bool { return blocked(t, client) },
				60*time.Second,
				time.Millisecond,
				"a read waits for more",
			)
			close(sink.gate) // all is read ahead, and the next batch has 500 messages
			require.Eventually(t, sink.done, 60*time.Second, time.Millisecond, "the rest passes")
			attempts := sink.attempts()
			more := func() bool { return sink.attempts() >= attempts+2 }
			require.Eventually(t, more, 60*time.Second, time.Millisecond, "the bad message comes again")
			sink.mu.Lock()
			defer sink.mu.Unlock()
			t.Logf(
				"%d duplicates, the rest had passed after %s; %d late",
				sink.duplicates(),
				sink.rest.Round(time.Millisecond),
				sink.late,
			)
			assert.LessOrEqual(t, sink.duplicates(), c.duplicates)
			assert.Zero(t, sink.late, "once the rest has passed, the bad message comes alone")
		})
	}
}
