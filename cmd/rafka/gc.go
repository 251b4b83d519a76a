package main

import (
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// A pipeline holds little and throws away some kilobytes for each message: by Go's own rule, which
// collects the heap when it is twice what is in use, a reader of 256-byte messages spends a third
// of its time on collecting a few megabytes over and over. So a small heap may grow to smallHeap
// first. The rule is left to a memory limit, since that holds at once when much more is in use from
// one collection to the next.
const (
	smallHeap   = 96 << 20
	growth      = 400      // percent of what is in use, for heaps that stay below the limit
	otherMemory = 16 << 20 // what the limit counts beside the heap
	// how long a heap that has outgrown the limit is collected more often than usual
	gcLookEvery = 100 * time.Millisecond
)

// tuneGC lets small heaps grow, from now until the process ends, unless the user says how memory is
// to be used.
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

// memoryLimit is where a process is to collect of whose heap so many bytes are in use.
func memoryLimit(live uint64) int64 { return int64(max(smallHeap, 2*live)) + otherMemory }
