package splits

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func keyOf(e Entry) string { return e.Fields[1] }

// keyed returns entries with the given keys.
func keyed(from int, keys ...string) (all []Entry) {
	for i, key := range keys {
		all = append(all, Entry{Offset: Offset{Millis: uint64(from + i)}, Fields: []string{"rafka_key", key}})
	}
	return all
}

func numbersOf(refs []entryRef) (all []int) {
	for _, r := range refs {
		all = append(all, int(r.entry().Offset.Millis))
	}
	return all
}

func letAll(entryRef) bool { return false }

func TestLaneHasOneBatchInThePipeline(t *testing.T) {
	l := newLanes(Config{OrderKey: keyOf, Lanes: 1000})
	tr := newTracker(Position{})
	l.perEntry = time.Hour // slow: one lane a batch
	l.add(tr.Track(keyed(1, "a", "b", "a", "c", "a"), 0, time.Time{}))
	first, a := l.take(2, letAll)
	assert.Equal(t, []int{1, 3}, numbersOf(first))
	second, _ := l.take(9, letAll)
	assert.Equal(t, []int{2}, numbersOf(second))
	l.add(tr.Track(keyed(6, "a"), 5, time.Time{}))
	third, _ := l.take(9, letAll)
	assert.Equal(t, []int{4}, numbersOf(third))
	none, _ := l.take(9, letAll)
	assert.Empty(t, none, "a is in the pipeline")
	l.setInFlight(a, false)
	l.release(a)
	last, _ := l.take(9, letAll)
	assert.Equal(t, []int{5, 6}, numbersOf(last))
	assert.True(t, l.empty())
	assert.Zero(t, l.available)
}

func TestFastPipelineGetsBatchesOfSeveralLanes(t *testing.T) {
	l := newLanes(Config{OrderKey: keyOf, Lanes: 1000})
	l.measure(8*time.Millisecond, 8)
	for range 40 {
		l.measure(time.Microsecond, 1)
	}
	tr := newTracker(Position{})
	l.add(tr.Track(keyed(1, "a", "b", "a", "", "c", "b"), 0, time.Time{}))
	refs, ids := l.take(9, letAll)
	assert.Equal(t, []int{1, 2, 3, 4, 5, 6}, numbersOf(refs), "in the order of the stream")
	assert.Len(t, ids, 3)
}

func TestMessagesWithoutAKeyWaitForNothing(t *testing.T) {
	l := newLanes(Config{OrderKey: keyOf, Lanes: 4})
	l.perEntry = 5 * time.Millisecond
	tr := newTracker(Position{})
	l.add(tr.Track(keyed(1, "", "", "", ""), 0, time.Time{}))
	first, ids := l.take(9, letAll)
	second, _ := l.take(9, letAll)
	assert.Equal(t, []int{1, 2}, numbersOf(first), "as many as are fast")
	assert.Equal(t, []int{3, 4}, numbersOf(second))
	assert.Empty(t, ids)
}

func TestHeldLaneIsNotReadyAnyMore(t *testing.T) {
	l := newLanes(Config{OrderKey: keyOf, Lanes: 1})
	tr := newTracker(Position{})
	s := tr.Track(keyed(1, "a", "b"), 0, time.Time{})
	l.add(s)
	held := l.holdFor([]entryRef{{s, 0}})
	none, _ := l.take(9, letAll)
	assert.Empty(t, none)
	assert.Zero(t, l.available)
	l.release(held)
	refs, _ := l.take(9, letAll)
	assert.Equal(t, []int{1, 2}, numbersOf(refs))
}

func TestLaneUnloadsOnlyWhatIsNotResolved(t *testing.T) {
	i := newIsolation(Config{Ordering: ByKey, OrderKey: keyOf, Lanes: 1, BatchSize: 10})
	tr := newTracker(Position{})
	s := tr.Track(keyed(1, "a", "b", "c"), 0, time.Time{})
	s.owned = true
	i.lanes.holdFor([]entryRef{{s, 0}})
	i.lanes.add(s)
	tr.Resolve(s, 1) // it was removed before it was loaded, so it has no fields
	assert.Equal(t, s.entry(0).Size()+s.entry(2).Size(), i.unloadWaiting(0))
	assert.False(t, entryRef{s, 1}.isUnloaded())
}

// The keys of a partition agree in the partitioner's hash modulo the number of partitions. They
// must not share few lanes because of that.
func TestLanesSpreadTheKeysOfAPartition(t *testing.T) {
	const lanes = 16
	l := newLanes(Config{OrderKey: keyOf, Lanes: lanes})
	used := map[int]int{}
	for n, keys := 0, 0; keys < 1000; n++ {
		key := "customer-" + strconv.Itoa(n)
		if murmur2(key)%lanes == 3 {
			used[l.laneOf(key)]++
			keys++
		}
	}
	assert.Len(t, used, lanes)
	for _, keys := range used {
		assert.InDelta(t, 1000/lanes, keys, 40)
	}
}

// murmur2 is the hash of Kafka's default partitioner.
func murmur2(key string) uint32 {
	const m = 0x5bd1e995
	data := []byte(key)
	h := uint32(0x9747b28c) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		h = h*m ^ (k^k>>24)*m
	}
	for i, b := range slices.Backward(data) {
		h ^= uint32(b) << (8 * i)
	}
	if len(data) > 0 {
		h *= m
	}
	h = (h ^ h>>13) * m
	return (h ^ h>>15) & 0x7fffffff
}

// Random hand-outs, rejections and acknowledgements: no two batches with one key are out at the
// same time, each key is accepted in order, and everything is accepted in the end.
func TestLanesAndIsolationKeepTheOrderOfEachKey(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 2))
		i := newIsolation(Config{Ordering: ByKey, OrderKey: keyOf, Lanes: 1 + r.IntN(5), BatchSize: 1 + r.IntN(8)})
		l := i.lanes
		tr := newTracker(Position{})
		now := time.Unix(1000, 0)
		var out []piece
		accepted, last := 0, map[string]int{}
		const total = 150
		for added, steps := 0, 0; accepted < total; steps++ {
			require.Less(t, steps, 100_000, "seed %d", seed)
			now = now.Add(time.Duration(r.IntN(int(20 * time.Millisecond))))
			switch n := r.IntN(4); {
			case n == 0 && added < total:
				var keys []string
				for range min(1+r.IntN(10), total-added) {
					keys = append(keys, []string{"", "a", "b", "c", "d", "e"}[r.IntN(6)])
				}
				s := tr.Track(keyed(added+1, keys...), 0, now)
				s.owned = true
				l.add(s)
				added += len(keys)
			case n == 1:
				p, again := i.next(now)
				if !again {
					p.refs, p.lanes = l.take(1+r.IntN(8), func(e entryRef) bool { return i.holdBack(e, 0) })
				}
				if len(p.refs) > 0 {
					requireApart(t, seed, out, p)
					p.handedOutAt = now
					out = append(out, p)
				}
			case len(out) > 0:
				at := r.IntN(len(out))
				p := out[at]
				out = slices.Delete(out, at, at+1)
				if steps < 3000 && r.IntN(3) == 0 {
					i.fail(p, []int{r.IntN(len(p.refs))}, errBad, now)
					continue
				}
				for _, ref := range p.refs {
					key, number := keyOf(ref.entry()), int(ref.entry().Offset.Millis)
					if key != "" {
						require.Greater(t, number, last[key], "seed %d: key %s", seed, key)
						last[key] = number
					}
					tr.Resolve(ref.span, ref.index)
				}
				accepted += len(p.refs)
				i.accept(p, now)
			}
		}
		require.True(
			t,
			i.empty() && l.empty() && i.followers == 0 && l.available == 0 && len(i.failedKeys) == 0,
			"seed %d",
			seed,
		)
		for _, lane := range l.lanes {
			require.Zero(t, lane.holds, "seed %d", seed)
		}
	}
}

// requireApart checks that no batch in the pipeline has a key of the piece.
func requireApart(t *testing.T, seed uint64, out []piece, p piece) {
	keys := map[string]bool{}
	for _, ref := range p.refs {
		keys[keyOf(ref.entry())] = true
	}
	for _, other := range out {
		for _, ref := range other.refs {
			key := keyOf(ref.entry())
			require.False(t, key != "" && keys[key], "seed %d: key %s is in two batches", seed, key)
		}
	}
}
