package logtest

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Counters is a metrics exporter that keeps what is counted, by name and labels. The zero Counters is empty; it is safe for concurrent
// use.
type Counters struct {
	mu     sync.Mutex
	counts map[string]int64
}

type counter struct {
	all  *Counters
	name string
}

// Incr adds.
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

// Set does nothing.
func (c *counter) Set(int64) {}

func (c *Counters) named(name string, labels []string) func(values ...string) *counter {
	return func(values ...string) *counter {
		full := name
		for i, label := range labels {
			if label != "path" && label != "label" && label != "stream" { // the engine's own
				full += " " + label + "=" + values[i]
			}
		}
		return &counter{all: c, name: full}
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

// Get returns the count of a name followed by " label=value" for each label, in their order.
func (c *Counters) Get(name string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[name]
}

// Environment knows the exporter as "probe".
func (c *Counters) Environment(t testing.TB) *service.Environment {
	t.Helper()
	env := service.GlobalEnvironment().Clone()
	err := env.RegisterMetricsExporter("probe", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return c, nil })
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// Resources are those of a component that logs to the journal and counts here.
func (c *Counters) Resources(t testing.TB, j *Journal) *service.Resources {
	t.Helper()
	builder := c.Environment(t).NewResourceBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(j, nil)))
	if err := builder.SetMetricsYAML("probe: {}"); err != nil {
		t.Fatal(err)
	}
	resources, closeAll, err := builder.BuildSuspended()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeAll(context.Background()) }) // nothing in it can fail
	return resources
}
