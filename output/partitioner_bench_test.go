package output

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPartitioningAllocatesNothing(t *testing.T) {
	batch := newPartitioner(murmur2Hash).newBatch()
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		_, err := batch.choose("orders", 12, "customer-17", "")
		require.NoError(t, err)
	}))
}

func BenchmarkPartition(b *testing.B) {
	batch := newPartitioner(murmur2Hash).newBatch()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = batch.choose("orders", 12, "customer-17", "")
	}
}
