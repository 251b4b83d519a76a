package splits_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

func TestEntryThatAlwaysFailsIsGivenUpOnce(t *testing.T) {
	inEachOrdering(t, 1, func(w *world, ordering splits.Ordering) {
		w.fillKeys(100, 10)
		sink, letters := rejecting("37"), &mailbox{}
		m := w.join("a", lettering(sink, letters, func(c *splits.Config) { c.Ordering = ordering }))
		settle(time.Minute)
		w.wantGivenUp(letters, sink, 100, "37")
		l := letters.letters[0]
		assert.Equal(w.t, errRejected, l.Cause)
		assert.GreaterOrEqual(w.t, l.Deliveries, 5)
		assert.Equal(w.t, 1, see(m, func() int { return m.isolated }))
		assert.GreaterOrEqual(w.t, l.Age, 5*time.Second, "the longest wait comes before the last delivery")
		settle(5 * time.Second)
		assert.EqualValues(w.t, 100, w.lease(0).Position.EntriesRead)
		assert.Empty(w.t, w.noted())
		m.stopGracefully()
	})
}

// The first entry fails, and all newer entries wait for it: one of another key is tried first.
func TestProbeIsTheEvidenceThatTheSinkWorks(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(10, 10)
		sink, letters := rejecting("0"), &mailbox{}
		m := w.join("a", lettering(sink, letters, func(c *splits.Config) { c.BatchSize = 1 }))
		settle(time.Minute)
		w.wantGivenUp(letters, sink, 10, "0")
		m.stopGracefully()
	})
}

func TestNothingIsGivenUpDuringAnOutageOfTheSink(t *testing.T) {
	for _, size := range []int{1, 500} {
		inBubble(t, 4, func(w *world) {
			for _, s := range w.store.Splits("orders") {
				for i := range 50 {
					w.store.Append(s, "n", strconv.Itoa(i), "rafka_key", "k"+strconv.Itoa(i%7))
				}
			}
			sink, letters := &sinkOf{isDown: true}, &mailbox{}
			m := w.join("a", lettering(sink, letters, func(c *splits.Config) { c.BatchSize = size }))
			settle(30 * time.Minute)
			assert.Zero(w.t, letters.attempts())
			sink.down(false)
			settle(time.Minute)
			assert.Zero(w.t, letters.attempts())
			assert.Len(w.t, sink.got(), 200)
			m.stopGracefully()
		})
	}
}

func TestOnlyEntryIsGivenUpAfterAMinimumAge(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(3, 1) // all wait for the first one
		sink, letters := rejecting("0"), &mailbox{}
		m := w.join("a", lettering(sink, letters))
		settle(9 * time.Minute)
		assert.Zero(w.t, letters.attempts())
		settle(2 * time.Minute)
		w.wantGivenUp(letters, sink, 3, "0")
		m.stopGracefully()
	})
}

func TestFourthEntryInARowIsNotGivenUpWithoutASuccess(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(20, 20)
		sink, letters := &sinkOf{isDown: true}, &mailbox{}
		m := w.join("a", lettering(sink, letters, func(c *splits.Config) {
			c.Ordering, c.BatchSize = splits.Unordered, 1
			c.DeadLetters.Match = func(err error) bool { return errors.Is(err, errRejected) }
		}))
		settle(time.Minute)
		assert.Len(w.t, letters.numbers(), 3, "all entries match, but the sink is down")
		m.wantTrouble("3 messages in a row were given up")
		sink.down(false)
		settle(time.Minute)
		assert.Len(w.t, letters.numbers(), 3)
		assert.Len(w.t, sink.got(), 17)
		assert.Positive(w.t, see(m, func() int { return m.recoveries }))
		m.stopGracefully()
	})
}

func TestLetterThatCantBeWrittenLosesNothing(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(100, 10)
		sink, letters := rejecting("37", "58"), &mailbox{down: errors.New("no such host")}
		m := w.join("a", lettering(sink, letters))
		settle(3 * time.Minute)
		assert.Positive(w.t, letters.attempts())
		assert.EqualValues(w.t, 37, w.lease(0).Position.EntriesRead)
		m.wantTrouble("no such host")
		letters.fail(nil)
		settle(time.Minute)
		w.wantGivenUp(letters, sink, 100, "37", "58")
		assert.Positive(w.t, see(m, func() int { return m.recoveries }))
		m.stopGracefully()
	})
}

func TestAttemptsSurviveTheMember(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(100, 10)
		sink, letters := rejecting("37"), &mailbox{}
		many := func(c *splits.Config) { c.DeadLetters.MaxDeliveries = 20 }
		first := w.join("a", lettering(sink, letters, many))
		settle(2 * time.Second)
		first.crash()
		stored := w.noted()
		require.Len(w.t, stored, 1)
		assert.Equal(w.t, errRejected.Error(), stored[0].Cause)
		second := w.join("b", lettering(sink, letters, many))
		settle(20 * time.Second)
		alone := slices.IndexFunc(second.deliveries(), func(d delivery) bool { return d.number == "37" })
		require.GreaterOrEqual(w.t, alone, 0)
		assert.Equal(w.t, stored[0].Attempts+1, second.deliveries()[alone].deliveries)
		assert.Empty(w.t, letters.numbers())
		w.store.Append(w.only(), "n", "100", "rafka_key", "other") // the first member may have processed the others
		settle(3 * time.Minute)
		assert.Equal(w.t, []string{"37"}, letters.numbers())
		second.stopGracefully()
	})
}

// The member dies after the letter is noted and before the position is committed.
func TestEntryWithALetterIsNotDeliveredAgain(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(100, 10)
		sink, letters := rejecting("37"), &mailbox{}
		first := w.join("a", lettering(sink, letters, func(c *splits.Config) { c.CommitEvery = time.Hour }))
		settle(time.Minute)
		require.Equal(w.t, []string{"37"}, letters.numbers())
		first.crash()
		stored := w.noted()
		require.Len(w.t, stored, 1)
		assert.True(w.t, stored[0].Lettered)
		second := w.join("b", lettering(sink, letters))
		settle(time.Minute)
		for _, d := range second.deliveries() {
			assert.NotEqual(w.t, "37", d.number)
		}
		assert.EqualValues(w.t, 100, w.lease(0).Position.EntriesRead)
		assert.Empty(w.t, w.noted())
		second.stopGracefully()
	})
}

func TestPositionPassesAnEntryOnlyAfterItsLetter(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fillKeys(100, 10)
		sink, letters := rejecting("37"), &mailbox{}
		letters.onWrite = func(splits.Letter) {
			assert.LessOrEqual(w.t, w.lease(0).Position.EntriesRead, int64(37))
		}
		m := w.join("a", lettering(sink, letters), func(_ *splits.Config, m *member) {
			m.faults.Set(splitstest.Note, splitstest.Fault{Fail: errors.New("lost")})
		})
		settle(time.Minute)
		assert.Equal(w.t, []string{"37"}, letters.numbers())
		assert.EqualValues(w.t, 37, w.lease(0).Position.EntriesRead, "that the letter is written is not stored")
		m.faults.Set(splitstest.Note, splitstest.Fault{})
		settle(time.Minute)
		assert.EqualValues(w.t, 100, w.lease(0).Position.EntriesRead)
		m.stopGracefully()
	})
}
