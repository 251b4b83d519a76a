//go:build simulation

package simulation

import (
	"flag"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	schedules = flag.Int("sim.n", 100, "how many schedules to play")
	firstSeed = flag.Uint64("sim.seed", 1, "the seed of the first schedule; the others follow")
)

// TestEverySchedule plays random schedules. A failure tells the seed: play that alone with make sim SEED=... N=1.
func TestEverySchedule(t *testing.T) {
	total := newTally()
	var mu sync.Mutex
	var members, partitions, faults []int
	var next atomic.Uint64
	var failed atomic.Bool
	began := time.Now()
	t.Run("schedules", func(t *testing.T) {
		for range runtime.GOMAXPROCS(0) {
			t.Run("worker", func(t *testing.T) {
				t.Parallel()
				for !failed.Load() {
					n := next.Add(1) - 1
					if n >= uint64(*schedules) {
						return
					}
					seed := *firstSeed + n
					var p plan
					var effective int
					var violation string
					synctest.Test(t, func(*testing.T) { p, effective, violation = play(seed, total) })
					if violation != "" {
						failed.Store(true)
						t.Errorf("seed %d (schedule %d), %+v: %s", seed, n+1, p, violation)
					}
					mu.Lock()
					members, partitions, faults = append(members, p.members), append(partitions, p.partitions), append(faults, effective)
					mu.Unlock()
				}
			})
		}
	})
	t.Logf("%d schedules in %v, median of members %d, partitions %d, effective faults %d\n%v", len(faults), time.Since(began).Round(time.Millisecond),
		median(members), median(partitions), median(faults), total)
	require.NotEmpty(t, faults)
	if *schedules >= 50 && !t.Failed() {
		assert.GreaterOrEqual(t, median(members), 8)
		assert.GreaterOrEqual(t, median(partitions), 32)
		assert.GreaterOrEqual(t, median(faults), 40)
	}
}

func median(values []int) int {
	slices.Sort(values)
	return values[len(values)/2]
}

// TestWallClockIsSetApart guards what setWall knows about package time.
func TestWallClockIsSetApart(t *testing.T) {
	before := time.Now()
	after := setWall(before, -3*time.Second)
	assert.Zero(t, after.Sub(before), "the monotonic clock has moved")
	assert.Equal(t, -3*time.Second, after.Round(0).Sub(before.Round(0)))
}
