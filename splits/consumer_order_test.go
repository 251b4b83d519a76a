package splits_test

import (
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

func TestRejectedBatchComesBeforeNewerEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		s := w.store.Split("orders", 0)
		for i, key := range []string{"x", "y", "x", "", "y", "x"} {
			w.store.Append(s, "n", strconv.Itoa(i), "rafka_key", key)
		}
		nacked := false
		m := w.join("a", func(c *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) {
				if !nacked {
					nacked = true
					w.store.Append(s, "n", "6", "rafka_key", "z")
					b.Nack(errRejected, []int{0, 3})
					return
				}
				b.Ack()
			}
		})
		settle(time.Second)
		var order []string
		for _, d := range m.deliveries() {
			order = append(order, fmt.Sprintf("%s/%d", d.number, d.deliveries))
		}
		assert.Equal(
			t,
			[]string{"0/1", "1/1", "2/1", "3/1", "4/1", "5/1", "0/2", "1/2", "2/2", "3/2", "4/2", "5/2", "6/1"},
			order,
		)
	})
}

func TestCommitNeverPassesANackedEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		m := w.join("a", func(c *splits.Config, m *member) {
			c.Ordering = splits.Unordered
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) {
				if field(b.Entries[0], "n") == "3" {
					b.Nack(errRejected, nil)
					return
				}
				b.Ack()
			}
		})
		settle(5 * time.Second)
		assert.EqualValues(t, 3, w.lease(0).Position.EntriesRead)
		assert.GreaterOrEqual(t, m.count(), 10+2, "the nacked one comes again and again")
		assert.Less(t, m.count(), 10+20, "but not in a busy loop")
	})
}

// A regression: of several rejected entries that waited, only the first was handed out again.
func TestUnorderedHandsOutEveryNackedEntryAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		m := w.join("a", func(c *splits.Config, m *member) {
			c.Ordering, c.BatchSize = splits.Unordered, 1
			m.handle = func(b *splits.Batch) {
				if b.Deliveries == 1 {
					n, _ := strconv.Atoi(field(b.Entries[0], "n"))
					m.out.Go(func() { time.Sleep(time.Duration(n) * 3 * time.Millisecond); b.Nack(errRejected, nil) })
					return
				}
				m.out.Go(func() { time.Sleep(time.Hour); b.Ack() })
			}
		})
		settle(time.Minute)
		assert.Equal(t, 2*5, m.count(), "all come again though none of the first to do so is acknowledged")
		m.stopGracefully()
	})
}

func TestSkippedNacksAreCountedAndPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(4)
		m := w.join("a", func(c *splits.Config, m *member) {
			c.SkipNacked = true
			m.handle = func(b *splits.Batch) { b.Nack(errRejected, []int{1}) }
		})
		settle(3 * time.Second)
		w.wantOnce(4, m)
		assert.Equal(t, 4, m.skipped, "which of a batch failed is not known")
		assert.EqualValues(t, 4, w.lease(0).Position.EntriesRead)
	})
}

func TestBatchesInFlightPerSplitAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.fill(100)
		hold := func(c *splits.Config, m *member) { c.BatchSize = 5; m.handle = func(*splits.Batch) {} }
		a := w.join("a", hold)
		settle(time.Second)
		assert.Equal(t, 2*5, a.count())
		a.crash()
		b := w.join(
			"b",
			hold,
			func(c *splits.Config, _ *member) { c.Ordering, c.CheckpointLimit = splits.Unordered, 35 },
		)
		settle(2 * ttl)
		assert.Equal(t, 2*35, b.count())
	})
}

func TestBlockedPipelineKeepsItsLeasesAndWarnsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.fill(100)
		gate := make(chan struct{})
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize = 5
			m.handle = func(b *splits.Batch) { go func() { <-gate; b.Ack() }() }
		})
		settle(time.Hour)
		assert.Equal(t, 2*5, a.count())
		assert.Equal(t, 1, a.stalled)
		assert.Empty(t, a.fenced)
		close(gate)
		settle(time.Second)
		w.wantOnce(100, a)
	})
}

func TestBuffersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		for _, s := range w.store.Splits("orders") {
			for range 200 {
				w.store.Append(s, "n", string(make([]byte, 1000)))
			}
		}
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize, c.SplitBuffer, c.FetchMax = 1, 20_000, 40_000
			m.handle = func(*splits.Batch) {}
		})
		settle(time.Minute)
		assert.LessOrEqual(t, splits.Buffered(a.Consumer), 40_000+4*16*1200, "no more than one read beyond the bound")
		assert.Positive(t, splits.Buffered(a.Consumer))
	})
}
