package splits_test

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// A batch of one partition hangs for 10 minutes, while another one has an entry that always fails:
// whether that entry is the cause is certain when the other batch has returned.
func TestBatchThatHangsStopsNoOtherPartition(t *testing.T) {
	inEachOrdering(t, 4, func(w *world, ordering splits.Ordering) {
		letters, hangs := &mailbox{}, make(chan *splits.Batch, 1)
		bad := w.store.Split("orders", 2)
		m := w.join("a", withLetters(letters, ordering, 1), func(_ *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) {
				switch {
				case b.Split.Partition == 1 && field(b.Entries[0], "n") == "0":
					hangs <- b
				case b.Split == bad && field(b.Entries[0], "n") == "5":
					b.Nack(errRejected, nil)
				default:
					b.Ack()
				}
			}
		})
		for n := range 600 {
			for _, s := range w.store.Splits("orders") {
				w.store.Append(s, "n", strconv.Itoa(n), "rafka_key", "k"+strconv.Itoa(n))
			}
			settle(time.Second)
		}
		assert.Zero(w.t, letters.attempts())
		for _, partition := range []int{0, 3} {
			wantFlow(w.t, m, partition, 600)
		}
		reports := see(m, func() []splits.Failing { return slices.Clone(m.failing) })
		hanging := reports[len(reports)-1].Hanging
		require.NotNil(w.t, hanging, "what hangs is reported")
		assert.Equal(w.t, 1, hanging.Split.Partition)
		assert.Greater(w.t, hanging.For, time.Minute)
		(<-hangs).Ack()
		settle(time.Minute)
		assert.Equal(w.t, []string{"5"}, letters.numbers())
		for _, s := range w.store.Splits("orders") {
			assert.EqualValues(w.t, 600, w.lease(s.Partition).Position.EntriesRead)
		}
		m.stop()
	})
}

// The sink is down, and rejects a batch only after a moment: so batches of several splits fail while
// others are in flight, and entries are held back for each other. When the sink works again, all of
// them are processed.
func TestEntriesHeldBackInAnOutageAreHandedOutAfterIt(t *testing.T) {
	inEachOrdering(t, 8, func(w *world, ordering splits.Ordering) {
		sink, letters, random := &sinkOf{isDown: true}, &mailbox{}, rand.New(rand.NewPCG(1, 2))
		m := w.join("a", lettering(sink, letters), func(c *splits.Config, m *member) {
			c.Ordering, c.BatchSize = ordering, 10
			c.DeadLetters.MaxDeliveries, c.DeadLetters.MaxBackoff = 2, 200*time.Millisecond
			m.handle = func(b *splits.Batch) {
				took := time.Duration(1+random.IntN(300)) * time.Millisecond
				m.out.Go(func() {
					time.Sleep(took)
					sink.handle(b)
				})
			}
		})
		for n := range 340 {
			if n > 100 {
				settle(500 * time.Millisecond)
			}
			for _, s := range w.store.Splits("orders") {
				w.store.Append(s, "n", strconv.Itoa(n), "rafka_key", "k"+strconv.Itoa(n%20))
			}
		}
		assert.Empty(w.t, sink.got())
		sink.down(false)
		settle(time.Minute)
		assert.Len(w.t, sink.got(), 8*340)
		assert.Zero(w.t, letters.attempts())
		m.stopGracefully()
	})
}

// wantFlow checks that the entries of a partition, one a second, were delivered without long breaks
// and mostly without delay.
func wantFlow(t *testing.T, m interface{ deliveries() []delivery }, partition, n int) {
	t.Helper()
	var all []delivery
	for _, d := range m.deliveries() {
		if d.split.Partition == partition {
			all = append(all, d)
		}
	}
	require.Len(t, all, n)
	late := 0
	for i, d := range all {
		assert.Equal(t, strconv.Itoa(i), d.number)
		if i == 0 {
			continue
		}
		gap := d.at.Sub(all[i-1].at)
		assert.LessOrEqual(t, gap, 7*time.Second, "before entry %d", i)
		if gap > 2*time.Second {
			late++
		}
	}
	assert.LessOrEqual(t, late, n/90, "breaks")
}

// Entries of two partitions fail again and again, each while the other one is in flight.
func TestEntriesThatFailTogetherAreTriedAlone(t *testing.T) {
	inEachOrdering(t, 3, func(w *world, ordering splits.Ordering) {
		w.fill(20)
		letters := &mailbox{}
		m := w.join("a", withLetters(letters, ordering, 1), func(_ *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) {
				if b.Split.Partition == 2 || field(b.Entries[0], "n") != "5" {
					b.Ack()
					return
				}
				m.out.Go(func() {
					time.Sleep(2 * time.Second)
					b.Nack(errRejected, nil)
				})
			}
		})
		for n := range 1500 { // entries that succeed are the evidence that entries can be processed
			w.store.Append(w.store.Split("orders", 2), "n", strconv.Itoa(20+n))
			settle(time.Second)
		}
		assert.Equal(w.t, []string{"5", "5"}, letters.numbers())
		for partition, want := range []int{20, 20, 1520} {
			assert.EqualValues(w.t, want, w.lease(partition).Position.EntriesRead)
		}
		m.stopGracefully()
	})
}

// Without a place for letters, an entry never keeps other batches back.
func TestNothingIsHeldBackWithoutLetters(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		hangs := make(chan *splits.Batch, 1)
		m := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) {
				switch b.Split.Partition {
				case 1:
					hangs <- b
				case 2:
					b.Nack(errRejected, nil)
				default:
					b.Ack()
				}
			}
		})
		w.store.Append(w.store.Split("orders", 1), "n", "0")
		w.store.Append(w.store.Split("orders", 2), "n", "0")
		for n := range 300 {
			w.store.Append(w.store.Split("orders", 0), "n", strconv.Itoa(n))
			settle(time.Second)
			of0 := slices.DeleteFunc(m.deliveries(), func(d delivery) bool { return d.split.Partition > 0 })
			assert.Len(w.t, of0, n+1)
		}
		(<-hangs).Ack()
		m.stop()
	})
}

// A batch is held back until another one has returned. Meanwhile Poll reports that nothing is
// processed, so the caller waits with Await.
func TestBatchThatWasHeldBackEndsTheWait(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(2)
		var works atomic.Bool
		m := w.join("a", func(c *splits.Config, m *member) {
			c.Ordering, c.BatchSize = splits.Unordered, 1
			c.DeadLetters = splits.DeadLetters{Letters: &mailbox{}, MaxBackoff: 20 * time.Millisecond}
			m.handle = func(b *splits.Batch) {
				switch {
				case works.Load():
					b.Ack()
				case field(b.Entries[0], "n") == "0":
					m.out.Go(func() {
						time.Sleep(3 * time.Second)
						b.Nack(errRejected, nil)
					})
				default:
					b.Nack(errRejected, nil)
				}
			}
		})
		settle(4 * time.Second)
		require.NotEmpty(
			t,
			see(m, func() []error { return slices.Clone(m.errs) }),
			"Poll says that nothing is processed",
		)
		works.Store(true)
		settle(20 * time.Second)
		assert.EqualValues(t, 2, w.lease(0).Position.EntriesRead)
		m.stopGracefully()
	})
}
