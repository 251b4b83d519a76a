package splits

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var errBad = errors.New("bad")

// sink is a pipeline that identifies entries by their numbers, and rejects each batch that has a
// bad one.
type sink struct {
	isolation
	now       time.Time
	bad       map[int]bool
	down      bool                      // rejects everything
	hint      func(numbers []int) []int // nil: no hints
	trust     bool                      // hints are used until one was wrong
	log       []string                  // the numbers of each delivery
	got       []int                     // accepted numbers, in order
	delivered int                       // number of delivered entries
	waited    time.Duration
}

func newSink(keys func(n int) string, bad ...int) *sink {
	cfg := Config{Ordering: Unordered, BatchSize: 100}
	if keys != nil {
		cfg.Ordering, cfg.OrderKey = ByPartition, func(e Entry) string { return keys(int(e.Offset.Millis)) }
	}
	s := &sink{isolation: newIsolation(cfg), now: time.Unix(1000, 0), bad: map[int]bool{}, trust: true}
	for _, n := range bad {
		s.bad[n] = true
	}
	return s
}

func (s *sink) take(p piece) {
	var numbers, suspects []int
	failed := s.down
	for _, r := range p.refs {
		n := int(r.entry().Offset.Millis)
		numbers = append(numbers, n)
		failed = failed || s.bad[n]
	}
	s.log = append(s.log, strings.Trim(fmt.Sprint(numbers), "[]"))
	s.delivered += len(numbers)
	p.handedOutAt = s.now
	if !failed {
		s.got = append(s.got, numbers...)
		s.accept(p, s.now)
		return
	}
	if s.hint != nil && s.trust {
		suspects = s.hint(numbers)
	}
	if _, misled := s.fail(p, suspects, errBad, s.now); misled {
		s.trust = false
	}
}

// batch delivers a new batch with the entries from one number to another.
func (s *sink) batch(from, to int) {
	tracker := newTracker(Position{})
	all := entries(from, to)
	span := tracker.Track(all, 0, s.now)
	p := piece{}
	for i := range all {
		p.refs = append(p.refs, entryRef{span, i})
	}
	s.take(p)
}

// goOn hands out again what is due, the given number of times, or until everything is accepted.
func (s *sink) goOn(times int) {
	for range times {
		s.now = s.now.Add(time.Microsecond)
		p, ok := s.next(s.now)
		if ok {
			s.take(p)
			continue
		}
		wait := s.wait(s.now)
		if wait < 0 {
			return
		}
		s.now = s.now.Add(wait)
		s.waited += wait
	}
}

func hintFor(bad ...int) func([]int) []int {
	return func(numbers []int) (at []int) {
		for i, n := range numbers {
			if slices.Contains(bad, n) {
				at = append(at, i)
			}
		}
		return at
	}
}

func TestHintCutsABatchAtItsSuspects(t *testing.T) {
	s := newSink(nil, 3, 5)
	s.hint = hintFor(3, 5)
	s.batch(1, 7)
	s.goOn(7)
	assert.Equal(t, []string{"1 2 3 4 5 6 7", "1 2", "3", "4", "5", "6 7"}, s.log[:6])
	assert.Equal(t, []int{1, 2, 4, 6, 7}, s.got)
	clear(s.bad)
	s.goOn(10)
	assert.Equal(t, []int{1, 2, 4, 6, 7, 3, 5}, s.got)
	assert.True(t, s.empty())
	assert.Zero(t, s.failingSince)
}

func TestBatchWithoutAHintIsHalved(t *testing.T) {
	s := newSink(nil, 3)
	s.batch(1, 8)
	s.goOn(6)
	assert.Equal(t, []string{"1 2 3 4 5 6 7 8", "1 2 3 4", "1 2", "3 4", "3", "4", "5 6 7 8"}, s.log)
	assert.Equal(t, []int{1, 2, 4, 5, 6, 7, 8}, s.got)
	assert.Zero(t, s.waited, "as long as something is accepted nothing waits")
}

func TestHintThatIsWrongIsUsedOnce(t *testing.T) {
	s := newSink(nil, 5)
	s.hint = func([]int) []int { return []int{0} }
	s.batch(1, 8)
	s.goOn(6)
	assert.Equal(t, []string{"1 2 3 4 5 6 7 8", "1", "2 3 4 5 6 7 8", "2 3 4 5", "2 3", "4 5", "4"}, s.log)
	assert.False(t, s.trust)
}

func TestHintThatNamesAllOrNoEntryIsIgnored(t *testing.T) {
	for _, hint := range [][]int{{}, {0, 1, 2, 3}, {-1}, {4}, {1, 9}} {
		s := newSink(nil, 2)
		s.hint = func(n []int) []int { return hint }
		s.batch(1, 4)
		s.goOn(1)
		assert.Equal(t, []string{"1 2 3 4", "1 2"}, s.log, "hint %v", hint)
	}
}

func TestKeyOfAFailedEntryWaitsAndOthersPass(t *testing.T) {
	keys := func(n int) string { return []string{"x", "y", ""}[n%3] }
	s := newSink(keys, 1) // of key y
	s.batch(1, 9)
	s.goOn(20)
	assert.Equal(t, []int{2, 3, 5, 6, 8, 9}, s.got, "4 and 7 have the key of 1")
	clear(s.bad)
	s.goOn(20)
	assert.Equal(t, []int{2, 3, 5, 6, 8, 9, 1, 4, 7}, s.got)
}

func TestEntryThatFailsAloneBacksOff(t *testing.T) {
	s := newSink(nil, 1)
	s.batch(1, 2)
	s.goOn(100)
	assert.Greater(t, s.waited, 60*time.Second, "of 100 attempts most wait for seconds")
	assert.LessOrEqual(t, s.wait(s.now), maxRetryWait)
}

// An outage costs few attempts, however many entries wait, and everything is accepted as soon as it
// is over.
func TestOutageCostsFewAttempts(t *testing.T) {
	s := newSink(nil)
	s.down = true
	s.batch(1, 500)
	for s.waited < 10*time.Minute {
		s.goOn(1)
	}
	assert.Less(t, len(s.log), 400)
	s.down, s.waited = false, 0
	s.goOn(1000)
	assert.Len(t, s.got, 500)
	assert.LessOrEqual(t, s.waited, maxRetryWait)
}

// One bad entry of 500: few entries are delivered twice, and the others do not wait.
func TestCostOfOneBadEntry(t *testing.T) {
	for _, bad := range []int{1, 250, 499, 500} {
		s := newSink(nil, bad)
		s.batch(1, 500)
		for len(s.got) < 499 {
			s.goOn(1)
		}
		t.Logf("entry %d without a hint: %d deliveries, %s of waiting", bad, s.delivered, s.waited)
		assert.LessOrEqual(t, s.delivered, 500+1000)
		assert.LessOrEqual(t, s.waited, 2*minRetryWait)

		s = newSink(nil, bad)
		s.hint = hintFor(bad)
		s.batch(1, 500)
		for len(s.got) < 499 {
			s.goOn(1)
		}
		t.Logf("entry %d with a hint: %d deliveries, %s of waiting", bad, s.delivered, s.waited)
		assert.LessOrEqual(t, s.delivered, 1010)
	}
}

// Whatever the hints are, every entry is accepted once, and each key in order.
func TestEverythingIsAcceptedOnceAndEachKeyInOrder(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 0))
		n, kinds := 1+r.IntN(60), 1+r.IntN(8)
		keyOf := make([]string, n+1)
		for i := range keyOf {
			if k := r.IntN(kinds + 1); k > 0 {
				keyOf[i] = fmt.Sprint("k", k)
			}
		}
		s := newSink(func(i int) string { return keyOf[i] })
		for range r.IntN(6) {
			s.bad[1+r.IntN(n)] = true
		}
		s.hint = func(numbers []int) (at []int) {
			for i := range numbers {
				if r.IntN(6) == 0 {
					at = append(at, i)
				}
			}
			return at
		}
		s.batch(1, n)
		for range 200 {
			s.goOn(1)
			if len(s.bad) > 0 && r.IntN(20) == 0 {
				for b := range s.bad {
					delete(s.bad, b)
					break
				}
			}
		}
		clear(s.bad)
		s.goOn(1000)
		last := map[string]int{}
		for _, i := range s.got {
			if key := keyOf[i]; key != "" {
				assert.Greater(t, i, last[key], "seed %d", seed)
				last[key] = i
			}
		}
		slices.Sort(s.got)
		assert.Len(t, slices.Compact(slices.Clone(s.got)), n, "seed %d", seed)
		assert.Len(t, s.got, n, "seed %d", seed)
		assert.True(t, s.empty() && s.piecesOut == 0 && s.failingSince.IsZero(), "seed %d", seed)
	}
}
