package output

import (
	"slices"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
	// parent is the span as a W3C header.
	parent = "00-" + traceID + "-" + spanID + "-01"
)

// spanned returns a message within the span above, with the given state.
func spanned(t *testing.T, msg *service.Message, state string) *service.Message {
	t.Helper()
	var c trace.SpanContextConfig
	var err error
	c.TraceID, err = trace.TraceIDFromHex(traceID)
	require.NoError(t, err)
	c.SpanID, err = trace.SpanIDFromHex(spanID)
	require.NoError(t, err)
	c.TraceState, err = trace.ParseTraceState(state)
	require.NoError(t, err)
	c.TraceFlags = trace.FlagsSampled
	return msg.WithContext(trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(c)))
}

func TestRecordCarriesTheTraceOfItsMessage(t *testing.T) {
	for what, c := range map[string]struct {
		fields, state string
		metadata      []string
		want, dropped []string
	}{
		"alone":      {want: []string{"body", "{}", "traceparent", parent}},
		"with state": {state: "a=1,b=2", want: []string{"body", "{}", "tracestate", "a=1,b=2", "traceparent", parent}},
		"of an empty body_key": {
			fields:   "body_key: ''",
			metadata: []string{"m", "v"},
			want:     []string{"m", "v", "traceparent", parent},
		},
		// The metadata of a message from a rafka input contains the parent span of its entry.
		"instead of its parent": {
			metadata: []string{"traceparent", "00-" + traceID + "-1111111111111111-01", "tracestate", "a=0"},
			want:     []string{"body", "{}", "traceparent", parent},
		},
		"against another": {
			metadata: []string{
				"traceparent", "00-11111111111111111111111111111111-1111111111111111-01", "tracestate", "a=0",
			},
			want:    []string{"body", "{}", "traceparent", parent},
			dropped: []string{"traceparent", "tracestate"},
		},
		"whatever is excluded": {
			fields:   "metadata: {exclude_prefixes: [trace]}",
			metadata: []string{"traceparent", "x"},
			want:     []string{"body", "{}", "traceparent", parent},
		},
	} {
		t.Run(what, func(t *testing.T) {
			record, dropped, err := newRecorder(
				t,
				c.fields,
			).record(
				&arena{},
				spanned(t, message("{}", c.metadata...), c.state),
				"",
			)
			require.NoError(t, err)
			assert.Equal(t, c.want, record.Fields)
			assert.Equal(t, c.dropped, slices.Clip(dropped))
		})
	}
}

// Readers of the entry use these fields as its trace, so they must not contain anything else.
func TestRecordWithoutSpanHasNoTrace(t *testing.T) {
	record, dropped, err := newRecorder(
		t,
		"",
	).record(
		&arena{},
		message("x", "traceparent", parent, "tracestate", "a=1"),
		"",
	)
	require.NoError(t, err)
	assert.Equal(t, []string{"body", "x"}, record.Fields)
	assert.Equal(t, []string{"traceparent", "tracestate"}, dropped)
}

func TestTraceCountsTowardsMaxMessageBytes(t *testing.T) {
	r := newRecorder(t, "max_message_bytes: '80'")
	_, _, err := r.record(&arena{}, message(strings.Repeat("x", 76)), "")
	require.NoError(t, err)
	_, _, err = r.record(&arena{}, spanned(t, message(strings.Repeat("x", 76)), ""), "")
	require.ErrorContains(t, err, "max_message_bytes")
}

// Without tracing, the trace fields must not cost measurable time.
func BenchmarkRecord(b *testing.B) {
	s, err := construct(b, minimal)
	require.NoError(b, err)
	r := &recorder{bodyKey: s.bodyKey, metadata: s.metadata, limit: s.maxMessageBytes}
	msg := message(strings.Repeat("x", 256), "colour", "red", "size", "large")
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := r.record(&arena{}, msg, "ann"); err != nil {
			b.Fatal(err)
		}
	}
}
