package appender

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"
)

func wait(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// checkRetry fails the test if a number is used for other records although the first records under
// it may be written, now or later.
func (s *store) checkRetry(p *partition, a Request) {
	if before, ok := p.tried[[2]uint64{a.Epoch, a.Seq}]; ok && a.Producer != "" &&
		!reflect.DeepEqual(before, a.Records) {
		s.t.Errorf("%s: number %d:%d was sent with other records before", a.Target.Key, a.Epoch, a.Seq)
	}
}

// entries returns the bodies of a partition's records.
func (s *store) entries(key string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.partition(key).entries
}

// numbers returns the epoch and the number of all attempts at a key.
func (s *store) numbers(key string) (numbers []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.attempts {
		if a.Target.Key == key {
			numbers = append(numbers, fmt.Sprintf("%d:%d", a.Epoch, a.Seq))
		}
	}
	return numbers
}

// bodies returns the bodies of each attempt at a key.
func (s *store) bodies(key string) (bodies [][]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.attempts {
		if a.Target.Key == key {
			var b []string
			for _, r := range a.Records {
				b = append(b, r.Fields[1])
			}
			bodies = append(bodies, b)
		}
	}
	return bodies
}

// to returns the target of a partition.
func to(key string) Target { return Target{Topic: "t", Key: key} }

// recs returns one record per body.
func recs(bodies ...string) []Record {
	records := make([]Record, len(bodies))
	for i, b := range bodies {
		records[i] = Record{Fields: []string{"body", b}}
	}
	return records
}

// every is a Backoff with a constant delay and a maximum number of retries. A negative number means
// no maximum.
type every struct {
	time.Duration
	times int
}

func (e *every) NextBackOff() time.Duration {
	if e.times == 0 {
		return -1
	}
	e.times--
	return e.Duration
}

func backoff(d time.Duration, times int) func() Backoff {
	return func() Backoff { return &every{d, times} }
}

// observed is an Observer that counts.
type observed struct {
	mu sync.Mutex
	counts
	retriesEnded []error
	atEnd        func() // called by RetriesEnded, if set
}

type counts struct {
	retried, deduplicated, gap int
	lost                       int64
}

func (o *observed) Retried(Target, Result) { o.mu.Lock(); o.retried++; o.mu.Unlock() }

func (o *observed) RetriesEnded(_ Target, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.retriesEnded = append(o.retriesEnded, err)
	if o.atEnd != nil {
		o.atEnd()
	}
}

func (o *observed) Deduplicated(Target) { o.mu.Lock(); o.deduplicated++; o.mu.Unlock() }

func (o *observed) Gap(_ Target, l Lost) { o.mu.Lock(); o.gap++; o.lost += l.Records; o.mu.Unlock() }

// running returns a started Appender that is closed when the test ends.
func running(t testing.TB, c Config) *Appender {
	a := New(c)
	a.Start()
	t.Cleanup(func() {
		if err := a.Close(context.Background()); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return a
}
