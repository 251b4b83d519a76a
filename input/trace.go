package input

import (
	"slices"

	"github.com/redpanda-data/benthos/v4/public/service"
	"go.opentelemetry.io/otel/propagation"

	"github.com/rafka-streams/rafka/internal/broker"
)

// traced gives the message the trace context that came with its entry, so that its spans have their
// parent where it was written. Each message has its own: the engine's helper would give the first
// one's to the whole batch. One that is not valid is ignored.
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
