package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// The engine uses an exporter with this name as the default of the field `metrics`, if the exporter
// is registered globally before the schema of a config is made.
func init() {
	service.MustRegisterMetricsExporter("prometheus", exporterSpec(),
		func(conf *service.ParsedConfig, logger *service.Logger) (service.MetricsExporter, error) {
			return newExporter(conf, logger)
		})
}

const (
	fieldUseHistogramTiming = "use_histogram_timing"
	fieldHistogramBuckets   = "histogram_buckets"
	fieldAddProcessMetrics  = "add_process_metrics"
	fieldAddGoMetrics       = "add_go_metrics"

	bucketsRemedy = "histogram_buckets must be numbers of seconds in ascending order, each once"
)

func exporterSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Summary("Serves metrics in the Prometheus text format at `/metrics` and `/stats` of the HTTP server.").
		Field(service.NewBoolField(fieldUseHistogramTiming).
			Description("Export timings as histograms in seconds. By default they are summaries in nanoseconds.").
			Advanced().Default(false)).
		Field(service.NewFloatListField(fieldHistogramBuckets).
			Description(
				"The buckets of timing histograms in seconds, in ascending order. Empty: the default buckets of " +
					"Prometheus.",
			).
			LintRule(`root = if this.type() == "array" && this.unique().sort() != this { "` + bucketsRemedy + `" }`).
			Advanced().Default([]any{})).
		Field(service.NewBoolField(fieldAddProcessMetrics).
			Description("Also export metrics of the process, such as CPU time and memory.").
			Advanced().Default(false)).
		Field(service.NewBoolField(fieldAddGoMetrics).
			Description("Also export metrics of the Go runtime, such as pauses of the garbage collector.").
			Advanced().Default(false))
}

// exporter serves the metrics of one process or stream from its own registry. Its methods can be
// called concurrently and never panic: names with characters that Prometheus does not allow are
// mapped to valid names, one name can have several sets of labels, and metrics that can't be
// exported are dropped with a warning.
type exporter struct {
	registry *prometheus.Registry
	logger   *service.Logger
	// buckets holds the buckets of timing histograms. If it is nil, timings are summaries.
	buckets []float64

	mu sync.Mutex
	// kinds holds the type of each metric name: Prometheus allows one type per name.
	kinds map[string]string
	// vectors holds one vec per metric name and set of label names.
	vectors map[string]deleter
}

var _ service.MetricsExporterSeriesDeleter = (*exporter)(nil)

func newExporter(conf *service.ParsedConfig, logger *service.Logger) (*exporter, error) {
	e := &exporter{
		registry: prometheus.NewRegistry(),
		logger:   logger,
		kinds:    map[string]string{},
		vectors:  map[string]deleter{},
	}
	if err := e.configureTimings(conf); err != nil {
		return nil, err
	}
	for field, collector := range map[string]prometheus.Collector{
		fieldAddProcessMetrics: collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		fieldAddGoMetrics:      collectors.NewGoCollector(),
	} {
		wanted, err := conf.FieldBool(field)
		if err != nil {
			return nil, err
		}
		if !wanted {
			continue
		}
		if err := e.registry.Register(collector); err != nil {
			return nil, fmt.Errorf("registering the metrics of %s: %w", field, err)
		}
	}
	return e, nil
}

func (e *exporter) configureTimings(conf *service.ParsedConfig) error {
	histograms, err := conf.FieldBool(fieldUseHistogramTiming)
	if err != nil {
		return err
	}
	buckets, err := conf.FieldFloatList(fieldHistogramBuckets)
	if err != nil {
		return err
	}
	for i := range buckets {
		// The negation also rejects NaN.
		if i > 0 && !(buckets[i-1] < buckets[i]) {
			return errors.New(bucketsRemedy)
		}
	}
	if !histograms {
		return nil
	}
	e.buckets = buckets
	if len(buckets) == 0 {
		e.buckets = prometheus.DefBuckets
	}
	return nil
}

// HandlerFunc returns the handler that the engine serves at /metrics and /stats.
func (e *exporter) HandlerFunc() http.HandlerFunc {
	return promhttp.HandlerFor(e.registry, promhttp.HandlerOpts{
		// One bad metric must not hide all others.
		ErrorHandling: promhttp.ContinueOnError,
		ErrorLog:      scrapeLog{e.logger},
	}).ServeHTTP
}

// Close does nothing.
func (*exporter) Close(context.Context) error { return nil }

// NewCounterCtor returns a constructor of counters with one name and set of labels.
func (e *exporter) NewCounterCtor(name string, labelKeys ...string) service.MetricsExporterCounterCtor {
	series := newSeries(
		e,
		"counter",
		name,
		labelKeys,
		func(name, help string, labels []string) vec[prometheus.Counter] {
			return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		},
	)
	return func(values ...string) service.MetricsExporterCounter {
		if c, ok := series.with(values); ok {
			return counter{c}
		}
		return dropped{}
	}
}

// NewGaugeCtor returns a constructor of gauges with one name and set of labels.
func (e *exporter) NewGaugeCtor(name string, labelKeys ...string) service.MetricsExporterGaugeCtor {
	series := newSeries(e, "gauge", name, labelKeys, func(name, help string, labels []string) vec[prometheus.Gauge] {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	})
	return func(values ...string) service.MetricsExporterGauge {
		if g, ok := series.with(values); ok {
			return gauge{g}
		}
		return dropped{}
	}
}

// NewTimerCtor returns a constructor of timers with one name and set of labels.
func (e *exporter) NewTimerCtor(name string, labelKeys ...string) service.MetricsExporterTimerCtor {
	unit := 1.0
	if e.buckets != nil {
		unit = 1e9
	}
	series := newSeries(e, "timing", name, labelKeys, e.newTimingVec)
	return func(values ...string) service.MetricsExporterTimer {
		if o, ok := series.with(values); ok {
			return timer{o, unit}
		}
		return dropped{}
	}
}

func (e *exporter) newTimingVec(name, help string, labels []string) vec[prometheus.Observer] {
	if e.buckets != nil {
		return prometheus.NewHistogramVec(
			prometheus.HistogramOpts{Name: name, Help: help + " In seconds.", Buckets: e.buckets},
			labels,
		)
	}
	return prometheus.NewSummaryVec(prometheus.SummaryOpts{
		Name: name, Help: help + " In nanoseconds.",
		Objectives: map[float64]float64{0.5: 0.05, 0.9: 0.01, 0.99: 0.001},
	}, labels)
}

type counter struct{ prometheus.Counter }

// Incr adds count. It ignores negative values, since a counter can't decrease.
func (c counter) Incr(count int64) { c.IncrFloat64(float64(count)) }

// IncrFloat64 is Incr for fractions.
func (c counter) IncrFloat64(count float64) {
	if count > 0 {
		c.Add(count)
	}
}

type gauge struct{ metric prometheus.Gauge }

// Set sets the gauge.
func (g gauge) Set(value int64) { g.metric.Set(float64(value)) }

// SetFloat64 sets the gauge to a fraction.
func (g gauge) SetFloat64(value float64) { g.metric.Set(value) }

type timer struct {
	metric prometheus.Observer
	// unit is the number of nanoseconds in one unit of the exported metric.
	unit float64
}

// Timing observes a duration in nanoseconds.
func (t timer) Timing(delta int64) { t.metric.Observe(float64(delta) / t.unit) }

// dropped replaces a metric that can't be exported.
type dropped struct{}

// Incr does nothing.
func (dropped) Incr(int64) {}

// Set does nothing.
func (dropped) Set(int64) {}

// Timing does nothing.
func (dropped) Timing(int64) {}

// scrapeLog writes errors of a scrape to the log of the process.
type scrapeLog struct{ logger *service.Logger }

// Println logs an error of a scrape.
func (l scrapeLog) Println(v ...any) { l.logger.Error(strings.TrimSpace(fmt.Sprintln(v...))) }
