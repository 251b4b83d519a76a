package acceptance

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// run builds a stream in the real engine and runs it until t ends or stop is called.
func run(t *testing.T, env *service.Environment, build func(b *service.StreamBuilder)) (log *journal, stop func()) {
	t.Helper()
	log = &journal{}
	builder := env.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(log, nil)))
	build(builder)
	stream, err := builder.Build()
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- stream.Run(context.Background()) }() // ended by stop
	stop = sync.OnceFunc(func() {
		assert.NoError(t, stream.StopWithin(10*time.Second))
		assert.NoError(t, <-ended)
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("the stream logged:\n%s", strings.Join(log.Lines(), ""))
		}
	})
	return log, stop
}

// component returns the YAML of a rafka input or output.
func component(fields ...string) string {
	text := "rafka:\n"
	for line := range strings.Lines(strings.Join(fields, "\n")) {
		text += "  " + strings.TrimRight(line, "\n") + "\n"
	}
	return text
}

// producer runs a stream that ends in a rafka output with these fields, and returns a function that
// sends batches to it.
func producer(
	t *testing.T,
	env *service.Environment,
	fields ...string,
) (send service.MessageBatchHandlerFunc, log *journal) {
	t.Helper()
	log, _ = run(t, env, func(b *service.StreamBuilder) {
		var err error
		send, err = b.AddBatchProducerFunc()
		require.NoError(t, err)
		require.NoError(t, b.AddOutputYAML(component(fields...)))
	})
	return send, log
}

// consumer runs a stream that starts with a rafka input with these fields and passes its batches to
// take. It returns a function that stops the stream.
func consumer(
	t *testing.T,
	env *service.Environment,
	take service.MessageBatchHandlerFunc,
	fields ...string,
) (stop func()) {
	t.Helper()
	_, stop = run(t, env, func(b *service.StreamBuilder) {
		require.NoError(t, b.AddInputYAML(component(fields...)))
		require.NoError(t, b.AddBatchConsumerFunc(take))
	})
	return stop
}
