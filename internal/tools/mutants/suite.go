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

// suite is tests that are to notice mutants.
type suite struct {
	name, folder string
	run          string // which tests
	// flags is the prefix of the flags that say which seeds the tests play; empty: they play none.
	flags string
	// args are further arguments.
	args []string
}

// seeded says that the tests play seeds.
func (s *suite) seeded() bool { return s.flags != "" }

var (
	simulation  = &suite{name: "simulation", folder: "internal/simulation", run: "EverySchedule", flags: "sim"}
	conformance = &suite{name: "conformance", folder: "internal/broker", run: "^Test(StoreConforms|Append)"}
	// A pipeline that a mutant breaks is not shrunk.
	pipelines = &suite{
		name:   "pipelines",
		folder: "internal/pipelines",
		run:    "EveryPipeline",
		flags:  "pipelines",
		args:   []string{"-pipelines.shrink=0"},
	}
)

// suites are those that a mutant may name.
var suites = []*suite{simulation, conformance, pipelines}

const (
	// chunk is how many schedules one process plays: few enough to tell about where one was that
	// brought the process down.
	chunk = 40
	// patience is after how long a process hangs; usually it takes seconds.
	patience = "3m"
)

// finding is what tests found.
type finding struct {
	how  string // violation, panic, deadlock, hang, failure; "" if nothing was found
	what string // the first line of it
	// from and count are the seeds to play to find it again; count is 0 if there are none.
	from  uint64
	count int
	// played is how many schedules it took.
	played int
}

// where tells the seeds.
func (f finding) where() string {
	switch f.count {
	case 0:
		return "—"
	case 1:
		return fmt.Sprintf("seed %d", f.from)
	}
	return fmt.Sprintf("seeds %d–%d", f.from, f.from+uint64(f.count)-1)
}

// search runs the tests, over so many schedules at most if they play any.
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
		if f.count == 0 { // the process did not live to tell the seed
			f.from, f.count = from, n
		}
		f.played = int(f.from-seed) + f.count
		return f, nil
	}
	return finding{}, nil
}

// start runs the tests once.
func (p program) start(ctx context.Context, args ...string) (finding, error) {
	args = slices.Concat([]string{"-test.run", p.suite.run, "-test.timeout", patience}, p.suite.args, args)
	cmd := exec.CommandContext(ctx, p.binary, args...)
	cmd.Dir = p.dir
	// The tests start processes of their own, which would outlive those that run out of time.
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

// read understands what tests print that fail.
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
	return finding{}, fmt.Errorf("the tests failed in a way that says nothing: %s", out[max(0, len(out)-2000):])
}
