package input

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/splits"
)

// A counter that appears with its first event hides that event from queries of its increase.
func TestCountersOfAPartitionExistFromTheStart(t *testing.T) {
	counters := &logtest.Counters{}
	resources, err := counters.Resources(&logtest.Journal{})
	require.NoError(t, err)
	o := newObserver("orders", "g", resources)
	o.Rebalanced(splits.Rebalance{Added: []splits.Split{{Topic: "orders", Partition: 3}}, Owned: 1})
	of := " topic=orders partition=3 group=g"
	assert.ElementsMatch(t, []string{
		"rafka_commits_total" + of, "rafka_dead_lettered_total" + of, "rafka_fenced_total" + of,
		"rafka_isolated_total" + of, "rafka_kept_entries_total" + of, "rafka_lost_entries_total" + of,
		"rafka_passed_over_total" + of, "rafka_reclaimed_total" + of, "rafka_recreated_total" + of,
		"rafka_redelivered_total" + of, "rafka_skipped_total" + of,
		"rafka_partitions_assigned topic=orders group=g", "rafka_rebalances_total topic=orders group=g",
	}, counters.Names())
}

// The state of a partition can arrive after the partition was given up.
func TestSampleOfARevokedPartitionSetsNoGauge(t *testing.T) {
	journal, counters := &logtest.Journal{}, &logtest.Counters{}
	resources, err := counters.Resources(journal)
	require.NoError(t, err)
	o := newObserver("orders", "g", resources)
	kept, gone := splits.Split{Topic: "orders", Partition: 0}, splits.Split{Topic: "orders", Partition: 1}
	samples := []splits.Sample{{Split: kept, Lag: 7}, {Split: gone, Lag: 8}}
	lag := func(partition string) int64 {
		return counters.Get("rafka_lag topic=orders partition=" + partition + " group=g")
	}
	o.Rebalanced(splits.Rebalance{Added: []splits.Split{kept, gone}, Owned: 2})
	o.Sampled(samples)
	assert.EqualValues(t, 7, lag("0"))
	assert.EqualValues(t, 8, lag("1"))
	o.Sampled([]splits.Sample{{Split: kept, Lag: -1}})
	assert.EqualValues(t, 7, lag("0"), "unknown now")
	o.Rebalanced(splits.Rebalance{Revoked: []splits.Split{gone}, Owned: 1})
	o.Sampled(samples)
	assert.EqualValues(t, 7, lag("0"))
	assert.Zero(t, lag("1"))
	o.closed()
	assert.Zero(t, lag("0"))
}
