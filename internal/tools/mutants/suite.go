package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// suite is a set of tests that should notice mutants.
type suite struct {
	name, folder string
	run          string // a regular expression of test names
	// flags is the prefix of the flags that set the seeds of the tests; empty if the tests have no
	// seeds.
	flags string
	args  []string
}

// seeded reports whether the tests run random schedules.
func (s *suite) seeded() bool { return s.flags != "" }

var (
	simulation  = &suite{name: "simulation", folder: "internal/simulation", run: "EverySchedule", flags: "sim"}
	conformance = &suite{
		name:   "conformance",
		folder: "internal/broker",
		run:    "^Test(StoreConforms|SharesConform|OnlyReadsOfAShareGroup|Append)",
	}
	// Shrinking a failed pipeline takes time and is not needed here.
	pipelines = &suite{
		name:   "pipelines",
		folder: "internal/pipelines",
		run:    "EveryPipeline",
		flags:  "pipelines",
		args:   []string{"-pipelines.shrink=0"},
	}
)

// These suites have no random schedules.
var (
	lanes  = &suite{name: "lanes", folder: "splits", run: "^Test(Lane|Finished|EntriesThatArePassedOver)"}
	poison = &suite{
		name:   "poison",
		folder: "splits",
		run:    "^Test(OnlyTheEntryThatKills|FiveOutages|EntriesThatFailTogether)",
	}
	killers = &suite{
		name:   "killers",
		folder: "splits",
		run:    "^TestShare(OnlyTheEntryThatKills|FiveOutages|Leaving|SeekEnds|SuspectIsStored|DeathOfASuspect)",
	}
	admin    = &suite{name: "admin", folder: "internal/admin", run: "^Test(Seek|Skip|Replay)"}
	verdicts = &suite{
		name:   "verdicts",
		folder: "splits",
		run:    "^Test(LettersWithoutAnAnswer|NothingIsGivenUp|FourthEntryInARow)",
	}
	shared  = &suite{name: "shared", folder: "splits", run: "^TestShare(Entry|Attempts|Letter|Operator|Note)"}
	letters = &suite{name: "letters", folder: "internal/broker", run: "^Test(Letter|KnownMessageID|MessageID)"}
)

// suites are the suites that a mutant can name.
var suites = []*suite{simulation, conformance, pipelines, lanes, poison, killers, admin, shared, verdicts, letters}

const (
	// chunk is how many schedules one process runs: few enough to locate the schedule that crashed
	// the process.
	chunk = 40
	// hangsAfter is when a process counts as hanging; usually it takes seconds.
	hangsAfter = "3m"
)

// finding is what the tests found.
type finding struct {
	how  string // violation, panic, deadlock, hang, failure; "" if nothing was found
	what string // its first line
	// from and count are the seeds that reproduce the finding; count is 0 if there are none.
	from  uint64
	count int
	// played is how many schedules were run until the finding.
	played int
}

// where returns the seeds as text.
func (f finding) where() string {
	switch f.count {
	case 0:
		return "—"
	case 1:
		return fmt.Sprintf("seed %d", f.from)
	}
	return fmt.Sprintf("seeds %d–%d", f.from, f.from+uint64(f.count)-1)
}

// search runs the tests, for at most the given number of schedules if they have seeds.
func (p program) search(ctx context.Context, seed uint64, schedules int) (finding, error) {
	if !p.suite.seeded() {
		return p.start(ctx)
	}
	for played := 0; played < schedules; played += chunk {
		from, n := seed+uint64(played), min(chunk, schedules-played)
		flags := "-" + p.suite.flags
		f, err := p.start(ctx, flags+".seed="+strconv.FormatUint(from, 10), flags+".n="+strconv.Itoa(n))
		switch {
		case err != nil:
			return f, err
		case f.how == "":
			continue
		}
		if f.count == 0 { // the process crashed before it reported the seed
			f.from, f.count = from, n
		}
		f.played = int(f.from-seed) + f.count
		return f, nil
	}
	return finding{}, nil
}

// start runs the tests once.
func (p program) start(ctx context.Context, args ...string) (finding, error) {
	args = slices.Concat([]string{"-test.run", p.suite.run, "-test.timeout", hangsAfter}, p.suite.args, args)
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Dir = p.dir
	// The tests start processes of their own, which would survive when the tests time out.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var all bytes.Buffer
	cmd.Stdout, cmd.Stderr = &all, &all
	err := cmd.Run()
	if cmd.Process != nil {
		_ = cmd.Cancel()
	}
	if ctx.Err() != nil {
		return finding{}, ctx.Err()
	}
	out := all.String()
	if err == nil && strings.Contains(out, "no tests to run") {
		return finding{}, fmt.Errorf("no test of %s is named %s", p.suite.folder, p.suite.run)
	}
	if _, failed := errors.AsType[*exec.ExitError](err); err == nil || !failed {
		return finding{}, err
	}
	return p.suite.read(out)
}

var (
	violation = regexp.MustCompile(`seed (\d+) \((?:schedule|pipeline) \d+\), \{[^}]*\}: (.+)`)
	died      = regexp.MustCompile(`seed (\d+): the process that played it ended`)
	panicked  = regexp.MustCompile(`(?m)^\s*(?:panic|fatal error): (.+)$`)
	failure   = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	recovered = regexp.MustCompile(` \[recovered.*\]$`)
)

// read parses the output of failed tests.
func (s *suite) read(out string) (finding, error) {
	if v := violation.FindStringSubmatch(out); v != nil {
		seed, err := strconv.ParseUint(v[1], 10, 64)
		return finding{how: "violation", what: v[2], from: seed, count: 1}, err
	}
	if v := panicked.FindStringSubmatch(out); v != nil {
		what := recovered.ReplaceAllString(v[1], "")
		f := finding{how: "panic", what: what}
		if v := died.FindStringSubmatch(out); v != nil {
			seed, err := strconv.ParseUint(v[1], 10, 64)
			if err != nil {
				return finding{}, err
			}
			f.from, f.count = seed, 1
		}
		switch {
		case strings.HasPrefix(what, "test timed out"):
			f.how = "hang"
		case strings.Contains(what, "deadlock"):
			f.how = "deadlock"
		}
		return f, nil
	}
	if all := failure.FindAllStringSubmatch(out, -1); all != nil && !s.seeded() {
		deepest := slices.MaxFunc(all, func(a, b []string) int { return cmp.Compare(len(a[1]), len(b[1])) })[1]
		return finding{how: "failure", what: deepest}, nil
	}
	return finding{}, fmt.Errorf("the tests failed with unknown output: %s", out[max(0, len(out)-2000):])
}
