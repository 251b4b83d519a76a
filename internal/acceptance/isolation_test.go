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

// rejectingOutput is an output that rejects each batch with the message "bad". With hints, its
// error names that message.
type rejectingOutput struct {
	hints bool
	gate  chan struct{} // blocks the first batches until closed

	mu          sync.Mutex
	seen        map[string]int // number of deliveries of each message
	accepted    map[string]bool
	firstAt     time.Time     // when the first batch arrived
	othersAfter time.Duration // time until all other messages were accepted
	want        int
	late        int // deliveries of other messages after that
}

func (p *rejectingOutput) Connect(context.Context) error { return nil }
func (p *rejectingOutput) Close(context.Context) error   { return nil }

var errRejected = errors.New("this one is bad")

func (p *rejectingOutput) WriteBatch(_ context.Context, b service.MessageBatch) error {
	<-p.gate
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.firstAt.IsZero() {
		p.firstAt = time.Now()
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
		} else if p.othersAfter > 0 {
			p.late++
		}
	}
	switch {
	case bad < 0:
		for _, name := range names {
			p.accepted[name] = true
		}
		if len(p.accepted) == p.want && p.othersAfter == 0 {
			p.othersAfter = time.Since(p.firstAt)
		}
		return nil
	case p.hints:
		return service.NewBatchError(b, errRejected).Failed(bad, errRejected)
	}
	return errRejected
}

// attempts returns the number of deliveries of the bad message.
func (p *rejectingOutput) attempts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen["bad"]
}

func (p *rejectingOutput) done() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.othersAfter > 0
}

// duplicates returns the number of repeated deliveries of the other messages.
func (p *rejectingOutput) duplicates() (n int) {
	for name, times := range p.seen {
		if name != "bad" {
			n += times - 1
		}
	}
	return n
}

// environment returns an engine in which the output has the name picky.
func (p *rejectingOutput) environment(t *testing.T) *service.Environment {
	t.Helper()
	env := service.GlobalEnvironment().Clone()
	require.NoError(
		t,
		env.RegisterBatchOutput(
			"picky",
			service.NewConfigSpec().Field(service.NewBatchPolicyField("batching")),
			func(conf *service.ParsedConfig, _ *service.Resources) (
				out service.BatchOutput, policy service.BatchPolicy, maxInFlight int, err error,
			) {
				policy, err = conf.FieldBatchPolicy("batching")
				return p, policy, 4, err
			},
		),
	)
	return env
}

// blocked reports whether a client is blocked in a read: then everything has been read.
func blocked(t *testing.T, client *redis.Client) bool {
	t.Helper()
	info, err := client.Info(t.Context(), "clients").Result()
	require.NoError(t, err)
	return !strings.Contains(info, "blocked_clients:0")
}

// One of 500 messages always fails. All other messages are accepted soon, few of them are delivered
// twice, and after that only the bad one is delivered again.
func TestOneBadMessageDoesNotBlockOthers(t *testing.T) {
	for name, c := range map[string]struct {
		partitions    int
		hints         bool
		input, output string
		duplicates    int
		processors    string
	}{
		"ordered, with a hint": {partitions: 1, hints: true, duplicates: 499},
		"ordered, without":     {partitions: 1, duplicates: 1000},
		"unordered, with a hint": {
			partitions: 1, hints: true, input: "ordering: none", duplicates: 499,
		},
		"unordered, without":  {partitions: 1, input: "ordering: none", duplicates: 1000},
		"by key, with a hint": {partitions: 1, hints: true, input: "ordering: key", duplicates: 499},
		"by key, without":     {partitions: 1, input: "ordering: key", duplicates: 1000},
		"ordered, with wrong hints": {
			partitions: 1, hints: true, duplicates: 1500,
			processors: `[{mapping: 'root = if content() == "0-20" { deleted() }'}]`,
		},
		// The output merges the batches of four partitions and rejects all of them.
		"output batching": {partitions: 4, output: "batching: {count: 2000, period: 20ms}", duplicates: 8000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ahead := 16 / c.partitions // number of messages in the first batch of each partition
			server := redistest.Start(t)
			client := server.Client(t)
			_, _, err := broker.NewTopics(client).Create(t.Context(), "orders", c.partitions)
			require.NoError(t, err)
			out := &rejectingOutput{
				hints:    c.hints,
				gate:     make(chan struct{}),
				seen:     map[string]int{},
				accepted: map[string]bool{},
				want:     (ahead+500)*c.partitions - 1,
			}
			if c.processors != "" {
				out.want-- // one message is filtered
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
			run(t, out.environment(t), func(b *service.StreamBuilder) {
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
				"a read is blocked",
			)
			close(out.gate) // everything is buffered, and the next batch has 500 messages
			require.Eventually(t, out.done, 60*time.Second, time.Millisecond, "the other messages are accepted")
			attempts := out.attempts()
			more := func() bool { return out.attempts() >= attempts+2 }
			require.Eventually(t, more, 60*time.Second, time.Millisecond, "the bad message is delivered again")
			out.mu.Lock()
			defer out.mu.Unlock()
			t.Logf(
				"%d duplicates, the others were accepted after %s; %d late",
				out.duplicates(),
				out.othersAfter.Round(time.Millisecond),
				out.late,
			)
			assert.LessOrEqual(t, out.duplicates(), c.duplicates)
			assert.Zero(t, out.late, "after the other messages were accepted, only the bad one is delivered")
		})
	}
}
