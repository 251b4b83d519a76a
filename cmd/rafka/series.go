package main

import (
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// vec is the interface that the vectors of client_golang share.
type vec[M any] interface {
	prometheus.Collector
	GetMetricWithLabelValues(values ...string) (M, error)
	deleter
}

// deleter deletes series of a vector.
type deleter interface {
	DeletePartialMatch(labels prometheus.Labels) int
}

// series is one metric name with one set of label names.
type series[M any] struct {
	exporter *exporter
	name     string
	// order holds, for each label name of the vector, the index of the caller's label value.
	order []int
	// vec is nil if the metric can't be exported.
	vec vec[M]
}

func newSeries[M any](
	e *exporter, kind, name string, labelKeys []string, newVec func(name, help string, labels []string) vec[M],
) series[M] {
	name = validMetricName(name)
	labels, order := validLabelNames(labelKeys)
	s := series[M]{exporter: e, name: name, order: order}

	e.mu.Lock()
	defer e.mu.Unlock()
	if used, ok := e.kinds[name]; ok && used != kind {
		e.logger.Warnf("metric %s is not exported as a %s: a %s already has this name", name, kind, used)
		return s
	}
	e.kinds[name] = kind
	id := name + "{" + strings.Join(labels, ",") + "}"
	if known, ok := e.vectors[id]; ok {
		s.vec, _ = known.(vec[M])
		return s
	}
	s.vec = newVec(name, helpOf(kind, name), labels)
	if err := e.registry.Register(unchecked{s.vec}); err != nil {
		e.logger.Warnf("metric %s is not exported: %v", name, err)
		s.vec = nil
		return s
	}
	e.vectors[id] = s.vec
	return s
}

// with returns the metric with the given label values, which are in the caller's order.
func (s series[M]) with(values []string) (metric M, ok bool) {
	if s.vec == nil {
		return metric, false
	}
	if len(values) != len(s.order) {
		s.exporter.logger.Warnf("metric %s has %d labels but got %d values", s.name, len(s.order), len(values))
		return metric, false
	}
	sorted := make([]string, len(values))
	for i, position := range s.order {
		sorted[i] = validLabelValue(values[position])
	}
	metric, err := s.vec.GetMetricWithLabelValues(sorted...)
	if err != nil {
		s.exporter.logger.Warnf("metric %s: %v", s.name, err)
		return metric, false
	}
	return metric, true
}

// DeleteSeriesPartialMatch deletes all series that have all of these labels. The engine calls it
// when a stream is deleted. Without labels it deletes nothing.
func (e *exporter) DeleteSeriesPartialMatch(labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	matching := prometheus.Labels{}
	for key, value := range labels {
		names, _ := validLabelNames([]string{key})
		matching[names[0]] = validLabelValue(value)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, v := range e.vectors {
		v.DeletePartialMatch(matching)
	}
}

// validLabelValue replaces invalid UTF-8, which Prometheus rejects.
func validLabelValue(value string) string { return strings.ToValidUTF8(value, "\uFFFD") }

// unchecked hides the description of a vector from the registry. The registry would reject a second
// set of label names under one metric name, although the text format and Prometheus allow it.
type unchecked struct{ prometheus.Collector }

// Describe sends nothing.
func (unchecked) Describe(chan<- *prometheus.Desc) {}

// validMetricName maps every character outside [a-zA-Z0-9_:] to an underscore.
func validMetricName(name string) string { return validName(name, ":") }

// validLabelNames returns valid and distinct label names in sorted order, and for each name the
// index of its key. Prometheus reserves a leading double underscore, and two names for histograms
// and summaries.
func validLabelNames(keys []string) (labels []string, order []int) {
	valid := make([]string, len(keys))
	for i, key := range keys {
		name := validName(key, "")
		if strings.HasPrefix(name, "__") {
			name = "_" + strings.TrimLeft(name, "_")
		}
		if name == "le" || name == "quantile" {
			name += "_"
		}
		for slices.Contains(valid[:i], name) {
			name += "_"
		}
		valid[i] = name
		order = append(order, i)
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(valid[a], valid[b]) })
	for _, i := range order {
		labels = append(labels, valid[i])
	}
	return labels, order
}

func validName(name, extra string) string {
	valid := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(extra, r):
			return r
		}
		return '_'
	}, name)
	if valid == "" || startsWithDigit(valid) {
		return "_" + valid
	}
	return valid
}

func startsWithDigit(s string) bool { return s != "" && s[0] >= '0' && s[0] <= '9' }
