package splits_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// A batch of one partition hangs for 10 minutes, while another one has an entry that always fails:
// whether that entry is the cause is certain when the other batch has returned.
func TestShareBatchThatHangsStopsNoOtherPartition(t *testing.T) {
	inBubble(t, 4, func(w *world) {
		letters, hangs := &mailbox{}, make(chan *splits.Batch, 1)
		m := w.share("a", func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize, c.DeadLetters.Letters = 1, letters
			m.handle = func(b *splits.Batch) {
				switch {
				case b.Split.Partition == 1 && field(b.Entries[0], "n") == "0":
					hangs <- b
				case b.Split.Partition == 2 && field(b.Entries[0], "n") == "5":
					b.Nack(errRejected, nil)
				default:
					b.Ack()
				}
			}
		})
		for n := range 600 {
			for _, s := range w.store.Splits("orders") {
				w.store.Append(s, "n", strconv.Itoa(n))
			}
			settle(time.Second)
		}
		assert.Zero(t, letters.attempts())
		for _, partition := range []int{0, 3} {
			wantFlow(t, m, partition, 600)
		}
		m.note(func() {
			hanging := m.failing[len(m.failing)-1].Hanging
			require.NotNil(t, hanging, "what hangs is reported")
			assert.Equal(t, 1, hanging.Split.Partition)
			assert.Greater(t, hanging.For, time.Minute)
		})
		(<-hangs).Ack()
		settle(time.Minute)
		assert.Equal(t, []string{"5"}, letters.numbers())
		for partition := range 4 {
			assert.Empty(t, w.pending(partition))
		}
	})
}

// Entries of two partitions fail again and again, each while the other one is in flight.
func TestShareEntriesThatFailTogetherAreTriedAlone(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		w.fill(20)
		letters := &mailbox{}
		w.share("a", func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize, c.DeadLetters.Letters = 1, letters
			m.handle = func(b *splits.Batch) {
				if b.Split.Partition == 2 || field(b.Entries[0], "n") != "5" {
					b.Ack()
					return
				}
				go func() { // ends before the test
					time.Sleep(2 * time.Second)
					b.Nack(errRejected, nil)
				}()
			}
		})
		for n := range 1500 { // entries that succeed are the evidence that entries can be processed
			w.store.Append(w.store.Split("orders", 2), "n", strconv.Itoa(20+n))
			settle(time.Second)
		}
		assert.Equal(t, []string{"5", "5"}, letters.numbers())
		for partition := range 3 {
			assert.Empty(t, w.pending(partition))
		}
	})
}

// A batch that waits to be alone when Poll returns why nothing is given up is handed out later.
func TestShareEntryThatWaitsToBeAloneIsPolled(t *testing.T) {
	inBubble(t, 2, func(w *world) {
		w.fill(3)
		sink := &sinkOf{isDown: true}
		m := w.share("a", func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize, c.DeadLetters.Letters = 1, &mailbox{}
			m.handle = func(b *splits.Batch) {
				go func() { // ends before the test
					time.Sleep(2 * time.Second)
					sink.handle(b)
				}()
			}
		})
		settle(5 * time.Minute)
		m.note(func() { assert.NotEmpty(t, m.errs, "Poll returns why nothing is given up") })
		sink.down(false)
		settle(time.Minute)
		assert.Len(t, sink.got(), 6)
	})
}
