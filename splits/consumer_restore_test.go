package splits_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// hasEntry returns a function that reports whether a batch has an entry.
func hasEntry(number string) func(b *splits.Batch) bool {
	return func(b *splits.Batch) bool {
		return slices.ContainsFunc(b.Entries, func(e splits.Entry) bool { return field(e, "n") == number })
	}
}

// Entries 3 and 13 have one key. Entry 3 was processed but not committed, and entry 13 fails: the
// next owner delivers entry 3 again, and entry 13 behind it.
func TestFailingEntryWaitsForThoseBeforeItInItsLane(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(40, 10)
		sink, letters := rejecting("13"), &mailbox{}
		byKey := func(c *splits.Config) { c.Ordering, c.DeadLetters.MaxDeliveries = splits.ByKey, 20 }
		first := w.join("a", lettering(sink, letters, byKey, func(c *splits.Config) { c.CommitEvery = time.Hour }))
		settle(3 * time.Second)
		first.crash()
		require.Len(w.t, w.store.Failing("g", w.store.Split("orders", 0)), 1)

		var mu sync.Mutex
		var held []*splits.Batch
		has3 := hasEntry("3")
		second := w.join("b", lettering(sink, letters, byKey), func(_ *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) {
				mu.Lock()
				defer mu.Unlock()
				if held == nil && has3(b) {
					held = append(held, b)
					return
				}
				sink.handle(b)
			}
		})
		settle(20 * time.Second)
		numbers := func() (all []string) {
			for _, d := range second.deliveries() {
				all = append(all, d.number)
			}
			return all
		}
		require.Contains(w.t, numbers(), "3")
		assert.NotContains(w.t, numbers(), "13", "entry 3 is in the pipeline")
		mu.Lock()
		held[0].Ack()
		mu.Unlock()
		settle(20 * time.Second)
		at := slices.IndexFunc(second.deliveries(), func(d delivery) bool { return d.number == "13" })
		require.GreaterOrEqual(w.t, at, 0)
		assert.Greater(w.t, second.deliveries()[at].deliveries, 1, "its attempts are known")
		second.stopGracefully()
	})
}

// After a takeover, the entry behind one that fails had failed, too: others are tried behind both.
func TestProbesPassEntriesThatFailedEarlier(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(10, 10)
		sink, letters := rejecting("0", "1"), &mailbox{}
		first := w.join("a", lettering(sink, letters, func(c *splits.Config) {
			c.DeadLetters.MaxDeliveries, c.BatchSize = 100, 2
		}))
		settle(3 * time.Second)
		first.crash()
		require.Len(w.t, w.store.Failing("g", w.store.Split("orders", 0)), 2)
		second := w.join("b", lettering(sink, letters, func(c *splits.Config) { c.BatchSize = 2 }))
		settle(2 * time.Minute)
		w.wantGivenUp(letters, sink, 10, "0", "1")
		assert.Empty(w.t, w.store.Failing("g", w.store.Split("orders", 0)))
		second.stopGracefully()
	})
}

// silentBox keeps letters, but its answers are lost.
type silentBox struct{ mailbox }

func (b *silentBox) Write(ctx context.Context, l splits.Letter) error {
	_ = b.mailbox.Write(ctx, l)
	return errors.New("no answer")
}

func TestLettersWithoutAnAnswerCountInARow(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(20, 20)
		sink, letters := &sinkOf{isDown: true}, &silentBox{}
		m := w.join("a", lettering(sink, &letters.mailbox, func(c *splits.Config) {
			c.Ordering, c.BatchSize, c.DeadLetters.Letters = splits.Unordered, 1, letters
			c.DeadLetters.Match = func(err error) bool { return errors.Is(err, errRejected) }
		}))
		settle(5 * time.Minute)
		assert.Len(w.t, letters.numbers(), 3)
		m.stopGracefully()
	})
}

func TestCloseDoesNotWaitForALetter(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(20, 10)
		sink, letters := rejecting("7"), &mailbox{}
		began := make(chan struct{})
		m := w.join("a", lettering(sink, letters, func(c *splits.Config) {
			c.CallTimeout, c.DeadLetters.Letters = time.Hour, hangingBox(began)
		}))
		<-began
		at := time.Now()
		m.stopGracefully()
		assert.Less(w.t, time.Since(at), time.Second)
		second := w.join("b", lettering(sink, letters))
		settle(time.Second)
		w.store.Append(w.store.Split("orders", 0), "n", "20") // evidence, if "a" has processed all others
		settle(time.Minute)
		assert.Equal(w.t, []string{"7"}, letters.numbers())
		second.stopGracefully()
	})
}

// hangingBox never answers. It is closed at the first letter.
type hangingBox chan struct{}

func (b hangingBox) Write(ctx context.Context, _ splits.Letter) error {
	close(b)
	<-ctx.Done()
	return ctx.Err()
}

// The entry that failed is removed from the stream while no member reads it.
func TestNothingIsStoredOfAnEntryThatWasRemoved(t *testing.T) {
	inEachOrdering(t, 1, func(w *world, ordering splits.Ordering) {
		w.fillKeys(20, 10)
		split := w.store.Split("orders", 0)
		sink, letters := rejecting("7"), &mailbox{}
		many := func(c *splits.Config) { c.Ordering, c.DeadLetters.MaxDeliveries = ordering, 100 }
		first := w.join("a", lettering(sink, letters, many))
		settle(3 * time.Second)
		first.crash()
		failing := w.store.Failing("g", split)
		require.Len(w.t, failing, 1)
		require.True(w.t, w.store.Delete(split, failing[0].Offset))
		w.store.Append(split, "n", strconv.Itoa(20), "rafka_key", "k0")
		second := w.join("b", lettering(sink, letters, many))
		settle(time.Minute)
		assert.Equal(w.t, without(21, "7"), slices.Compact(sink.got()))
		assert.Empty(w.t, w.store.Failing("g", split))
		second.stopGracefully()
	})
}
