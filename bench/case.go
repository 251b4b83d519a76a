package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// benchCase is one comparison: contenders that run in turns, and the aims for their medians.
type benchCase struct {
	name, title string
	server      []string // arguments of redis-server
	// prepare creates the topics of the contenders and returns the contenders.
	prepare func(context.Context, *environment) ([]contender, error)
	aims    []aim
}

// contender is an element of a comparison.
type contender struct {
	name string
	run  func(context.Context, *environment) (sample, error)
}

// aim is a bound for a value, or for the ratio of two values.
type aim struct {
	what, of    string // contenders; of is empty for a bound on the value itself
	orOf        string // if set, the smaller value of the two is used
	value       string // the compared value, such as rate
	least, most float64
}

// result is the result of a case.
type result struct {
	Name  string      `json:"name"`
	Title string      `json:"title"`
	Rows  []row       `json:"contenders"`
	Aims  []aimResult `json:"bars"`
}

type row struct {
	Name   string               `json:"name"`
	Values map[string][]float64 `json:"values"` // in the order of the rounds
}

type aimResult struct {
	Text string  `json:"text"`
	Got  float64 `json:"got"`
	Aim  string  `json:"bar"`
	Met  bool    `json:"met"`
}

func choose(names []string) ([]benchCase, error) {
	all := cases()
	if len(names) == 0 {
		return all, nil
	}
	var chosen []benchCase
	for _, name := range names {
		i := slices.IndexFunc(all, func(c benchCase) bool { return c.name == name })
		if i < 0 {
			known := make([]string, len(all))
			for i, c := range all {
				known[i] = c.name
			}
			return nil, fmt.Errorf("unknown case %q: the cases are %s", name, strings.Join(known, ", "))
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// measure runs the contenders in turns: A B A B.
func (c benchCase) measure(ctx context.Context, e *environment, rounds int) (r *result, err error) {
	if err := e.open(c.server...); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	contenders, err := c.prepare(ctx, e)
	if err != nil {
		return nil, err
	}
	if e.base != "" {
		contenders, c.aims = withBase(contenders), nil
	}
	r = &result{Name: c.name, Title: c.title}
	for _, contender := range contenders {
		r.Rows = append(r.Rows, row{Name: contender.name, Values: map[string][]float64{}})
	}
	for range rounds {
		for i, contender := range contenders {
			s, err := contender.run(ctx, e)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", contender.name, err)
			}
			for name, value := range s {
				r.Rows[i].Values[name] = append(r.Rows[i].Values[name], value)
			}
		}
	}
	for _, b := range c.aims {
		r.Aims = append(r.Aims, b.check(r))
	}
	return r, nil
}

func (r *result) values(contender, value string) []float64 {
	for _, row := range r.Rows {
		if row.Name == contender {
			return row.Values[value]
		}
	}
	return nil
}

// ratiosOf returns the ratio of the values of each round.
func ratiosOf(values, others []float64) []float64 {
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = values[i] / others[i]
	}
	return ratios
}

// check compares medians. A ratio is the median of the ratios of all rounds, so that a slow minute
// of the machine affects both sides.
func (b aim) check(r *result) aimResult {
	got, text := r.values(b.what, b.value), b.what+": "+b.value
	if b.of != "" {
		other, name := r.values(b.of, b.value), b.of
		if second := r.values(b.orOf, b.value); median(second) < median(other) {
			other, name = second, b.orOf
		}
		got, text = ratiosOf(got, other), fmt.Sprintf("%s : %s, %s", b.what, name, b.value)
	}
	j := aimResult{Text: text, Got: median(got)}
	if b.least > 0 {
		j.Aim, j.Met = fmt.Sprintf("at least %g", b.least), j.Got >= b.least
	} else {
		j.Aim, j.Met = fmt.Sprintf("at most %g", b.most), j.Got <= b.most
	}
	return j
}

// print writes the medians of a case, with the minimum and maximum of each value.
func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s: %s\n", r.Name, r.Title)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	var columns []string
	for _, row := range r.Rows {
		for name := range maps.Keys(row.Values) {
			if !slices.Contains(columns, name) {
				columns = append(columns, name)
			}
		}
	}
	slices.Sort(columns)
	if i := slices.Index(columns, rate); i > 0 {
		columns = slices.Insert(slices.Delete(columns, i, i+1), 0, rate)
	}
	fmt.Fprintf(t, "\t%s\n", strings.Join(columns, "\t"))
	for _, row := range r.Rows {
		fmt.Fprint(t, row.Name)
		for _, name := range columns {
			switch values := row.Values[name]; len(values) {
			case 0:
				fmt.Fprint(t, "\t")
			case 1:
				fmt.Fprintf(t, "\t%s", figure(values[0]))
			default:
				fmt.Fprintf(
					t,
					"\t%s (%s-%s)",
					figure(median(values)),
					figure(slices.Min(values)),
					figure(slices.Max(values)),
				)
			}
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush()
}

// figure formats a number with three digits, or as a whole number from 100 on.
func figure(v float64) string {
	if v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.3g", v)
}

func printAims(w io.Writer, results []*result) {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\tcompared\tgot\taim\t")
	for _, r := range results {
		for _, b := range r.Aims {
			status := "MISSED"
			if b.Met {
				status = "met"
			}
			fmt.Fprintf(t, "%s\t%s\t%.3g\t%s\t%s\n", r.Name, b.Text, b.Got, b.Aim, status)
		}
	}
	_ = t.Flush()
}
