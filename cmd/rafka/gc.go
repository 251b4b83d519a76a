package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A pipeline holds little memory and discards some kilobytes per message. Go collects the heap when
// it has grown to twice the live heap, so a reader of 256-byte messages spent a third of its time
// on collecting a few megabytes. Therefore a small heap may grow to smallHeap. A memory limit
// implements this and not GOGC, since the limit also applies if the live heap grows a lot between
// two collections.
const (
	smallHeap   = 96 << 20
	growth      = 400      // percent of the live heap, for heaps below the limit
	otherMemory = 16 << 20 // the memory outside the heap, which counts toward the limit
	// how long a live heap that has outgrown the limit is collected more often than necessary
	gcLookEvery = 100 * time.Millisecond
)

// tuneGC lets small heaps grow until the process ends, unless the environment sets GOGC or
// GOMEMLIMIT.
func tuneGC() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(growth)
	debug.SetMemoryLimit(memoryLimit(0))
	go func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		for was := uint64(0); ; time.Sleep(gcLookEvery) {
			if metrics.Read(live); live[0].Value.Uint64() != was { // there was a collection
				was = live[0].Value.Uint64()
				debug.SetMemoryLimit(memoryLimit(was))
			}
		}
	}()
}

// memoryLimit returns the memory limit for a live heap of the given size in bytes.
func memoryLimit(live uint64) int64 { return int64(max(smallHeap, 2*live)) + otherMemory }
