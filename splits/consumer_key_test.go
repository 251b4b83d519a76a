package splits_test

import (
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// byKey returns a change that hands out batches by key to n threads, which process one message in
// the given time. reject decides whether a message fails.
func byKey(threads int, perMessage time.Duration, reject func(key string) bool) func(*splits.Config, *member) {
	return func(c *splits.Config, m *member) {
		c.Ordering, c.Lanes = splits.ByKey, 32
		free := make(chan struct{}, threads)
		m.handle = func(b *splits.Batch) {
			free <- struct{}{}
			m.out.Go(func() {
				defer func() { <-free }()
				for _, e := range b.Entries {
					time.Sleep(perMessage)
					if reject != nil && reject(field(e, "rafka_key")) {
						b.Nack(errRejected, nil)
						return
					}
				}
				b.Ack()
			})
		}
	}
}

// fillKeys appends n entries, spread over some keys in turns.
func (w *world) fillKeys(n, keys int) {
	for i := range n {
		w.store.Append(w.store.Split("orders", 0), "n", strconv.Itoa(i), "rafka_key", "k"+strconv.Itoa(i%keys))
	}
}

func TestKeysOfOneSplitAreProcessedInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(4000, 50)
		m := w.join("a", byKey(16, 5*time.Millisecond, nil))
		settle(3 * time.Second)
		assert.EqualValues(t, 4000, w.lease(0).Position.EntriesRead)
		all := m.deliveries()
		took := all[len(all)-1].at.Sub(all[0].at)
		assert.Less(t, took, 2500*time.Millisecond, "one thread needs 20 seconds, 16 threads 1.25")
		m.stopGracefully()
	})
}

func TestFailingKeyDelaysNoOtherKey(t *testing.T) {
	for name, buffer := range map[string]int{"all fit into memory": 1 << 20, "few fit into memory": 3000} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.fillKeys(4000, 50)
				var fails atomic.Bool
				fails.Store(true)
				m := w.join("a",
					byKey(16, 5*time.Millisecond, func(key string) bool { return fails.Load() && key == "k7" }),
					func(c *splits.Config, _ *member) { c.SplitBuffer = buffer })
				settle(time.Minute)
				others := map[string]bool{}
				for _, d := range m.deliveries() {
					if n, _ := strconv.Atoi(d.number); n%50 != 7 {
						others[d.number] = true
					}
				}
				assert.Len(t, others, 4000-80)
				assert.EqualValues(t, 7, w.lease(0).Position.EntriesRead, "the first of the failing key")
				assert.Len(t, w.lease(0).Finished, 80)
				assert.Less(t, splits.Buffered(m.Consumer), buffer+64<<10, "and the last read")
				fails.Store(false)
				settle(20 * time.Second)
				assert.EqualValues(t, 4000, w.lease(0).Position.EntriesRead)
				assert.Empty(t, w.lease(0).Finished)
				assert.Zero(t, splits.Buffered(m.Consumer))
				m.requireOrderOfKeys(50)
				m.stopGracefully()
			})
		})
	}
}

// requireOrderOfKeys checks that the entries of each key, of n, were delivered first in their
// order.
func (m *member) requireOrderOfKeys(n int) {
	m.w.t.Helper()
	last := map[int]int{}
	for _, d := range m.deliveries() {
		number, _ := strconv.Atoi(d.number)
		if d.deliveries == 1 {
			assert.GreaterOrEqual(m.w.t, number, last[number%n], "key %d", number%n)
			last[number%n] = number
		}
	}
}

// blockKey starts a member that fails the key k7 of 50 until the returned function is called, and
// whose memory holds few of its entries.
func (w *world) blockKey(change ...func(*splits.Config, *member)) (m *member, heal func()) {
	var healed atomic.Bool
	m = w.join("a", append(change,
		byKey(16, time.Millisecond, func(key string) bool { return !healed.Load() && key == "k7" }),
		func(c *splits.Config, _ *member) { c.SplitBuffer = 2000 })...)
	return m, func() { healed.Store(true) }
}

func TestEntriesThatCanNotBeLoadedAreRequestedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(4000, 50)
		m, heal := w.blockKey()
		settle(time.Minute)
		m.faults.Set(splitstest.Load, splitstest.Fault{Fail: errRejected})
		heal()
		settle(time.Minute)
		assert.Less(t, w.lease(0).Position.EntriesRead, int64(4000))
		assert.Contains(t, see(m, func() []string { return m.troubles }), "store: "+errRejected.Error())
		m.faults.Set(splitstest.Load, splitstest.Fault{})
		settle(time.Minute)
		assert.EqualValues(t, 4000, w.lease(0).Position.EntriesRead)
		m.requireOrderOfKeys(50)
		assert.Empty(t, see(m, func() []splits.Loss { return m.losses }))
		m.stopGracefully()
	})
}

func TestLoadFailureEndsWithTheSplitsThatNeedIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(4000, 50)
		m, heal := w.blockKey()
		settle(time.Minute)
		m.faults.Set(splitstest.Load, splitstest.Fault{Fail: errRejected})
		heal()
		settle(time.Minute)
		assert.NotEmpty(t, see(m, func() []string { return m.troubles }))
		all := w.store.Entries(w.store.Split("orders", 0))
		w.store.Seek("g", w.store.Split("orders", 0), splits.Position{Offset: all[3999].Offset, EntriesRead: 4000})
		settle(time.Minute)
		assert.NoError(t, m.Await(t.Context()))
		assert.Equal(t, 1, see(m, func() int { return m.recoveries }))
		m.stopGracefully()
	})
}

func TestEntriesRemovedBeforeTheyAreLoadedAreLosses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(4000, 50)
		m, heal := w.blockKey()
		settle(time.Minute)
		before := m.count()
		w.store.TrimTo(w.store.Split("orders", 0), 100)
		heal()
		settle(time.Minute)
		assert.EqualValues(t, 4000, w.lease(0).Position.EntriesRead)
		lost := 0
		for _, loss := range see(m, func() []splits.Loss { return m.losses }) {
			assert.True(t, loss.Exact)
			lost += int(loss.Entries)
		}
		assert.Equal(t, 80, lost+m.count()-before, "each of them is delivered or reported")
		m.stopGracefully()
	})
}

func TestLossOfEntriesToLoadStopsTheSplitIfItMustFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(4000, 50)
		m, heal := w.blockKey(func(c *splits.Config, _ *member) { c.FailOnLoss = true })
		settle(time.Minute)
		w.store.TrimTo(w.store.Split("orders", 0), 100)
		heal()
		settle(time.Minute)
		assert.Less(t, w.lease(0).Position.EntriesRead, int64(4000))
		var loss *splits.LossError
		causes := see(m, func() []error { return m.causes })
		assert.ErrorAs(t, causes[len(causes)-1], &loss)
		m.stopGracefully()
	})
}

func TestNextOwnerSkipsWhatWasFinishedBehindTheGap(t *testing.T) {
	for name, ordering := range map[string]splits.Ordering{"by key": splits.ByKey, "unordered": splits.Unordered} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.fillKeys(1000, 10)
				first := w.join("a", byKey(4, time.Millisecond, func(key string) bool { return key == "k3" }),
					func(c *splits.Config, _ *member) { c.Ordering, c.BatchSize = ordering, 5 })
				settle(time.Minute)
				first.crash()
				second := w.join("b", byKey(4, time.Millisecond, nil),
					func(c *splits.Config, _ *member) { c.Ordering, c.BatchSize = ordering, 5 })
				settle(time.Minute)
				got := map[string]int{}
				for _, d := range second.deliveries() {
					got[d.number]++
				}
				for n := range 1000 {
					assert.Equal(t, n%10 == 3, got[strconv.Itoa(n)] == 1, "entry %d", n)
				}
				assert.EqualValues(t, 1000, w.lease(0).Position.EntriesRead)
				second.stopGracefully()
			})
		})
	}
}

func TestSeekDeletesWhatWasFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(100, 10)
		var fails atomic.Bool
		fails.Store(true)
		m := w.join("a", byKey(4, time.Millisecond, func(key string) bool { return fails.Load() && key == "k0" }))
		settle(time.Minute)
		assert.NotEmpty(t, w.lease(0).Finished)
		before := m.count()
		fails.Store(false)
		w.store.Seek("g", w.store.Split("orders", 0), splits.Position{})
		settle(time.Minute)
		assert.GreaterOrEqual(t, m.count()-before, 100, "everything is delivered again")
		assert.EqualValues(t, 100, w.lease(0).Position.EntriesRead)
		m.stopGracefully()
	})
}

// The stream is replaced, on a server whose clock is behind: new entries get the offsets of entries
// that were finished.
func TestFinishedRangesOfAnotherStreamAreForgotten(t *testing.T) {
	for name, crash := range map[string]bool{"by another member": true, "by the same member": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				began := time.Now()
				w.fillKeys(100, 10)
				var healed atomic.Bool
				first := w.join("a",
					byKey(4, time.Millisecond, func(key string) bool { return !healed.Load() && key == "k3" }))
				settle(time.Minute)
				assert.NotEmpty(t, w.lease(0).Finished)
				before, second := first.count(), first
				if crash {
					first.crash()
				}
				w.store.StepClock(time.Until(began))
				w.store.Drop(w.store.Split("orders", 0))
				w.fillKeys(50, 11) // the keys differ from the old ones
				w.store.StepClock(time.Since(began))
				if crash {
					before, second = 0, w.join("b", byKey(4, time.Millisecond, nil))
				}
				settle(10 * time.Second) // the member notices, and still has an entry of the old stream
				healed.Store(true)
				settle(time.Minute)
				got := map[string]bool{}
				for _, d := range second.deliveries()[before:] {
					got[d.number] = true
				}
				// Another member can't distinguish entries before the committed position from the
				// old ones.
				for n := 3; n < 50; n++ {
					assert.True(t, got[strconv.Itoa(n)], "entry %d", n)
				}
				assert.Empty(t, w.lease(0).Finished)
				second.stopGracefully()
			})
		})
	}
}
