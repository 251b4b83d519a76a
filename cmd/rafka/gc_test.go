package main

import (
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMemoryLimitFollowsTheLiveHeap(t *testing.T) {
	for live, heap := range map[uint64]int64{0: 96, 10: 96, 48: 96, 49: 98, 96: 192, 1000: 2000} {
		assert.Equal(t, heap<<20+otherMemory, memoryLimit(live<<20), "%d MiB in use", live)
	}
}

// object is one of the small objects of a live heap.
type object struct {
	next, other *object
	_           [48]byte
}

var garbage []byte

// BenchmarkCollection allocates 4 KB per iteration, with 60 MB of live objects. It compares a limit
// that follows the live heap with fixed settings.
func BenchmarkCollection(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(growth))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	b.Run("default", func(b *testing.B) { collect(b, 100, unlimited) })
	b.Run("gogc", func(b *testing.B) { collect(b, growth, unlimited) })
	b.Run("fixed-limit", func(b *testing.B) { collect(b, growth, memoryLimit(0)) })
	b.Run("following", func(b *testing.B) {
		stop, done := make(chan struct{}), make(chan struct{})
		go func() { // joined below
			defer close(done)
			followLiveHeap(stop)
		}()
		collect(b, growth, memoryLimit(0))
		close(stop)
		<-done
	})
}

const unlimited = 1 << 62

func collect(b *testing.B, percent int, limit int64) {
	b.Helper()
	debug.SetGCPercent(percent)
	debug.SetMemoryLimit(limit)
	live := make([]*object, 0, 900_000)
	for i := range cap(live) {
		o := &object{}
		if i > 0 {
			o.next, o.other = live[i-1], live[i/2]
		}
		live = append(live, o)
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for b.Loop() {
		garbage = make([]byte, 4096)
	}
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.NumGC-before.NumGC), "collections")
	b.ReportMetric(float64(after.HeapSys>>20), "MB-heap")
	runtime.KeepAlive(live)
}
