package pipelines

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	plans     = flag.Int("pipelines.n", 250, "how many pipelines to run")
	firstSeed = flag.Uint64("pipelines.seed", 1, "the seed of the first pipeline; the others follow")
	atOnce    = flag.Int("pipelines.j", 8, "how many pipelines to run at a time")
	shrinkFor = flag.Duration(
		"pipelines.shrink",
		time.Minute,
		"how long to look for a simpler pipeline that also fails",
	)
)

// TestEveryPipeline runs random pipelines. A failure names the seed; run it alone with `make
// pipelines SEED=... N=1`.
func TestEveryPipeline(t *testing.T) {
	s := newHarness(t)
	began := time.Now()
	played := s.runAll(t)
	t.Logf("%d pipelines in %v\n%v", played, time.Since(began).Round(time.Millisecond), s.counts)
	if *plans >= 250 { // fewer may not cover everything
		assert.GreaterOrEqual(t, s.counts.distinct("processor"), 45)
		assert.GreaterOrEqual(t, s.counts.distinct("output"), 15)
		assert.GreaterOrEqual(t, s.counts.distinct("failure"), 6)
		assert.GreaterOrEqual(t, s.counts.of("group", "share group"), *plans/8)
		assert.GreaterOrEqual(t, s.counts.of("group", "share group with failures"), *plans/16)
	}
}

// runAll runs all pipelines, several at a time, and stops at the first failure.
func (s *harness) runAll(t *testing.T) (completed int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var workers sync.WaitGroup
	var failed error
	next := 0
	for range *atOnce {
		workers.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= *plans {
					return
				}
				seed := *firstSeed + uint64(i)
				err := s.runSeed(ctx, seed, i+1)
				mu.Lock()
				if err == nil {
					completed++
				} else if failed == nil && ctx.Err() == nil {
					failed = err
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	require.NoError(t, failed)
	return completed
}

// runSeed runs the pipeline of a seed. The error describes a violation in full, with the simplest
// pipeline that has the same kind of violation.
func (s *harness) runSeed(ctx context.Context, seed uint64, nth int) error {
	p := newPlan(newDraw(seed))
	v, err := s.execute(ctx, p)
	if err != nil {
		return fmt.Errorf("seed %d can't be run:\n%s\n%w", seed, yamlOf(p.config), err)
	}
	s.countComponents(p)
	if v == nil {
		return nil
	}
	first := report(v)
	simplest, tries := s.simplify(ctx, p, v)
	return fmt.Errorf(
		"seed %d (pipeline %d), {%s}: %s\n\n%s\n\nThe simplest pipeline that fails in this way, after %d tries:\n\n%s",
		seed,
		nth,
		v.kind,
		v.what,
		first,
		tries,
		report(simplest),
	)
}

// countComponents counts the components of a plan.
func (s *harness) countComponents(p *plan) {
	for group, components := range p.used {
		for _, component := range components {
			s.counts.count(group, component)
		}
	}
}

// simplify shrinks a failing plan. Each candidate runs several times, since some violations are
// rare.
func (s *harness) simplify(ctx context.Context, p *plan, v *violation) (simplest *violation, tries int) {
	const attempts = 3
	simplest = v
	shrink(p.draws, time.Now().Add(*shrinkFor), func(draws []int) ([]span, bool) {
		candidate := newPlan(replay(draws))
		tries++
		found := make(chan *violation, attempts)
		for range attempts {
			go func() {
				got, err := s.execute(ctx, candidate)
				if err != nil || got != nil && got.kind != v.kind {
					got = nil // another problem
				}
				found <- got
			}()
		}
		var failing *violation
		for range attempts {
			if got := <-found; got != nil {
				failing = got
			}
		}
		if failing != nil {
			simplest = failing
		}
		return candidate.spans, failing != nil
	})
	return simplest, tries
}

// lastLines is how many lines of a history are shown.
const lastLines = 60

// report describes a failed run: the plan, its configuration, what the sinks received, and the log.
func report(v *violation) string {
	v.run.results.mu.Lock()
	history := v.run.results.history
	v.run.results.mu.Unlock()
	log := v.run.journal.Lines()
	return fmt.Sprintf(
		"%s: %s\n%s\n%s\nreceived by the sinks (!: refused):\n%s\n\nlog:\n%s",
		v.kind,
		v.what,
		v.run.plan.describe(),
		v.run.yaml(),
		strings.Join(
			history[max(0, len(history)-lastLines):],
			"\n",
		),
		strings.Join(log[max(0, len(log)-lastLines/3):], ""),
	)
}
