package splits_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// An entry that takes long to fail is handed out again before its last failure is certain, since
// other batches take long too. It is given up when it comes back.
func TestEntryThatTakesLongToFailIsGivenUp(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		letters := &mailbox{}
		m := w.join("a", func(c *splits.Config, m *member) {
			c.Ordering, c.BatchSize = splits.Unordered, 1
			c.DeadLetters = splits.DeadLetters{Letters: letters}
			m.handle = func(b *splits.Batch) {
				m.out.Go(func() {
					if field(b.Entries[0], "n") == "3" {
						time.Sleep(30 * time.Second)
						b.Nack(errRejected, nil)
						return
					}
					time.Sleep(20 * time.Second)
					b.Ack()
				})
			}
		})
		for i := range 200 {
			w.store.Append(w.only(), "n", strconv.Itoa(i))
			time.Sleep(5 * time.Second)
		}
		settle(10 * time.Minute)
		assert.Equal(w.t, []string{"3"}, letters.numbers())
		assert.EqualValues(w.t, 200, w.lease(0).Position.EntriesRead)
		m.stopGracefully()
	})
}

// All entries that may be in the pipeline are bad. One entry beyond them shows that the sink works.
func TestFullPipelineOfBadEntriesIsGivenUp(t *testing.T) {
	for name, ordering := range map[string]splits.Ordering{"ByKey": splits.ByKey, "Unordered": splits.Unordered} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, func(w *world) {
				w.fillKeys(60, 60)
				sink, letters := rejecting(numbers(8)...), &mailbox{}
				m := w.join("a", lettering(sink, letters, func(c *splits.Config) {
					c.Ordering, c.BatchSize, c.CheckpointLimit, c.Lanes = ordering, 4, 6, 64
				}))
				settle(20 * time.Minute) // in an outage few deliveries are tried, so this takes a while
				for i := range 2 {       // no more than three are given up in a row
					w.store.Append(w.only(), "n", strconv.Itoa(60+i))
					settle(5 * time.Minute)
				}
				assert.Len(w.t, letters.numbers(), 8)
				assert.Len(w.t, sink.got(), 54)
				assert.EqualValues(w.t, 62, w.lease(0).Position.EntriesRead)
				m.stopGracefully()
			})
		})
	}
}

// During an outage of the sink few entries are tried beyond the limit of the pipeline.
func TestProbesOfAFullPipelineAreBounded(t *testing.T) {
	for name, ordering := range map[string]splits.Ordering{"ByKey": splits.ByKey, "Unordered": splits.Unordered} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 1, func(w *world) {
				w.fillKeys(200, 200)
				sink, letters := &sinkOf{isDown: true}, &mailbox{}
				m := w.join("a", lettering(sink, letters, func(c *splits.Config) {
					c.Ordering, c.BatchSize, c.CheckpointLimit, c.Lanes = ordering, 4, 6, 256
				}))
				settle(30 * time.Minute)
				tried := map[string]bool{}
				for _, d := range m.deliveries() {
					tried[d.number] = true
				}
				assert.LessOrEqual(w.t, len(tried), 6+11)
				assert.Zero(w.t, letters.attempts())
				sink.down(false)
				settle(time.Minute)
				assert.Zero(w.t, letters.attempts())
				assert.EqualValues(w.t, 200, w.lease(0).Position.EntriesRead)
				m.stopGracefully()
			})
		})
	}
}

// The letter can't be written, but then the entry is processed: the report ends.
func TestReportOfALetterEndsWithItsEntry(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(100, 10)
		sink, letters := rejecting("37"), &mailbox{down: errors.New("no such host")}
		m := w.join("a", lettering(sink, letters))
		settle(time.Minute)
		require.ErrorContains(w.t, m.Await(expired(w.t)), "no such host")
		sink.heal("37")
		settle(time.Minute)
		assert.NoError(w.t, m.Await(w.t.Context()))
		assert.Empty(w.t, letters.numbers())
		m.stopGracefully()
	})
}

// While three letters can't be written, nothing is known about the sink.
func TestLettersThatCantBeWrittenSuspendNothing(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(100, 100)
		sink, letters := rejecting("11", "22", "33", "44", "55"), &mailbox{down: errors.New("no such host")}
		m := w.join("a", lettering(sink, letters, func(c *splits.Config) { c.Ordering = splits.Unordered }))
		settle(2 * time.Minute)
		letters.fail(nil)
		w.store.Append(w.only(), "n", "100")
		settle(time.Minute)
		assert.Len(w.t, letters.numbers(), 3, "without a success in between no more than three in a row")
		w.store.Append(w.only(), "n", "101")
		settle(time.Minute)
		assert.Len(w.t, letters.numbers(), 5)
		assert.EqualValues(w.t, 102, w.lease(0).Position.EntriesRead)
		m.stopGracefully()
	})
}

// What could not be stored before is stored when the member is closed.
func TestAttemptsAreStoredWhenAMemberCloses(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(10, 10)
		sink, letters := rejecting("7"), &mailbox{}
		m := w.join("a", lettering(sink, letters), func(_ *splits.Config, m *member) {
			m.faults.Set(splitstest.Note, splitstest.Fault{Fail: errors.New("lost")})
		})
		settle(2 * time.Second)
		assert.Empty(w.t, w.store.Failing("g", w.only()))
		m.faults.Set(splitstest.Note, splitstest.Fault{})
		m.stopGracefully()
		stored := w.store.Failing("g", w.only())
		require.Len(w.t, stored, 1)
		assert.Positive(w.t, stored[0].Attempts)
	})
}

// Entries of a key that were processed and not committed come again after a crash, and the entry
// behind them that failed waits for them.
func TestEntryThatFailedWaitsForEarlierEntriesOfItsKey(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(100, 10)
		sink, letters := rejecting("37"), &mailbox{}
		byKeys := func(c *splits.Config) {
			c.Ordering, c.BatchSize, c.CommitEvery = splits.ByKey, 1, time.Hour
			c.DeadLetters.MaxDeliveries = 1000
		}
		first := w.join("a", lettering(sink, letters, byKeys))
		settle(2 * time.Second)
		first.crash()
		require.Len(w.t, w.store.Failing("g", w.only()), 1)
		second := w.join("b", lettering(sink, letters, byKeys), func(_ *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) {
				m.out.Go(func() { time.Sleep(100 * time.Millisecond); sink.handle(b) })
			}
		})
		settle(2 * ttl)
		seen := map[string]time.Time{}
		for _, d := range second.deliveries() {
			if _, before := seen[d.number]; !before {
				seen[d.number] = d.at
			}
		}
		require.Contains(w.t, seen, "37")
		for _, earlier := range []string{"7", "17", "27"} {
			assert.GreaterOrEqual(w.t, seen["37"].Sub(seen[earlier]), 100*time.Millisecond, "behind %s", earlier)
		}
		assert.NotContains(w.t, seen, "47")
		assert.Contains(w.t, seen, "99")
		second.stopGracefully()
	})
}

// The attempts at an entry that is pending in a foreign group survive the member.
func TestAttemptsAtAnAdoptedEntrySurviveTheMember(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.oldGroup(1, 2, 7)
		sink, letters := rejecting("2"), &mailbox{}
		many := func(c *splits.Config) { c.DeadLetters.MaxDeliveries, c.Start = 20, splits.Adopt() }
		first := w.join("a", lettering(sink, letters, many))
		settle(2 * time.Second)
		first.crash()
		stored := w.store.Failing("g", w.only())
		require.Len(w.t, stored, 1)
		second := w.join("b", lettering(sink, letters, many))
		settle(2 * ttl)
		for _, d := range second.deliveries() {
			if d.number == "2" {
				assert.Equal(w.t, stored[0].Attempts+1, d.deliveries)
				break
			}
		}
		w.store.Append(w.only(), "n", "20", "rafka_key", "other")
		settle(3 * time.Minute)
		assert.Equal(w.t, []string{"2"}, letters.numbers())
		w.adopted(0)
		second.stopGracefully()
	})
}

// Nothing shows the second member that the sink works. The time since the first failure counts,
// also under the first member.
func TestMinimumAgeSurvivesTheMember(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(1, 1)
		sink, letters := rejecting("0"), &mailbox{}
		first := w.join("a", lettering(sink, letters))
		settle(6 * time.Minute)
		first.crash()
		second := w.join("b", lettering(sink, letters))
		settle(3 * time.Minute)
		assert.Empty(w.t, letters.numbers())
		settle(2 * time.Minute)
		assert.Equal(w.t, []string{"0"}, letters.numbers())
		second.stopGracefully()
	})
}
