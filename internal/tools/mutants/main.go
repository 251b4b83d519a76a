// Command mutants breaks the code on purpose and checks that the tests notice. Each patch in
// internal/simulation/mutants is one mutant: the command applies it to a copy of the module and
// runs random schedules until the simulation finds a violation. The run fails if a mutant does not
// apply, does not compile or is not found, and if schedules fail without a mutant.
//
//	mutants [-n schedules] [-seed first] [-j jobs] [-only name,name] [-table file]
//
// A finding counts only if it disappears without the mutant, so the same schedules are run again
// without it. Patches named lua-*.patch break the scripts; the conformance suite of the stores has
// to notice them on a real redis-server. The line "Suite: pipelines" above a patch selects the
// random pipelines of internal/pipelines.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"
)

func main() {
	r := runner{out: os.Stdout}
	flag.IntVar(&r.schedules, "n", 2000, "the number of schedules within which a mutant has to be found")
	flag.Uint64Var(&r.seed, "seed", 1, "the seed of the first schedule; the others follow")
	flag.IntVar(&r.atOnce, "j", 1, "how many mutants to test at the same time")
	only := flag.String("only", "", "names of mutants, separated by commas; empty: all")
	table := flag.String("table", "", "a file to write the results to, as Markdown")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := r.main(ctx, *only, *table)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

// patches is the directory of the mutants.
const patches = "internal/simulation/mutants"

// runner runs the tests on mutants.
type runner struct {
	schedules int
	seed      uint64
	atOnce    int
	mu        sync.Mutex
	out       io.Writer // guarded by mu
	scratch   string
	// healthy holds the compiled tests of the unchanged code.
	healthy map[*suite]program
}

func (r *runner) main(ctx context.Context, only, table string) error {
	all, err := load(patches, only)
	if err != nil {
		return err
	}
	if r.scratch, err = os.MkdirTemp("", "mutants"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(r.scratch) }()
	if err := r.checkHealthy(ctx, all); err != nil {
		return err
	}
	var missed []string
	results := make([]result, len(all))
	places := make(chan struct{}, max(1, r.atOnce))
	var hunts sync.WaitGroup
	for i, m := range all {
		places <- struct{}{}
		hunts.Go(func() {
			results[i] = r.hunt(ctx, m)
			r.print("%s\n", results[i].line())
			<-places
		})
	}
	hunts.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, res := range results {
		if !res.found() {
			missed = append(missed, res.name)
		}
	}
	if table != "" {
		if err := os.WriteFile(table, []byte(page(r, results)), 0o644); err != nil {
			return err
		}
	}
	if len(missed) > 0 {
		return fmt.Errorf("%d of %d mutants were not found: %s", len(missed), len(all), strings.Join(missed, ", "))
	}
	r.print("all %d mutants were found\n", len(all))
	return nil
}

// checkHealthy compiles the unchanged code and checks that a few schedules find nothing.
func (r *runner) checkHealthy(ctx context.Context, all []mutant) error {
	r.healthy = map[*suite]program{}
	for _, m := range all {
		if _, built := r.healthy[m.suite]; built {
			continue
		}
		p, err := r.build(ctx, mutant{name: "healthy-" + m.suite.name, suite: m.suite})
		if err != nil {
			return fmt.Errorf("without a mutant: %w", err)
		}
		r.healthy[m.suite] = p
		began := time.Now()
		switch f, err := p.search(ctx, r.seed, 2*chunk); {
		case err != nil:
			return fmt.Errorf("without a mutant: %w", err)
		case f.how != "":
			return fmt.Errorf("%s: %s at %s, without a mutant: %s", m.suite.name, f.how, f.where(), f.what)
		}
		r.print("%s: no failure without a mutant (%.0f s)\n", m.suite.name, time.Since(began).Seconds())
	}
	return nil
}

// hunt tests one mutant.
func (r *runner) hunt(ctx context.Context, m mutant) result {
	began := time.Now()
	res := result{mutant: m}
	p, err := r.build(ctx, m)
	if err == nil {
		res.finding, err = p.search(ctx, r.seed, r.schedules)
	}
	if err == nil && res.count > 0 {
		var same finding
		if same, err = r.healthy[m.suite].search(ctx, res.from, res.count); same.how != "" {
			err = fmt.Errorf("without the mutant too: %s", same.what)
		}
	}
	res.err, res.took = err, time.Since(began)
	return res
}

func (r *runner) print(format string, v ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = fmt.Fprintf(r.out, format, v...)
}
