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
	plans     = flag.Int("pipelines.n", 250, "how many pipelines to play")
	firstSeed = flag.Uint64("pipelines.seed", 1, "the seed of the first pipeline; the others follow")
	atOnce    = flag.Int("pipelines.j", 8, "how many pipelines to play at once")
	shrinkFor = flag.Duration("pipelines.shrink", time.Minute, "how long to look for a simpler pipeline that fails too")
)

// TestEveryPipeline plays random pipelines. A failure names the seed: play it alone with make
// pipelines SEED=... N=1.
func TestEveryPipeline(t *testing.T) {
	s := newStage(t)
	began := time.Now()
	played := s.playAll(t)
	t.Logf("%d pipelines in %v\n%v", played, time.Since(began).Round(time.Millisecond), s.tally)
	if *plans >= 250 { // fewer need not have everything
		assert.GreaterOrEqual(t, s.tally.size("processor"), 45)
		assert.GreaterOrEqual(t, s.tally.size("output"), 15)
		assert.GreaterOrEqual(t, s.tally.size("failure"), 6)
	}
}

// playAll plays all pipelines, several at once, and stops at the first that fails.
func (s *stage) playAll(t *testing.T) (played int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var mu sync.Mutex
	var players sync.WaitGroup
	var failed error
	next := 0
	for range *atOnce {
		players.Go(func() {
			for ctx.Err() == nil {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= *plans {
					return
				}
				seed := *firstSeed + uint64(i)
				err := s.playSeed(ctx, seed, i+1)
				mu.Lock()
				if err == nil {
					played++
				} else if failed == nil && ctx.Err() == nil {
					failed = err
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	players.Wait()
	require.NoError(t, failed)
	return played
}

// playSeed plays the pipeline of a seed. The error says everything about one that fails, and shows
// the simplest that fails in the same way.
func (s *stage) playSeed(ctx context.Context, seed uint64, nth int) error {
	p := newPlan(newDraw(seed))
	v, err := s.play(ctx, p)
	if err != nil {
		return fmt.Errorf("seed %d can't be played:\n%s\n%w", seed, yamlOf(p.config), err)
	}
	s.count(p)
	if v == nil {
		return nil
	}
	first := report(v)
	simplest, tries := s.simplest(ctx, p, v)
	return fmt.Errorf("seed %d (pipeline %d), {%s}: %s\n\n%s\n\nThe simplest that fails so, after %d tries:\n\n%s",
		seed, nth, v.kind, v.what, first, tries, report(simplest))
}

// count takes down which components took part.
func (s *stage) count(p *plan) {
	for group, components := range p.used {
		for _, component := range components {
			s.tally.hit(group, component)
		}
	}
}

// simplest shrinks a plan that fails. What fails only sometimes is tried more than once.
func (s *stage) simplest(ctx context.Context, p *plan, v *verdict) (simplest *verdict, tries int) {
	const attempts = 3
	simplest = v
	shrink(p.draws, time.Now().Add(*shrinkFor), func(draws []int) ([]span, bool) {
		candidate := newPlan(replay(draws))
		tries++
		found := make(chan *verdict, attempts)
		for range attempts {
			go func() {
				got, err := s.play(ctx, candidate)
				if err != nil || got != nil && got.kind != v.kind {
					got = nil // something else is wrong with it
				}
				found <- got
			}()
		}
		var failing *verdict
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

// lastLines is how much of a history and of a log is shown.
const lastLines = 60

// report is a run that fails: the plan, its configuration, what the sinks got and what the log
// says.
func report(v *verdict) string {
	v.run.world.mu.Lock()
	history := v.run.world.history
	v.run.world.mu.Unlock()
	log := v.run.journal.Lines()
	return fmt.Sprintf(
		"%s: %s\n%s\n%s\nwhat the sinks got (! is what they refused):\n%s\n\nlog:\n%s",
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
