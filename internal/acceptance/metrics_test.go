package acceptance

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// metricsRecorder is a metrics exporter that records all values, by name and labels except the
// engine's labels.
type metricsRecorder struct {
	mu     sync.Mutex
	values map[string]float64
}

func newMetricsRecorder() *metricsRecorder { return &metricsRecorder{values: map[string]float64{}} }

// series is a metric with values of its labels.
type series struct {
	all  *metricsRecorder
	name string
}

func (s series) Incr(n int64) { s.change(func(v float64) float64 { return v + float64(n) }) }

func (s series) IncrFloat64(n float64) { s.change(func(v float64) float64 { return v + n }) }

func (s series) Set(value int64) { s.change(func(float64) float64 { return float64(value) }) }

func (s series) SetFloat64(value float64)              { s.change(func(float64) float64 { return value }) }
func (series) Timing(int64)                            {}
func (g *metricsRecorder) Close(context.Context) error { return nil }

func (s series) change(to func(float64) float64) {
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	s.all.values[s.name] = to(s.all.values[s.name])
}

func (g *metricsRecorder) named(name string, labels []string) func(values ...string) series {
	return func(values ...string) series {
		var own []string
		for i, label := range labels {
			if label != "path" && label != "label" && label != "stream" {
				own = append(own, label+"="+values[i])
			}
		}
		slices.Sort(own)
		return series{all: g, name: name + "{" + strings.Join(own, ",") + "}"}
	}
}

func (g *metricsRecorder) NewCounterCtor(name string, labels ...string) service.MetricsExporterCounterCtor {
	named := g.named(name, labels)
	return func(values ...string) service.MetricsExporterCounter { return named(values...) }
}

func (g *metricsRecorder) NewTimerCtor(name string, labels ...string) service.MetricsExporterTimerCtor {
	named := g.named(name, labels)
	return func(values ...string) service.MetricsExporterTimer { return named(values...) }
}

func (g *metricsRecorder) NewGaugeCtor(name string, labels ...string) service.MetricsExporterGaugeCtor {
	named := g.named(name, labels)
	return func(values ...string) service.MetricsExporterGauge { return named(values...) }
}

// get returns the value of a series, and whether it has one.
func (g *metricsRecorder) get(name string) (float64, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	value, ok := g.values[name]
	return value, ok
}

// own returns the names of rafka's series with these labels.
func (g *metricsRecorder) own(labels string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for name := range maps.Keys(g.values) {
		if base, ok := strings.CutSuffix(name, "{"+labels+"}"); ok && strings.HasPrefix(base, "rafka_") {
			names = append(names, base)
		}
	}
	slices.Sort(names)
	return names
}

func of(partition int) string {
	return fmt.Sprintf("group=copier,partition=%d,topic=orders", partition)
}

// gauges are the gauges of each partition.
var gauges = []string{"rafka_lag", "rafka_lag_seconds", "rafka_last_read_seconds", "rafka_oldest_unacked_seconds"}

func TestMetricsOfAPipeline(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	source := newSource(t, client)
	p := start(t, copier{url: server.URL()})
	source.write(t, 200)
	source.awaitCopies(t, 0)
	for i := range partitions {
		require.Eventually(t, func() bool {
			lag, known := p.metrics.get("rafka_lag{" + of(i) + "}")
			commits, _ := p.metrics.get("rafka_commits_total{" + of(i) + "}")
			return known && lag == 0 && commits > 0
		}, time.Minute, 10*time.Millisecond)
		names := p.metrics.own(of(i))
		for _, name := range append([]string{
			"rafka_fenced_total", "rafka_lost_entries_total", "rafka_recreated_total", "rafka_redelivered_total",
			"rafka_skipped_total", "rafka_passed_over_total", "rafka_reclaimed_total", "rafka_kept_entries_total",
		}, gauges...) {
			assert.Contains(t, names, name, "at the start")
		}
	}
	assert.Equal(
		t,
		[]string{"rafka_partitions_assigned", "rafka_rebalances_total"},
		p.metrics.own("group=copier,topic=orders"),
	)
	for partition := range 4 {
		assert.Equal(t, []string{
			"rafka_append_deduplicated_total", "rafka_append_gaps_total", "rafka_append_lost_entries_total",
			"rafka_append_retries_total",
		}, p.metrics.own(fmt.Sprintf("partition=%d,topic=copies", partition)))
	}
	assert.Equal(t, []string{"rafka_metadata_dropped_total", "rafka_reordered_total"}, p.metrics.own("topic=copies"))
	assigned, _ := p.metrics.get("rafka_partitions_assigned{group=copier,topic=orders}")
	assert.InDelta(t, partitions, assigned, 0)

	// A partition that moved to another member has no values here any more.
	other := start(t, copier{url: server.URL()})
	require.Eventually(t, func() bool {
		return p.read() > 0 && other.assigned() > 0 && p.assigned()+other.assigned() == partitions
	},
		time.Minute, 10*time.Millisecond)
	require.Eventually(t, func() bool { return float64(p.read()) == p.assigned() }, time.Minute, 10*time.Millisecond)
	for i := range partitions {
		if age, _ := p.metrics.get("rafka_last_read_seconds{" + of(i) + "}"); age > 0 {
			continue
		}
		for _, gauge := range gauges {
			value, _ := p.metrics.get(gauge + "{" + of(i) + "}")
			assert.Zero(t, value, "%s of partition %d", gauge, i)
		}
	}
	p.stop(t)
	assert.Zero(t, p.read())
	assert.Zero(t, p.assigned())
}

func (p *pipeline) assigned() float64 {
	n, _ := p.metrics.get("rafka_partitions_assigned{group=copier,topic=orders}")
	return n
}

// read returns the number of partitions that this pipeline has read and still owns.
func (p *pipeline) read() int {
	n := 0
	for i := range partitions {
		if age, _ := p.metrics.get("rafka_last_read_seconds{" + of(i) + "}"); age > 0 {
			n++
		}
	}
	return n
}

// awaitCount waits until a counter of partition 0 has the value.
func (p *pipeline) awaitCount(t *testing.T, name string, want float64) {
	t.Helper()
	get := func() float64 {
		value, _ := p.metrics.get(name + "{" + of(0) + "}")
		return value
	}
	require.Eventually(
		t,
		func() bool { return get() >= want },
		time.Minute,
		10*time.Millisecond,
		"%s should reach %v",
		name,
		want,
	)
	assert.InDelta(t, want, get(), 0, name)
}

func TestMetricsOfFailures(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	source := newSource(t, client)
	add := func(body string) {
		t.Helper()
		require.NoError(
			t,
			client.XAdd(t.Context(), &redis.XAddArgs{Stream: "orders:0", Values: []string{"body", body}}).Err(),
		)
	}
	p := start(t, copier{url: server.URL()})
	source.write(t, 20)
	source.awaitCopies(t, 0)
	p.stop(t) // commits

	for range 10 {
		add("trimmed")
	}
	require.NoError(t, client.XTrimMaxLen(t.Context(), "orders:0", 3).Err())
	const tooLarge = 2000
	p = start(
		t,
		copier{
			url:    server.URL(),
			input:  "auto_replay_nacks: false\n",
			output: fmt.Sprintf("max_message_bytes: '%d'\n", tooLarge),
		},
	)
	p.awaitCount(t, "rafka_lost_entries_total", 7)
	add(strings.Repeat("x", tooLarge))
	p.awaitCount(t, "rafka_skipped_total", 1)
	require.NoError(t, client.Del(t.Context(), "rafka:{orders:0}:lease:copier").Err())
	p.awaitCount(t, "rafka_fenced_total", 1)
	p.stop(t)

	p = start(t, copier{url: server.URL(), output: fmt.Sprintf("max_message_bytes: '%d'\n", tooLarge)})
	add(strings.Repeat("x", tooLarge))
	require.Eventually(t, func() bool {
		n, _ := p.metrics.get("rafka_redelivered_total{" + of(0) + "}")
		return n >= 2
	}, time.Minute, 10*time.Millisecond)
}
