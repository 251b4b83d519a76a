package output

import (
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/rafka-streams/rafka/internal/broker"
)

// traceOf returns the fields that carry the trace context of the message, none if it has no span,
// and the metadata that is left to be written. Trace context in the metadata stays there, to be
// dropped, unless it is of the same trace: that is what a message brought along from its own entry,
// and the fields carry it on. The fields are W3C's whatever propagator the process has, for readers
// look for these.
func traceOf(msg *service.Message, metadata []broker.Field) (fields []string, rest []broker.Field) {
	span := trace.SpanContextFromContext(msg.Context())
	if !span.IsValid() {
		return nil, metadata
	}
	var c carrier
	propagation.TraceContext{}.Inject(msg.Context(), &c)
	if came, _ := msg.MetaGet(broker.TraceField); strings.Contains(came, span.TraceID().String()) {
		metadata = slices.DeleteFunc(metadata, func(f broker.Field) bool { return broker.IsTrace(f.Name) })
	}
	return c, metadata
}

// carrier is names and values as an entry has them. The propagator only adds to it.
type carrier []string

// Set adds a field.
func (c *carrier) Set(name, value string) { *c = append(*c, name, value) }

// Get finds nothing.
func (*carrier) Get(string) string { return "" }

// Keys finds nothing.
func (*carrier) Keys() []string { return nil }
