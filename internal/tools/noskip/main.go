// Command noskip reads the output of `go test -json` on stdin and fails if a test failed or was skipped: here a skipped test
// is a promise that nobody has checked. It prints one line a package, and all that failing or skipped tests printed; with -v all that any
// test printed.
//
//	go test -json ./... | noskip [-v]
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	verbose := flag.Bool("v", false, "print what tests print that pass, too")
	flag.Parse()
	os.Exit(run(os.Stdin, os.Stdout, *verbose))
}

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Elapsed float64
	Output  string
}

// run returns the exit code: 0 if everything passed and nothing was skipped.
func run(in io.Reader, out io.Writer, verbose bool) int {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	s := &summary{out: out, verbose: verbose, failedIn: map[string]bool{}, outputs: map[string][]string{}}
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			s.print("%s\n", lines.Text()) // not of go test itself, such as a message of the toolchain
			continue
		}
		s.add(e)
	}
	if err := lines.Err(); err != nil {
		s.print("reading the output of go test: %v\n", err)
		return 1
	}
	s.print("%d passed, %d failed, %d skipped\n", s.passed, s.failed, s.skipped)
	if s.passed == 0 {
		s.print("no test ran\n")
		return 1
	}
	if s.failed+s.skipped > 0 {
		return 1
	}
	return 0
}

type summary struct {
	out                     io.Writer
	verbose                 bool
	passed, failed, skipped int
	// failedIn holds the packages of failed tests.
	failedIn map[string]bool
	// outputs holds what each test (a package for itself: test "") has printed and not been shown for yet.
	outputs map[string][]string
}

func (s *summary) add(e event) {
	id := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		s.outputs[id] = append(s.outputs[id], e.Output)
	case "build-output":
		s.print("%s", e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			s.endPackage(e, id)
		} else {
			s.endTest(e, id)
		}
		delete(s.outputs, id)
	}
}

func (s *summary) endTest(e event, id string) {
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
}

// endPackage also shows the tests of the package that have not ended: one of them was running when it crashed or ran out of time.
func (s *summary) endPackage(e event, id string) {
	if e.Action != "fail" {
		if e.Action == "pass" { // "skip" is a package without tests
			s.print("ok    %s  %.1fs\n", e.Package, e.Elapsed)
		}
		return
	}
	if !s.failedIn[e.Package] {
		s.failed++ // it did not build, crashed, or ran out of time
	}
	for other := range s.outputs {
		if other != id && strings.HasPrefix(other, e.Package+" ") {
			s.show(other)
			delete(s.outputs, other)
		}
	}
	s.show(id)
	s.print("FAIL  %s  %.1fs\n", e.Package, e.Elapsed)
}

func (s *summary) show(id string) {
	for _, line := range s.outputs[id] {
		s.print("%s", line)
	}
}

func (s *summary) print(format string, v ...any) { _, _ = fmt.Fprintf(s.out, format, v...) }
