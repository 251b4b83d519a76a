package logtest

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Counters is a metrics exporter that keeps counters and gauges, by name and labels. The zero value
// is empty. It is safe for concurrent use.
type Counters struct {
	mu     sync.Mutex
	counts map[string]int64
}

type counter struct {
	all  *Counters
	name string
}

// Incr adds to the counter.
func (c *counter) Incr(n int64) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.all.counts == nil {
		c.all.counts = map[string]int64{}
	}
	c.all.counts[c.name] += n
}

// Timing does nothing.
func (c *counter) Timing(int64) {}

// Set sets the value of a gauge.
func (c *counter) Set(n int64) {
	c.all.mu.Lock()
	defer c.all.mu.Unlock()
	if c.all.counts == nil {
		c.all.counts = map[string]int64{}
	}
	c.all.counts[c.name] = n
}

func (c *Counters) named(name string, labels []string) func(values ...string) *counter {
	return func(values ...string) *counter {
		var full strings.Builder
		full.WriteString(name)
		for i, label := range labels {
			if label != "path" && label != "label" && label != "stream" { // the engine's own
				full.WriteString(" " + label + "=" + values[i])
			}
		}
		return &counter{all: c, name: full.String()}
	}
}

// NewCounterCtor implements service.MetricsExporter.
func (c *Counters) NewCounterCtor(name string, labels ...string) service.MetricsExporterCounterCtor {
	named := c.named(name, labels)
	return func(values ...string) service.MetricsExporterCounter { return named(values...) }
}

// NewTimerCtor implements service.MetricsExporter.
func (c *Counters) NewTimerCtor(name string, labels ...string) service.MetricsExporterTimerCtor {
	named := c.named(name, labels)
	return func(values ...string) service.MetricsExporterTimer { return named(values...) }
}

// NewGaugeCtor implements service.MetricsExporter.
func (c *Counters) NewGaugeCtor(name string, labels ...string) service.MetricsExporterGaugeCtor {
	named := c.named(name, labels)
	return func(values ...string) service.MetricsExporterGauge { return named(values...) }
}

// Close implements service.MetricsExporter.
func (c *Counters) Close(context.Context) error { return nil }

// Get returns the value of a counter or a gauge. The key is its name followed by " label=value" for
// each label, in order.
func (c *Counters) Get(name string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[name]
}

// Names returns the keys of all counters and gauges that have a value.
func (c *Counters) Names() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Collect(maps.Keys(c.counts))
}

// Environment returns an environment with the exporter under the name "recorder".
func (c *Counters) Environment() (*service.Environment, error) {
	env := service.GlobalEnvironment().Clone()
	return env, env.RegisterMetricsExporter("recorder", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return c, nil })
}

// Resources returns resources for a component that logs to the journal and counts here. Closing
// them is not necessary.
func (c *Counters) Resources(j *Journal) (*service.Resources, error) {
	env, err := c.Environment()
	if err != nil {
		return nil, err
	}
	builder := env.NewResourceBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(j, nil)))
	if err := builder.SetMetricsYAML("recorder: {}"); err != nil {
		return nil, err
	}
	resources, _, err := builder.BuildSuspended()
	return resources, err
}
