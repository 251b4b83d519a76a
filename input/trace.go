package input

import (
	"slices"

	"github.com/redpanda-data/benthos/v4/public/service"
	"go.opentelemetry.io/otel/propagation"

	"github.com/rafka-streams/rafka/internal/broker"
)

// traced returns the message with the trace context of its entry, so that the message's spans have
// the writer's span as their parent. The engine's own helper would give the context of the first
// message to the whole batch. An invalid trace context is ignored.
func traced(m *service.Message, metadata []broker.Field) *service.Message {
	if !slices.ContainsFunc(metadata, func(f broker.Field) bool { return f.Name == broker.TraceField }) {
		return m
	}
	return m.WithContext(propagation.TraceContext{}.Extract(m.Context(), carrier(metadata)))
}

// carrier is the metadata of an entry. The propagator only reads it.
type carrier []broker.Field

// Get returns the value of a field.
func (c carrier) Get(name string) string {
	for _, f := range c {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// Set does nothing.
func (carrier) Set(string, string) {}

// Keys finds nothing.
func (carrier) Keys() []string { return nil }
