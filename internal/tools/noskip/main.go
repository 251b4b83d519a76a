// Command noskip reads the output of one or several runs of `go test -json` on stdin and fails if a
// test failed or was skipped: a skipped test would be an unchecked promise. It prints a line when a
// package starts and ends, the output of failed and skipped tests, and, while nothing else happens,
// the running tests. At the end it repeats the failures. With -v it also prints the output of
// passed tests.
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
	"time"
)

// reportEvery is how long noskip prints nothing before it reports what is running.
const reportEvery = 30 * time.Second

func main() {
	verbose := flag.Bool("v", false, "also print the output of passed tests")
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
	// ImportPath is the package that was built; FailedBuild is the package whose build failed.
	ImportPath, FailedBuild string
}

// run returns the exit code: 0 if everything passed and nothing was skipped.
func run(in io.Reader, out io.Writer, verbose bool) int {
	lines, ended := make(chan string), make(chan error, 1)
	go func() { ended <- scan(in, lines) }() // ends with in
	s := newSummary(out, verbose)
	quiet := time.NewTicker(reportEvery)
	defer quiet.Stop()
	for {
		select {
		case line := <-lines:
			if s.take(line) {
				quiet.Reset(reportEvery)
			}
		case <-quiet.C:
			s.report()
		case err := <-ended:
			return s.finish(err)
		}
	}
}

// scan sends each line of in.
func scan(in io.Reader, lines chan<- string) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		lines <- scanner.Text()
	}
	return scanner.Err()
}

// take processes one line, and reports whether anything was printed.
func (s *summary) take(line string) bool {
	before := s.printed
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		s.print("%s\n", line) // not from go test itself, such as a message of the toolchain
	} else {
		s.add(e)
	}
	return s.printed > before
}

// finish prints the result and returns the exit code. err is the reason why the input ended early.
func (s *summary) finish(err error) int {
	s.repeat()
	s.print("%d passed, %d failed, %d skipped in %s\n", s.passed, s.failed, s.skipped, s.since(s.began))
	switch {
	case err != nil:
		s.print("reading the output of go test: %v\n", err)
		return 1
	case s.passed == 0:
		s.print("no test ran\n")
		return 1
	case s.failed+s.skipped > 0:
		return 1
	}
	return 0
}

// since returns the time since then, in whole seconds.
func (s *summary) since(then time.Time) time.Duration { return time.Since(then).Round(time.Second) }

// print prints, and counts the calls.
func (s *summary) print(format string, v ...any) {
	s.printed++
	_, _ = fmt.Fprintf(s.out, format, v...)
}
