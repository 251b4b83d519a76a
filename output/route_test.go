package output

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
)

func TestABatchIsCutByTopicAndPartitionHoweverManyThereAre(t *testing.T) {
	for _, partitions := range []int{1, 4, 5, 50} {
		c := newCutter(newPartitioner(manual))
		for i := range 300 {
			topic := broker.Topic{Name: []string{"orders", "bills"}[i%2], Partitions: partitions}
			require.NoError(t, c.add(i, outgoing{partition: strconv.Itoa(i / 2 % partitions)}, topic))
		}
		require.Len(t, c.cuts, 2*partitions)
		for n, cut := range c.cuts {
			var want []int
			for i := n; i < 300; i += 2 * partitions {
				want = append(want, i)
			}
			assert.Equal(t, want, cut.messages, cut.target.Key)
			assert.Len(t, cut.records, len(want))
		}
	}
}
