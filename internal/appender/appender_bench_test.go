package appender

import (
	"context"
	"fmt"
	"sync"
	"testing"
)

// instant is a Store that reports everything as written immediately.
type instant struct{ results []Result }

func (instant) Node(Target) string { return "" }

func (l instant) Append(_ context.Context, round []Request) []Result { return l.results[:len(round)] }

// BenchmarkAppend appends one record per operation, in calls of different sizes.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{1, 100} {
		b.Run(fmt.Sprint("records=", size), func(b *testing.B) {
			a := New(Config{Store: instant{make([]Result, 8)}, Producer: "me"})
			a.Start()
			records := numbered(0, size)
			b.ReportAllocs()
			b.ResetTimer()
			var callers sync.WaitGroup
			for caller := range 64 {
				callers.Go(func() {
					target := to(fmt.Sprint(caller % 8))
					for range b.N / size / 64 {
						<-a.Append(target, records).Done()
					}
				})
			}
			callers.Wait()
			if err := a.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
	}
}
