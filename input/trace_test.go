package input

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/otel/trace"

	"github.com/rafka-streams/rafka/splits"
)

const (
	traceID = "0af7651916cd43dd8448eb211c80319c"
	spanID  = "b7ad6b7169203331"
	parent  = "00-" + traceID + "-" + spanID + "-01"
)

func TestMessageHasTheTraceOfItsEntry(t *testing.T) {
	for what, c := range map[string]struct {
		fields  []string
		bodyKey string
		traced  bool
		state   string
	}{
		"our own":           {[]string{"body", "x", "traceparent", parent}, "body", true, ""},
		"with state":        {[]string{"body", "x", "tracestate", "a=1", "traceparent", parent}, "body", true, "a=1"},
		"with bad state":    {[]string{"body", "x", "tracestate", "=", "traceparent", parent}, "body", true, ""},
		"foreign":           {[]string{"n", "1", "traceparent", parent}, "body", true, ""},
		"all fields a body": {[]string{"n", "1", "traceparent", parent}, "", true, ""},
		"none":              {[]string{"body", "x"}, "body", false, ""},
		"state alone":       {[]string{"body", "x", "tracestate", "a=1"}, "body", false, ""},
		"not valid":         {[]string{"body", "x", "traceparent", "00-1-2-01"}, "body", false, ""},
		"empty":             {[]string{"body", "x", "traceparent", ""}, "body", false, ""},
		"of zeros": {
			[]string{"body", "x", "traceparent", "00-" + strings.Repeat("0", 32) + "-" + spanID + "-01"},
			"body", false, "",
		},
		"two": {[]string{"body", "x", "traceparent", parent, "traceparent", parent}, "body", false, ""},
	} {
		t.Run(what, func(t *testing.T) {
			b, e := entry(c.fields...)
			m := newBatchMetadata(b).message(e, c.bodyKey)
			span := trace.SpanContextFromContext(m.Context())
			assert.Equal(t, c.traced, span.IsValid())
			assert.Equal(t, c.traced, span.IsRemote())
			assert.Equal(t, c.state, span.TraceState().String())
			if c.traced {
				assert.Equal(t, traceID, span.TraceID().String())
				assert.Equal(t, spanID, span.SpanID().String())
				assert.True(t, span.IsSampled())
			}
			if value, came := m.MetaGet("traceparent"); came && c.traced {
				assert.Equal(t, parent, value, "what came is there to be seen")
			}
		})
	}
}

// The engine's own helper would give the parent of the first message to the whole batch.
func TestEachMessageOfABatchHasItsOwnTrace(t *testing.T) {
	b, first := entry("body", "a", "traceparent", parent)
	_, second := entry("body", "b")
	_, third := entry("body", "c", "traceparent", strings.ReplaceAll(parent, traceID, strings.Repeat("1", 32)))
	b.Entries = []splits.Entry{first, second, third}
	var ids []string
	for _, m := range messages(b, "body") {
		ids = append(ids, trace.SpanContextFromContext(m.Context()).TraceID().String())
	}
	assert.Equal(t, []string{traceID, strings.Repeat("0", 32), strings.Repeat("1", 32)}, ids)
}

// Tracing must have no measurable cost when it is disabled.
func BenchmarkMessages(b *testing.B) {
	batch, e := entry("body", strings.Repeat("x", 256), "rafka_key", "ann")
	batch.Entries = slices.Repeat([]splits.Entry{e}, 500)
	b.ReportAllocs()
	for b.Loop() {
		messages(batch, "body")
	}
}
