package simulation

import (
	"flag"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	schedules = flag.Int("sim.n", 60, "how many schedules to run")
	firstSeed = flag.Uint64("sim.seed", 1, "the seed of the first schedule; the others follow")
	stride    = flag.Int(
		"sim.stride",
		0,
		"run every n-th schedule and report to the parent process; used by the test itself",
	)
)

// medianFaults and the other medians are the minimum size of the schedules: smaller schedules would
// prove little, however many pass.
const (
	medianMembers    = 8
	medianPartitions = 32
	medianFaults     = 40
)

// TestEverySchedule runs random schedules. A failure prints the seed; run that schedule alone with
// `make sim SEED=... N=1`.
func TestEverySchedule(t *testing.T) {
	if *stride > 0 {
		playStride(t)
		return
	}
	began := time.Now()
	all := playInWorkers(t, runtime.NumCPU())
	require.NotEmpty(t, all.played)
	members, partitions, faults := all.medians()
	t.Logf("%d schedules in %v, median of members %d, partitions %d, effective faults %d\n%v",
		len(all.played), time.Since(began).Round(time.Millisecond), members, partitions, faults, all.counts)
	if *schedules >= 50 && !t.Failed() {
		assert.GreaterOrEqual(t, members, medianMembers)
		assert.GreaterOrEqual(t, partitions, medianPartitions)
		assert.GreaterOrEqual(t, faults, medianFaults)
	}
}

// sum is the result of all schedules.
type sum struct {
	played []report
	counts *counts
}

// medians returns the sizes of the schedules with consumer groups. Share groups need no partitions for
// parallelism, so their schedules have fewer.
func (s *sum) medians() (members, partitions, faults int) {
	median := func(of func(report) int) int {
		var values []int
		for _, r := range s.played {
			if !r.Share {
				values = append(values, of(r))
			}
		}
		slices.Sort(values)
		if len(values) == 0 {
			return 0
		}
		return values[len(values)/2]
	}
	members = median(func(r report) int { return r.Members })
	partitions = median(func(r report) int { return r.Partitions })
	return members, partitions, median(func(r report) int { return r.Faults })
}

// TestSetWallMovesTheWallClockOnly guards what setWall assumes about package time.
func TestSetWallMovesTheWallClockOnly(t *testing.T) {
	before := time.Now()
	after := setWall(before, -3*time.Second)
	assert.Zero(t, after.Sub(before), "the monotonic clock has moved")
	assert.Equal(t, -3*time.Second, after.Round(0).Sub(before.Round(0)))
}
