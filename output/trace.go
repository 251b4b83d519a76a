package output

import (
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/rafka-streams/rafka/internal/broker"
)

// traceOf returns the fields with the trace context of the message, or none if it has no span, and
// the metadata to write. Metadata named like these fields is removed if it belongs to the same
// trace: then it is from the message's source entry, and the fields replace it. Otherwise it stays
// in the metadata, and record drops and counts it. The fields always have the W3C format, which
// readers expect, whatever propagator the process uses.
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

// carrier is a list of names and values, as in an entry. The propagator only appends to it.
type carrier []string

// Set adds a field.
func (c *carrier) Set(name, value string) { *c = append(*c, name, value) }

// Get returns nothing.
func (*carrier) Get(string) string { return "" }

// Keys returns nothing.
func (*carrier) Keys() []string { return nil }
