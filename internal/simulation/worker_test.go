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

// A schedule is played in a process that has one thread for it and plays nothing else meanwhile:
// goroutines take turns then as they become ready, which brings most violations back with their
// seed, and is faster than two schedules that share threads. So the test starts itself again, once
// for each processor, and each of these workers plays every n-th schedule.

// report is what a worker tells of one schedule, a line of JSON each. One comes before it is
// played, so that it is known which one a worker died of.
type report struct {
	Seed       uint64
	Begins     bool           `json:",omitempty"`
	Members    int            `json:",omitempty"`
	Partitions int            `json:",omitempty"`
	Faults     int            `json:",omitempty"` // that took effect
	Tally      map[string]int `json:",omitempty"`
	Plan       string         `json:",omitempty"` // of one that was violated
	Violation  string         `json:",omitempty"`
}

// reportsTo is the file descriptor of a worker's reports.
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

// progressEvery is how often a long run says how far it is.
const progressEvery = time.Minute

// playInWorkers has all schedules played, up to the first violation.
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
	all := &sum{tally: newTally()}
	said := time.Now()
	for r := range reports {
		all.played = append(
			all.played,
			report{Seed: r.Seed, Members: r.Members, Partitions: r.Partitions, Faults: r.Faults},
		)
		all.tally.add(r.Tally)
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

// work runs one worker and hands on what it reports.
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

// handOn hands the reports of schedules that were played on, and returns the seed of the one that
// was begun last.
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

// tail keeps the end of what a worker prints.
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
