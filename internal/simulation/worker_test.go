package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Every schedule runs in a process with one thread that runs nothing else meanwhile. Goroutines
// then run in the order in which they become ready, which reproduces most violations from their
// seeds and is faster than two schedules that share threads. So the test starts itself again, once
// per processor, and each of these workers runs every n-th schedule.

// report is what a worker reports about one schedule, as a line of JSON. One report precedes the
// schedule: it identifies the schedule if the worker dies.
type report struct {
	Seed       uint64
	Begins     bool           `json:",omitempty"`
	Share      bool           `json:",omitempty"` // the schedule has a share group
	Members    int            `json:",omitempty"`
	Partitions int            `json:",omitempty"`
	Faults     int            `json:",omitempty"` // faults that took effect
	Counts     map[string]int `json:",omitempty"`
	Plan       string         `json:",omitempty"` // set if there was a violation
	Violation  string         `json:",omitempty"`
}

// reportsTo is the file descriptor for the reports of a worker.
const reportsTo = 3

// playStride is the worker.
func playStride(t *testing.T) {
	out := json.NewEncoder(os.NewFile(reportsTo, "reports"))
	for n := 0; n < *schedules; n += *stride {
		seed := *firstSeed + uint64(n)
		require.NoError(t, out.Encode(report{Seed: seed, Begins: true}))
		var r report
		synctest.Test(t, func(*testing.T) { r = play(seed) })
		require.NoError(t, out.Encode(r))
		if r.Violation != "" {
			return
		}
	}
}

// progressEvery is how often a long run logs its progress.
const progressEvery = time.Minute

// playInWorkers runs all schedules, up to the first violation.
func playInWorkers(t *testing.T, workers int) *sum {
	workers = min(workers, *schedules)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reports := make(chan report)
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() { work(ctx, t, i, workers, reports) })
	}
	go func() { // ends with the workers
		running.Wait()
		close(reports)
	}()
	all := &sum{counts: newCounts()}
	said := time.Now()
	for r := range reports {
		all.played = append(
			all.played,
			report{Seed: r.Seed, Share: r.Share, Members: r.Members, Partitions: r.Partitions, Faults: r.Faults},
		)
		all.counts.merge(r.Counts)
		if r.Violation != "" {
			t.Errorf("seed %d (schedule %d), %s: %s", r.Seed, len(all.played), r.Plan, r.Violation)
			stop()
		}
		if time.Since(said) > progressEvery {
			said = time.Now()
			t.Logf("%d schedules so far", len(all.played))
		}
	}
	return all
}

// work runs one worker and forwards its reports.
func work(ctx context.Context, t *testing.T, i, workers int, reports chan<- report) {
	from, to, err := os.Pipe()
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = from.Close() }()
	worker := exec.CommandContext(
		ctx,
		os.Args[0],
		"-test.run=^TestEverySchedule$",
		"-test.timeout=0",
		"-sim.seed="+strconv.FormatUint(
			*firstSeed+uint64(i),
			10,
		),
		fmt.Sprintf("-sim.n=%d", *schedules-i),
		fmt.Sprintf("-sim.stride=%d", workers),
	)
	worker.Env = append(os.Environ(), "GOMAXPROCS=1", "GOGC=400")
	worker.ExtraFiles = []*os.File{to}
	tail := &tail{}
	worker.Stdout, worker.Stderr = tail, tail
	err = worker.Start()
	_ = to.Close()
	if err != nil {
		t.Error(err)
		return
	}
	begun := handOn(from, reports)
	if err := worker.Wait(); err != nil && ctx.Err() == nil {
		t.Errorf("seed %d: the process that played it ended: %v\n%s", begun, err, tail)
	}
}

// handOn forwards the reports of completed schedules, and returns the seed of the schedule that
// began last.
func handOn(from io.Reader, reports chan<- report) (begun uint64) {
	in := json.NewDecoder(from)
	for {
		var r report
		if in.Decode(&r) != nil {
			return begun
		}
		if r.Begins {
			begun = r.Seed
			continue
		}
		reports <- r
	}
}

// tail keeps the end of the output of a worker.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const keptOutput = 16 << 10

func (o *tail) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, p...)
	o.kept = o.kept[max(0, len(o.kept)-keptOutput):]
	return len(p), nil
}

func (o *tail) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.kept)
}
