package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMemoryLimitFollowsTheLiveHeap(t *testing.T) {
	for live, heap := range map[uint64]int64{0: 96, 10: 96, 48: 96, 49: 98, 96: 192, 1000: 2000} {
		assert.Equal(t, heap<<20+otherMemory, memoryLimit(live<<20), "%d MiB in use", live)
	}
}
