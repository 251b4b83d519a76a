package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// mostRepeated is how many lines of one failure are repeated at the end.
const mostRepeated = 40

type summary struct {
	out                     io.Writer
	verbose                 bool
	began                   time.Time
	printed                 int // number of calls of print
	passed, failed, skipped int
	// failedIn holds the packages with failed tests.
	failedIn map[string]bool
	// outputs holds the output of each test that was not shown yet. The output of a package itself
	// belongs to the test with an empty name.
	outputs map[test][]string
	// running holds the start time of each running package and test, except of tests that are
	// paused.
	running map[test]time.Time
	// failures holds what is repeated at the end.
	failures []failure
}

// test names a test, or, with an empty name, its package.
type test struct{ pkg, name string }

func (t test) String() string { return strings.TrimSpace(t.pkg + " " + t.name) }

// failure is a test that failed or was skipped, or a package that crashed or did not build, and its
// output.
type failure struct {
	what   string
	output []string
}

func newSummary(out io.Writer, verbose bool) *summary {
	return &summary{
		out:      out,
		verbose:  verbose,
		began:    time.Now(),
		failedIn: map[string]bool{},
		outputs:  map[test][]string{},
		running:  map[test]time.Time{},
	}
}

func (s *summary) add(e event) {
	id := test{e.Package, e.Test}
	switch e.Action {
	case "start":
		delete(s.failedIn, e.Package) // another run may test it again
		s.running[id] = time.Now()
		s.print("run   %s\n", e.Package)
	case "run", "cont":
		s.running[id] = time.Now()
	case "pause":
		delete(s.running, id)
	case "output":
		s.outputs[id] = append(s.outputs[id], e.Output)
	case "build-output":
		s.print("%s", e.Output)
		built := test{pkg: e.ImportPath}
		s.outputs[built] = append(s.outputs[built], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e, id)
		} else {
			s.endTest(e, id)
		}
		delete(s.running, id)
		delete(s.outputs, id)
	}
}

func (s *summary) endTest(e event, id test) {
	switch e.Action {
	case "pass":
		s.passed++
		if s.verbose {
			s.show(id)
		}
		return
	case "fail":
		s.failed++
		s.failedIn[e.Package] = true
	case "skip":
		s.skipped++
	}
	s.show(id)
	s.note(e.Action+" "+id.String(), s.outputs[id])
}

// endPackage also shows the output of unfinished tests of the package: one of them was running when
// the package crashed or timed out.
func (s *summary) endPackage(e event, id test) {
	if e.Action != "fail" {
		if e.Action == "pass" { // "skip" is a package without tests
			s.print("ok    %s  %.1fs%s\n", e.Package, e.Elapsed, s.cached(id))
		}
		return
	}
	lines := slices.Clone(s.outputs[id])
	if built := (test{pkg: e.FailedBuild}); built != id { // it was shown when it arrived
		lines = append(lines, s.outputs[built]...)
	}
	for _, other := range slices.SortedFunc(maps.Keys(s.outputs), compare) {
		if other != id && other.pkg == e.Package {
			lines = append(lines, s.outputs[other]...)
			s.show(other)
			delete(s.outputs, other)
			delete(s.running, other)
		}
	}
	if !s.failedIn[e.Package] {
		s.failed++ // it did not build, crashed, or ran out of time
		s.note("fail "+e.Package, lines)
	}
	s.show(id)
	s.print("FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
}

func compare(a, b test) int { return cmp.Or(cmp.Compare(a.pkg, b.pkg), cmp.Compare(a.name, b.name)) }

// cached returns a note if the result came from the test cache.
func (s *summary) cached(id test) string {
	for _, line := range s.outputs[id] {
		if strings.HasPrefix(line, "ok ") && strings.Contains(line, "(cached)") {
			return " (cached)"
		}
	}
	return ""
}

func (s *summary) show(id test) {
	for _, line := range s.outputs[id] {
		s.print("%s", line)
	}
}

func (s *summary) note(what string, output []string) {
	s.failures = append(s.failures, failure{what, slices.Clone(output)})
}

// report prints what is running.
func (s *summary) report() {
	packages := map[string][]test{}
	for id := range s.running {
		if packages[id.pkg] == nil {
			packages[id.pkg] = []test{}
		}
		if id.name != "" {
			packages[id.pkg] = append(packages[id.pkg], id)
		}
	}
	if len(packages) == 0 {
		s.print("      %s: building\n", s.since(s.began))
		return
	}
	for _, pkg := range slices.Sorted(maps.Keys(packages)) {
		s.print("      %s: %s%s\n", s.since(s.began), pkg, s.oldest(packages[pkg]))
	}
}

// oldest returns the test that has been running for longest, and the number of others. A test runs
// as long as its subtests, so only tests without subtests count.
func (s *summary) oldest(tests []test) string {
	leaves := slices.DeleteFunc(slices.Clone(tests), func(t test) bool {
		return slices.ContainsFunc(tests, func(other test) bool { return strings.HasPrefix(other.name, t.name+"/") })
	})
	if len(leaves) == 0 {
		return ""
	}
	first := slices.MinFunc(
		leaves,
		func(a, b test) int { return cmp.Or(s.running[a].Compare(s.running[b]), compare(a, b)) },
	)
	text := fmt.Sprintf(" %s (%s)", first.name, s.since(s.running[first]))
	if len(leaves) > 1 {
		text += fmt.Sprintf(" and %d more", len(leaves)-1)
	}
	return text
}

// repeat prints failed and skipped tests again, since much output may have followed them.
func (s *summary) repeat() {
	for i, f := range s.failures {
		if i == 0 {
			s.print("\nWhat failed or was skipped:\n")
		}
		s.print("\n%s\n", f.what)
		for _, line := range f.output[:min(len(f.output), mostRepeated)] {
			s.print("%s", line)
		}
		if more := len(f.output) - mostRepeated; more > 0 {
			s.print("... and %d more lines, see above\n", more)
		}
	}
	if len(s.failures) > 0 {
		s.print("\n")
	}
}
