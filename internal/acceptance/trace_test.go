package acceptance

import (
	"context"
	"crypto/rand"
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
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// tracing is an engine that records its spans.
type tracing struct {
	env   *service.Environment
	spans *tracetest.SpanRecorder
}

func newTracing(t *testing.T) *tracing {
	t.Helper()
	tr := &tracing{env: service.GlobalEnvironment().Clone(), spans: tracetest.NewSpanRecorder()}
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(tr.spans))
	require.NoError(t, tr.env.RegisterOtelTracerProvider("kept", service.NewConfigSpec(),
		func(*service.ParsedConfig) (trace.TracerProvider, error) { return provider, nil }))
	return tr
}

// children returns the spans with that name whose parent is the span.
func (tr *tracing) children(name string, of trace.SpanContext) (found []sdktrace.ReadOnlySpan) {
	for _, s := range tr.spans.Started() {
		if s.Name() == name && s.Parent().SpanID() == of.SpanID() && s.Parent().TraceID() == of.TraceID() {
			found = append(found, s)
		}
	}
	return found
}

// newSpan returns a span of a new trace, like a foreign producer's.
func newSpan(t *testing.T) trace.SpanContext {
	t.Helper()
	c := trace.SpanContextConfig{TraceFlags: trace.FlagsSampled}
	_, _ = rand.Read(c.TraceID[:]) // never fails
	_, _ = rand.Read(c.SpanID[:])
	var err error
	c.TraceState, err = trace.ParseTraceState("test=" + c.SpanID.String())
	require.NoError(t, err)
	return trace.NewSpanContext(c)
}

// traceparent returns the span as the W3C header.
func traceparent(span trace.SpanContext) string {
	return fmt.Sprintf("00-%s-%s-%s", span.TraceID(), span.SpanID(), span.TraceFlags())
}

// tracedMessage returns a message in the span, or without a span if the span is not valid.
func tracedMessage(body string, in trace.SpanContext) *service.Message {
	m := service.NewMessage([]byte(body))
	if in.IsValid() {
		m = m.WithContext(trace.ContextWithSpanContext(context.Background(), in))
	}
	return m
}

// streamEntry returns one entry of a plain stream.
func streamEntry(t *testing.T, client *redis.Client, stream string, at int) map[string]any {
	t.Helper()
	var all []redis.XMessage
	require.Eventually(t, func() bool {
		var err error
		all, err = client.XRange(t.Context(), stream, "-", "+").Result()
		return err == nil && len(all) > at
	}, time.Minute, 10*time.Millisecond)
	return all[at].Values
}

// In a batch of traced and untraced messages, every message keeps its trace from the producer
// through a copying pipeline to the consumer, also when it is handed out a second time.
func TestEachMessageKeepsItsTrace(t *testing.T) {
	t.Parallel()
	for what, bodyKey := range map[string]string{"body": "body_key: body", "fields": "body_key: ''"} {
		t.Run(what, func(t *testing.T) {
			server := redistest.Start(t)
			tr := newTracing(t)
			url := "url: " + server.URL()
			one, two := newSpan(t), newSpan(t)
			parents := map[string]trace.SpanContext{`{"n":"1"}`: one, `{"n":"2"}`: {}, `{"n":"3"}`: two}

			send, log := producer(t, tr.env, url, "stream_name: first", bodyKey)
			require.NoError(t, send(t.Context(), service.MessageBatch{
				tracedMessage(
					`{"n":"1"}`,
					one,
				),
				tracedMessage(`{"n":"2"}`, trace.SpanContext{}),
				tracedMessage(`{"n":"3"}`, two),
			}))
			client := server.Client(t)
			assert.Equal(t, traceparent(one), streamEntry(t, client, "first", 0)["traceparent"])
			assert.Equal(t, "test="+one.SpanID().String(), streamEntry(t, client, "first", 0)["tracestate"])
			assert.NotContains(t, streamEntry(t, client, "first", 1), "traceparent")
			assert.NotContains(t, streamEntry(t, client, "first", 1), "tracestate")
			assert.Equal(t, traceparent(two), streamEntry(t, client, "first", 2)["traceparent"])

			copying, _ := run(t, tr.env, func(b *service.StreamBuilder) {
				require.NoError(t, b.SetTracerYAML("kept: {}"))
				require.NoError(t, b.AddInputYAML(component(url, "stream_name: first\nconsumer_group: g", bodyKey)))
				require.NoError(t, b.AddOutputYAML(component(url, "stream_name: second", bodyKey)))
			})
			var mu sync.Mutex
			var deliveries []string
			got := map[string][]trace.SpanContext{}
			_, _ = run(t, tr.env, func(b *service.StreamBuilder) {
				require.NoError(t, b.SetTracerYAML("kept: {}"))
				require.NoError(t, b.AddInputYAML(component(url, "stream_name: second\nconsumer_group: g", bodyKey)))
				require.NoError(t, b.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
					mu.Lock()
					defer mu.Unlock()
					for _, m := range batch {
						body, _ := m.AsBytes()
						deliveries = append(deliveries, string(body))
						got[string(body)] = append(got[string(body)], trace.SpanContextFromContext(m.Context()))
					}
					if len(deliveries) <= 3 {
						return errors.New("not now")
					}
					return nil
				}))
			})
			require.Eventually(
				t,
				func() bool { mu.Lock(); defer mu.Unlock(); return len(deliveries) >= 6 },
				time.Minute,
				10*time.Millisecond,
			)
			mu.Lock()
			defer mu.Unlock()
			assert.Len(t, deliveries, 6)
			for body, parent := range parents {
				require.Len(t, got[body], 2, body)
				assert.Equal(
					t,
					got[body][0].TraceID(),
					got[body][1].TraceID(),
					"the second delivery has the same trace",
				)
				assert.NotEqual(t, got[body][0].SpanID(), got[body][1].SpanID())
				if !parent.IsValid() {
					assert.True(t, got[body][0].IsValid(), "a trace that begins in the copying pipeline")
					assert.NotEqual(t, one.TraceID(), got[body][0].TraceID())
					assert.NotEqual(t, two.TraceID(), got[body][0].TraceID())
					continue
				}
				assert.Equal(t, parent.TraceID(), got[body][0].TraceID())
				assert.Equal(t, parent.TraceState().String(), got[body][0].TraceState().String())
				copied := tr.children("input_rafka", parent)
				require.Len(t, copied, 1, "the span of the copying input")
				assert.Len(t, tr.children("input_rafka", copied[0].SpanContext()), 2, "one for each delivery")
			}
			assert.Empty(t, log.Lines("Metadata"))
			assert.Empty(
				t,
				copying.Lines("Metadata"),
				"the incoming trace is replaced by its child, not dropped",
			)
		})
	}
}

// Without a tracer, a pipeline passes on the trace fields of its messages.
func TestPipelinesWithoutTracerPassTracesOn(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	span := newSpan(t)
	for _, values := range [][]string{
		{"body", "a", "traceparent", traceparent(span), "tracestate", "x=1"},
		{"body", "b"},
		{"sensor", "7", "traceparent", traceparent(span)},
		{"body", "d", "traceparent", "00-" + strings.Repeat("0", 32) + "-1-01"},
	} {
		require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{Stream: "foreign", Values: values}).Err())
	}
	log, _ := run(t, service.GlobalEnvironment(), func(b *service.StreamBuilder) {
		require.NoError(t, b.AddInputYAML(component("url: "+server.URL(), "stream_name: foreign\nconsumer_group: g")))
		require.NoError(t, b.AddOutputYAML(component("url: "+server.URL(), "stream_name: copies")))
	})
	assert.Equal(
		t,
		map[string]any{"body": "a", "traceparent": traceparent(span), "tracestate": "x=1"},
		streamEntry(t, client, "copies", 0),
	)
	assert.Equal(t, map[string]any{"body": "b"}, streamEntry(t, client, "copies", 1))
	assert.Equal(
		t,
		map[string]any{"body": `{"sensor":"7"}`, "traceparent": traceparent(span)},
		streamEntry(t, client, "copies", 2),
	)
	assert.Equal(
		t,
		map[string]any{"body": "d"},
		streamEntry(t, client, "copies", 3),
		"an invalid trace context is not passed on",
	)
	assert.Len(t, log.Lines("Metadata", "traceparent"), 1, "the dropped field is logged")
}
