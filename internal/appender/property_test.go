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

// seeds is how many random histories run. A failure reports its seed, but goroutines are scheduled
// differently in every run.
const seeds = 80

// history is one random run: several callers, several partitions on two nodes, and a store with
// many faults.
type history struct {
	t      *testing.T
	seed   uint64
	store  *store
	random *rand.Rand // under the store's lock
	faulty float64
	keys   []string

	mu sync.Mutex
	// The number of each partition's next record. Records are appended under mu, so their numbers
	// are in the order of the calls.
	next  map[string]int
	calls []call
}

type call struct {
	key   string
	first int
	*Pending
}

// TestEveryRecordIsWrittenOnceAndInOrder verifies the promise of doc.go while requests and replies
// are lost, requests are written late, refused or fail midway, data is lost, other producers raise
// the epoch, and batches are given up.
func TestEveryRecordIsWrittenOnceAndInOrder(t *testing.T) {
	var total counters
	for seed := range uint64(seeds) {
		synctest.Test(t, func(t *testing.T) { total.add(play(t, seed)) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%+v", total)
	// The histories must contain the cases that they are meant to test.
	assert.Greater(t, total.written, 10000)
	assert.Greater(t, total.open, 1000)
	assert.Greater(t, total.openAndThere, 100)
	assert.Greater(t, total.failed, 1000)
	assert.Greater(t, total.lost, 100)
	assert.Greater(t, total.deduplicated, 100)
	assert.Greater(t, total.gaps, 20)
	assert.Greater(t, total.reported, total.lost/4, "the losses that a producer can detect")
}

// counters counts the records by outcome.
type counters struct{ written, lost, reported, open, openAndThere, failed, deduplicated, gaps int }

func (t *counters) add(u counters) {
	t.written += u.written
	t.lost += u.lost
	t.reported += u.reported
	t.open += u.open
	t.openAndThere += u.openAndThere
	t.failed += u.failed
	t.deduplicated += u.deduplicated
	t.gaps += u.gaps
}

func play(t *testing.T, seed uint64) counters {
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
	a := running(
		t,
		Config{Store: h.store, Producer: "me", Backoff: backoff(20*time.Millisecond, giveUp), Observer: seen},
	)
	h.callers(a)
	for _, c := range h.calls {
		<-c.Done()
	}
	synctest.Wait()
	total := counters{deduplicated: seen.deduplicated, gaps: seen.gap, reported: int(seen.lost)}
	h.check(&total)
	require.LessOrEqual(t, total.reported, total.lost, "reported as lost, but not lost")
	wait(t.Context(), time.Minute) // all requests that are still on their way arrive
	h.check(nil)
	return total
}

// callers appends from four goroutines until all calls are made. From time to time a partition
// moves to another node.
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

// fault chooses a random fault for one attempt.
func (h *history) fault(a Request) fault {
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
		// A topic whose key holds a stream can't be partitioned. So no earlier attempt was written
		// or can still be written.
		if p.late == 0 && p.applied[[2]uint64{a.Epoch, a.Seq}] == nil {
			return fault{status: Partitioned}
		}
	case 17:
		// If an earlier request for the same records is still on its way, no protocol can prevent
		// duplicates.
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

// check compares the outcomes that the callers got with the content of the store.
func (h *history) check(total *counters) {
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

func (h *history) checkCall(c call, there map[int]bool, total *counters) {
	errs := c.Errs()
	n := len(errs)
	if errs == nil {
		n = h.size(c)
	}
	var seen counters
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
			require.Fail(h.t, "reported as written, but not in the stream", "%s: %d", c.key, number)
		case errors.As(err, &gaveUp) && gaveUp.MayBeWritten:
			seen.open++
			if there[number] {
				seen.openAndThere++
			}
		default:
			seen.failed++
			require.False(h.t, there[number], "%s: %d is in the stream although it failed: %v", c.key, number, err)
		}
	}
	if total != nil {
		total.add(seen)
	}
}

// size returns the number of records of a call, which ends where the next call for the partition
// begins.
func (h *history) size(c call) int {
	end := h.next[c.key]
	for _, d := range h.calls {
		if d.key == c.key && d.first > c.first {
			end = min(end, d.first)
		}
	}
	return end - c.first
}
