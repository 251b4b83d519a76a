package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// startExporter returns an exporter with the given config, and its log.
func startExporter(t *testing.T, yaml string) (*exporter, *bytes.Buffer) {
	t.Helper()
	conf, err := exporterSpec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	var log bytes.Buffer
	e, err := newExporter(conf, service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil))))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(t.Context())) })
	return e, &log
}

// scrape returns the lines of a scrape without comments.
func scrape(t *testing.T, e *exporter) []string {
	t.Helper()
	answer := httptest.NewRecorder()
	e.HandlerFunc()(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	require.Equal(t, http.StatusOK, answer.Code, answer.Body)
	var lines []string
	for line := range strings.Lines(answer.Body.String()) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestExporterServesCountersGaugesAndTimings(t *testing.T) {
	e, log := startExporter(t, "")
	counters := e.NewCounterCtor("rafka_commits_total", "topic", "partition")
	counters("orders", "1").Incr(2)
	counters("orders", "1").Incr(3)
	counters("orders", "2").(interface{ IncrFloat64(float64) }).IncrFloat64(0.5)
	e.NewGaugeCtor("rafka_lag")().Set(7)
	e.NewGaugeCtor("rafka_lag_seconds")().(interface{ SetFloat64(float64) }).SetFloat64(1.25)
	e.NewTimerCtor("input_latency_ns", "path")("root.input").Timing(1_500_000_000)

	assert.Equal(t, []string{
		`input_latency_ns{path="root.input",quantile="0.5"} 1.5e+09`,
		`input_latency_ns{path="root.input",quantile="0.9"} 1.5e+09`,
		`input_latency_ns{path="root.input",quantile="0.99"} 1.5e+09`,
		`input_latency_ns_sum{path="root.input"} 1.5e+09`,
		`input_latency_ns_count{path="root.input"} 1`,
		`rafka_commits_total{partition="1",topic="orders"} 5`,
		`rafka_commits_total{partition="2",topic="orders"} 0.5`,
		`rafka_lag 7`,
		`rafka_lag_seconds 1.25`,
	}, scrape(t, e))
	assert.Empty(t, log)
}

func TestExporterServesHistogramsInSeconds(t *testing.T) {
	e, _ := startExporter(t, "{use_histogram_timing: true, histogram_buckets: [ 0.5, 2 ]}")
	e.NewTimerCtor("latency_ns")().Timing(1_500_000_000)
	assert.Equal(t, []string{
		`latency_ns_bucket{le="0.5"} 0`,
		`latency_ns_bucket{le="2"} 1`,
		`latency_ns_bucket{le="+Inf"} 1`,
		`latency_ns_sum 1.5`,
		`latency_ns_count 1`,
	}, scrape(t, e))
}

func TestHistogramsHaveDefaultBuckets(t *testing.T) {
	e, _ := startExporter(t, "use_histogram_timing: true")
	e.NewTimerCtor("latency_ns")().Timing(1)
	assert.Contains(t, scrape(t, e), `latency_ns_bucket{le="0.005"} 1`)
}

func TestOneMetricNameMayHaveSeveralSetsOfLabels(t *testing.T) {
	e, log := startExporter(t, "")
	e.NewCounterCtor("m")().Incr(1)
	e.NewCounterCtor("m", "topic")("orders").Incr(2)
	e.NewCounterCtor("m", "topic", "path")("orders", "root.input").Incr(3)
	e.NewCounterCtor("m", "path", "topic")("root.input", "orders").Incr(4)
	assert.ElementsMatch(t, []string{
		`m 1`,
		`m{topic="orders"} 2`,
		`m{path="root.input",topic="orders"} 7`,
	}, scrape(t, e))
	assert.Empty(t, log)
}

func TestNamesAndLabelValuesAreMadeValid(t *testing.T) {
	e, log := startExporter(t, "")
	e.NewCounterCtor("weird.name-ü")().Incr(1)
	e.NewCounterCtor("9lives")().Incr(1)
	e.NewCounterCtor("")().Incr(1)
	e.NewGaugeCtor("g", "a-b", "a.b", "__name__", "", "1st")("v1", "v2", "v3", "v4", "bad\xffutf8").Set(1)
	e.NewTimerCtor("t", "quantile", "le")("q", "l").Timing(1)
	lines := scrape(t, e)
	for _, want := range []string{
		`weird_name__ 1`, `_9lives 1`, `_ 1`,
		`g{_="v4",_1st="bad` + "\uFFFD" + `utf8",_name__="v3",a_b="v1",a_b_="v2"} 1`,
		`t_count{le_="l",quantile_="q"} 1`,
	} {
		assert.Contains(t, lines, want)
	}
	assert.Empty(t, log)
}

func TestMetricsThatCannotBeExportedAreDropped(t *testing.T) {
	e, log := startExporter(t, "")
	e.NewCounterCtor("m", "topic")("orders").Incr(1)
	e.NewCounterCtor("m", "topic")("orders").Incr(-1)

	e.NewGaugeCtor("m")().Set(5)
	assert.Contains(t, log.String(), "metric m is not exported as a gauge: a counter already has this name")
	e.NewTimerCtor("m")().Timing(5)
	assert.Contains(t, log.String(), "metric m is not exported as a timing")
	e.NewCounterCtor("m", "topic")("one", "two").Incr(1)
	assert.Contains(t, log.String(), "metric m has 1 labels but got 2 values")

	assert.Equal(t, []string{`m{topic="orders"} 1`}, scrape(t, e))
}

func TestExporterIsSafeForConcurrentUse(t *testing.T) {
	e, _ := startExporter(t, "")
	done := make(chan struct{})
	for range 4 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 100 {
				e.NewCounterCtor("m", "topic")("orders").Incr(1)
				e.NewGaugeCtor("n", "topic")("orders").Set(1)
			}
		}()
	}
	for range 4 {
		<-done
	}
	assert.Equal(t, []string{`m{topic="orders"} 400`, `n{topic="orders"} 1`}, scrape(t, e))
}

func TestProcessAndGoMetricsAreExportedOnDemand(t *testing.T) {
	none, _ := startExporter(t, "")
	assert.Empty(t, scrape(t, none))
	e, _ := startExporter(t, "{add_process_metrics: true, add_go_metrics: true}")
	text := strings.Join(scrape(t, e), "\n")
	assert.Contains(t, text, "process_cpu_seconds_total")
	assert.Contains(t, text, "go_goroutines")
}

func TestUnsortedBucketsAreRejected(t *testing.T) {
	for _, buckets := range []string{"[ 2, 1 ]", "[ 1, 1 ]", "[ 1, .nan, 2 ]"} {
		conf, err := exporterSpec().ParseYAML("histogram_buckets: "+buckets, nil)
		require.NoError(t, err)
		_, err = newExporter(conf, nil)
		require.EqualError(t, err, bucketsRemedy, buckets)
	}
	lints, err := newSchema().NewStreamConfigLinter().LintYAML(
		[]byte("metrics: {prometheus: {histogram_buckets: [ 2, 1 ]}}"),
	)
	require.NoError(t, err)
	require.Len(t, lints, 1)
	assert.Contains(t, lints[0].What, bucketsRemedy)
	lints, err = newSchema().NewStreamConfigLinter().LintYAML(
		[]byte("metrics: {prometheus: {histogram_buckets: [ 0.5, 1 ]}}"),
	)
	require.NoError(t, err)
	assert.Empty(t, lints)
}
