package output

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// pipeline is a stream in the real engine that writes to a rafka output.
type pipeline struct {
	send    service.MessageBatchHandlerFunc
	journal *journal
	metrics *logtest.Counters
	within  time.Duration // the time limit for its stop; a disconnected output needs most of it
}

func startPipeline(t *testing.T, server *redistest.Server, fields string) *pipeline {
	t.Helper()
	p := &pipeline{journal: &journal{}, metrics: &logtest.Counters{}, within: time.Minute}
	env, err := p.metrics.Environment()
	require.NoError(t, err)
	builder := env.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(p.journal, nil)))
	require.NoError(t, builder.SetMetricsYAML("recorder: {}"))
	send, err := builder.AddBatchProducerFunc()
	require.NoError(t, err)
	p.send = send
	require.NoError(t, builder.AddOutputYAML("rafka:\n"+indent(yamlFor(server, "stream_name: orders\n"+fields))))
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }() // ended by StopWithin
	t.Cleanup(func() {
		require.NoError(t, stream.StopWithin(p.within))
		require.NoError(t, <-ended)
	})
	return p
}

func TestPipelineSurvivesKilledRedis(t *testing.T) {
	server := redistest.Start(t, durable...)
	p := startPipeline(t, server, "partitions: 4\nkey: ${! @id }\nmax_in_flight: 1")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var outage sync.WaitGroup
	for b := range 80 {
		if b == 20 {
			outage.Go(func() {
				server.Kill(t)
				// The engine's /ready reports that the output is not connected.
				lost := func() bool { return p.metrics.Get("output_connection_lost") > 0 }
				assert.Eventually(t, lost, time.Minute, 10*time.Millisecond)
				server.Restart(t)
			})
		}
		require.NoError(t, p.send(ctx, numbered(10*b, 10*b+10, 10)))
	}
	outage.Wait()
	collect(t, server.Client(t), 4, 800, 10, true)
	assert.Empty(t, p.journal.Lines("Failed to send"), "no message was returned to the input")
	retries := int64(0)
	for n := range 4 {
		retries += p.metrics.Get(fmt.Sprintf("rafka_append_retries_total topic=orders partition=%d", n))
	}
	assert.Positive(t, retries)
}

// onceInput returns one batch, and reports how it was acknowledged.
type onceInput struct {
	batch service.MessageBatch
	acked chan error
}

func (*onceInput) Connect(context.Context) error { return nil }

func (i *onceInput) ReadBatch(context.Context) (service.MessageBatch, service.AckFunc, error) {
	batch := i.batch
	if i.batch = nil; batch == nil {
		return nil, nil, service.ErrEndOfInput
	}
	return batch, func(_ context.Context, err error) error { i.acked <- err; return nil }, nil
}

func (*onceInput) Close(context.Context) error { return nil }

func TestPipelineReturnsOnlyTheBadMessages(t *testing.T) {
	server := redistest.Start(t)
	batch := service.MessageBatch{message("a", "p", "0"), message("b", "p", "9"), message("c", "p", "1")}
	index := batch.Index()
	input := &onceInput{batch: batch, acked: make(chan error, 1)}
	env := service.GlobalEnvironment().Clone()
	require.NoError(t, env.RegisterBatchInput("once", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Resources) (service.BatchInput, error) { return input, nil }))
	builder := env.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.DiscardHandler))
	require.NoError(t, builder.AddInputYAML("once: {}"))
	require.NoError(t, builder.AddOutputYAML("rafka:\n"+indent("url: "+server.URL()+
		"\nstream_name: orders\npartitions: 2\npartitioner: manual\npartition: ${! @p }")))
	stream, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))

	failed := failures(t, index, <-input.acked)
	require.Len(t, failed, 1)
	assert.ErrorContains(t, failed[1], "partitions 0 to 1")
	assert.Equal(t, []string{"a"}, bodies(t, server.Client(t), "orders:0"))
	assert.Equal(t, []string{"c"}, bodies(t, server.Client(t), "orders:1"))
}

// If Connect succeeds but WriteBatch returns ErrNotConnected, the engine calls both in a loop
// without a pause, hundreds of thousands of times a second.
func TestPipelineDoesNotSpinOnWrongType(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	p := startPipeline(t, server, "")
	require.NoError(t, p.send(t.Context(), service.MessageBatch{message("a")}))
	require.NoError(t, client.Rename(t.Context(), "orders", "moved").Err())
	require.NoError(t, client.Set(t.Context(), "orders", "in the way", 0).Err())
	require.ErrorContains(t, p.send(t.Context(), service.MessageBatch{message("b")}), "WRONGTYPE")

	result := make(chan error, 1)
	go func() { result <- p.send(t.Context(), service.MessageBatch{message("b")}) }() // joined below
	before := calls(t, server)
	select {
	case err := <-result:
		t.Fatalf("a write over another type ended with %v", err)
	case <-time.After(2 * time.Second):
	}
	assert.Less(t, calls(t, server)-before, 200)
	assert.LessOrEqual(t, len(p.journal.Lines("Failed to connect")), 4)
	require.NoError(t, client.Del(t.Context(), "orders").Err())
	require.NoError(t, <-result)
	assert.Equal(t, []string{"b"}, bodies(t, client, "orders"))
}

// calls returns the number of commands that the server has processed.
func calls(t *testing.T, server *redistest.Server) int {
	t.Helper()
	info, err := server.Client(t).Info(t.Context(), "stats").Result()
	require.NoError(t, err)
	_, rest, found := strings.Cut(info, "total_commands_processed:")
	require.True(t, found)
	return number(rest)
}

func TestPipelineStopsDuringAnOutage(t *testing.T) {
	server := redistest.Start(t)
	p := startPipeline(t, server, "")
	p.within = 8 * time.Second
	require.NoError(t, p.send(t.Context(), service.MessageBatch{message("a")}))
	server.Kill(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
	defer cancel()
	require.Error(t, p.send(ctx, service.MessageBatch{message("b")}))
	// The cleanup stops the stream, and requires that it ends in time.
}
