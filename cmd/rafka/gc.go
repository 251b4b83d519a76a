package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A pipeline holds little memory and discards some kilobytes per message. Go collects the heap when
// it has grown to twice the live heap, so a reader of 256-byte messages spent a third of its time
// on collecting a few megabytes. Therefore a small heap may grow to smallHeap, and a larger one to
// twice the live heap, as usual. No fixed setting does both. With 60 MB of live objects, a fixed
// memory limit collects twice as often as a limit that follows the live heap, and takes a third
// longer. GOGC=400 without a limit takes at least twice the memory. (go test -run '^$' -bench
// Collection -benchtime 500000x ./cmd/rafka)
const (
	smallHeap   = 96 << 20
	growth      = 400      // percent of the live heap, for heaps below the limit
	otherMemory = 16 << 20 // the memory outside the heap, which counts toward the limit
	// followEvery is how long a live heap that has outgrown the limit is collected more often than
	// necessary.
	followEvery = 100 * time.Millisecond
)

// tuneGC lets small heaps grow until the process ends, unless the environment sets GOGC or
// GOMEMLIMIT.
func tuneGC() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(growth)
	debug.SetMemoryLimit(memoryLimit(0))
	go followLiveHeap(nil) // ends with the process
}

// followLiveHeap adapts the memory limit after each collection, until stop is closed.
func followLiveHeap(stop <-chan struct{}) {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for last := uint64(0); ; {
		if metrics.Read(live); live[0].Value.Uint64() != last { // there was a collection
			last = live[0].Value.Uint64()
			debug.SetMemoryLimit(memoryLimit(last))
		}
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
	}
}

// memoryLimit returns the memory limit for a live heap of the given size in bytes.
func memoryLimit(live uint64) int64 { return int64(max(smallHeap, 2*live)) + otherMemory }
