package input

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/splits"
)

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
	o.Rebalanced(splits.Rebalance{Revoked: []splits.Split{gone}, Owned: 1})
	o.Sampled(samples)
	assert.EqualValues(t, 7, lag("0"))
	assert.Zero(t, lag("1"))
	o.closed()
	assert.Zero(t, lag("0"))
}
