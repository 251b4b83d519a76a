package appender

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// seeds is how many random histories are played. A failure names its seed; how goroutines take
// turns still differs from run to run.
const seeds = 80

// history is one random run: several callers, several partitions on two nodes, and a store full of
// faults.
type history struct {
	t      *testing.T
	seed   uint64
	store  *store
	random *rand.Rand // under the store's lock
	faulty float64
	keys   []string

	mu sync.Mutex
	// the number of a partition's next record: appended under mu, so numbers are in the order of
	// the calls
	next  map[string]int
	calls []call
}

type call struct {
	key   string
	first int
	*Pending
}

// TestEveryRecordIsWrittenOnceAndInOrder is the promise of doc.go, under lost requests, lost
// answers, requests that are written late, refusals, failures midway, lost data, foreign epochs,
// and attempts that are given up.
func TestEveryRecordIsWrittenOnceAndInOrder(t *testing.T) {
	var total tally
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) { total.add(play(t, seed)) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%+v", total)
	// The histories must contain what they are meant to try.
	assert.Greater(t, total.written, 10000)
	assert.Greater(t, total.open, 1000)
	assert.Greater(t, total.openAndThere, 100)
	assert.Greater(t, total.failed, 1000)
	assert.Greater(t, total.lost, 100)
	assert.Greater(t, total.deduplicated, 100)
	assert.Greater(t, total.gaps, 20)
	assert.Greater(t, total.told, total.lost/4, "of what was lost, what somebody could know")
}

// tally counts what became of the records.
type tally struct{ written, lost, told, open, openAndThere, failed, deduplicated, gaps int }

func (t *tally) add(u tally) {
	t.written += u.written
	t.lost += u.lost
	t.told += u.told
	t.open += u.open
	t.openAndThere += u.openAndThere
	t.failed += u.failed
	t.deduplicated += u.deduplicated
	t.gaps += u.gaps
}

func play(t *testing.T, seed uint64) tally {
	random := rand.New(rand.NewPCG(seed, 1))
	h := &history{
		t:      t,
		seed:   seed,
		random: random,
		store:  newStore(t),
		next:   map[string]int{},
		faulty: random.Float64() * 0.7,
	}
	for i := range 6 {
		key := fmt.Sprint("p", i)
		h.keys = append(h.keys, key)
		h.store.nodes[key] = fmt.Sprint("node", i%2)
	}
	h.store.took["node0"], h.store.took["node1"] = time.Millisecond, 7*time.Millisecond
	h.store.plan = h.fault
	seen := &observed{}
	giveUp := 1 + random.IntN(6)
	a := running(t, Config{Log: h.store, Producer: "me", Backoff: backoff(20*time.Millisecond, giveUp), Observer: seen})
	h.callers(a)
	for _, c := range h.calls {
		<-c.Done()
	}
	synctest.Wait()
	total := tally{deduplicated: seen.deduplicated, gaps: seen.gap, told: int(seen.lost)}
	h.check(&total)
	require.LessOrEqual(t, total.told, total.lost, "told to be lost, and not")
	wait(t.Context(), time.Minute) // whatever is still on its way arrives
	h.check(nil)
	return total
}

// callers appends from four goroutines until all calls are made; one of the nodes changes now and
// then.
func (h *history) callers(a *Appender) {
	var callers sync.WaitGroup
	for caller := range uint64(4) {
		random := rand.New(rand.NewPCG(h.seed, 100+caller))
		callers.Go(func() {
			for range 60 {
				n := 1 + random.IntN(4)
				if random.IntN(200) == 0 {
					n = 900 + random.IntN(1500)
				}
				p := h.append(a, h.keys[random.IntN(len(h.keys))], n)
				switch random.IntN(4) {
				case 0:
					<-p.Done()
				case 1:
					wait(h.t.Context(), time.Duration(random.IntN(40))*time.Millisecond)
				}
			}
		})
	}
	callers.Wait()
}

func (h *history) append(a *Appender, key string, n int) *Pending {
	h.mu.Lock()
	defer h.mu.Unlock()
	first := h.next[key]
	h.next[key] += n
	p := a.Append(to(key), numbered(first, n))
	h.calls = append(h.calls, call{key, first, p})
	return p
}

// fault draws the fault of one attempt.
func (h *history) fault(a Append) fault {
	r := h.random
	if r.IntN(100) == 0 {
		h.store.nodes[a.Target.Key] = fmt.Sprint("node", r.IntN(2)) // it moves
	}
	if r.Float64() > h.faulty {
		return fault{}
	}
	p := h.store.partition(a.Target.Key)
	switch r.IntN(20) {
	case 0, 1, 2:
		return fault{status: Refused}
	case 3, 4, 5, 6:
		return fault{status: Unknown}
	case 7, 8, 9, 10:
		return fault{replyLost: true}
	case 11, 12, 13, 14:
		return fault{late: time.Duration(1+r.IntN(300)) * time.Millisecond}
	case 15:
		return fault{status: Failed}
	case 16:
		// A topic whose key holds a stream can't be partitioned, so no earlier attempt was written
		// or is going to be.
		if p.late == 0 && p.applied[[2]uint64{a.Epoch, a.Seq}] == nil {
			return fault{status: Partitioned}
		}
	case 17:
		// With an earlier request for the same records still on its way, no protocol could keep
		// them from coming twice.
		if p.late == 0 {
			return fault{status: Partial, count: r.IntN(len(a.Records) + 1)}
		}
	case 18:
		return fault{rollback: 1 + r.IntN(3)}
	case 19:
		return fault{foreign: uint64(1 + r.IntN(3))}
	}
	return fault{}
}

// check compares what the callers were told with what the store has.
func (h *history) check(total *tally) {
	for _, key := range h.keys {
		there := map[int]bool{}
		last := -1
		for _, e := range h.store.entries(key) {
			n, err := strconv.Atoi(e)
			require.NoError(h.t, err)
			require.Greater(h.t, n, last, "%s: out of order, or twice", key)
			there[n], last = true, n
		}
		for _, c := range h.calls {
			if c.key == key {
				h.checkCall(c, there, total)
			}
		}
	}
}

func (h *history) checkCall(c call, there map[int]bool, total *tally) {
	errs := c.Errs()
	n := len(errs)
	if errs == nil {
		n = h.size(c)
	}
	var seen tally
	for i := range n {
		number := c.first + i
		var err error
		if errs != nil {
			err = errs[i]
		}
		var gaveUp *GaveUpError
		switch lost := h.store.partition(c.key).lost[strconv.Itoa(number)]; {
		case err == nil && there[number]:
			seen.written++
		case err == nil && lost:
			seen.lost++
		case err == nil:
			require.Fail(h.t, "reported as written, and not there", "%s: %d", c.key, number)
		case errors.As(err, &gaveUp) && gaveUp.MayBeWritten:
			seen.open++
			if there[number] {
				seen.openAndThere++
			}
		default:
			seen.failed++
			require.False(h.t, there[number], "%s: %d is there although it failed: %v", c.key, number, err)
		}
	}
	if total != nil {
		total.add(seen)
	}
}

// size finds the number of records of a call: up to the next call for the same partition.
func (h *history) size(c call) int {
	end := h.next[c.key]
	for _, d := range h.calls {
		if d.key == c.key && d.first > c.first {
			end = min(end, d.first)
		}
	}
	return end - c.first
}
