package splits_test

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rafka-streams/rafka/splits"
)

// shareLettering gives up entries that the sink rejects.
func shareLettering(
	sink *sinkOf,
	letters *mailbox,
	change ...func(*splits.ShareConfig, *sharer),
) func(*splits.ShareConfig, *sharer) {
	return func(c *splits.ShareConfig, m *sharer) {
		m.handle = sink.handle
		c.DeadLetters = splits.DeadLetters{Letters: letters}
		for _, ch := range change {
			ch(c, m)
		}
	}
}

// add appends one entry to the first split.
func (w *world) add(number int) { w.store.Append(w.only(), "n", strconv.Itoa(number)) }

func TestShareEntryThatAlwaysFailsIsGivenUpOnce(t *testing.T) {
	for _, size := range []int{1, 500} {
		inBubble(t, 1, func(w *world) {
			w.fill(100)
			sink, letters := rejecting("37"), &mailbox{}
			m := w.share(
				"a",
				shareLettering(sink, letters, func(c *splits.ShareConfig, _ *sharer) { c.BatchSize = size }),
			)
			settle(time.Minute)
			w.wantGivenUp(letters, sink, 100, "37")
			l := letters.letters[0]
			assert.Equal(w.t, errRejected, l.Cause)
			assert.GreaterOrEqual(w.t, l.Deliveries, 5)
			assert.GreaterOrEqual(w.t, l.Age, 5*time.Second, "the longest wait comes before the last delivery")
			assert.Empty(w.t, w.pending(0))
			assert.Empty(w.t, w.noted())
			m.note(func() { assert.Equal(w.t, []int{1, 1}, []int{m.isolated, m.lettered}) })
		})
	}
}

func TestShareNothingIsGivenUpDuringAnOutageOfTheSink(t *testing.T) {
	for _, size := range []int{1, 4, 500} {
		inBubble(t, 4, func(w *world) {
			w.fill(50)
			sink, letters := &sinkOf{isDown: true}, &mailbox{}
			m := w.share("a", shareLettering(sink, letters, func(c *splits.ShareConfig, _ *sharer) {
				c.BatchSize, c.CheckpointLimit = size, 20
			}))
			settle(30 * time.Minute)
			assert.Zero(w.t, letters.attempts())
			assert.LessOrEqual(w.t, len(timesDelivered(m)), 20+11, "few entries are tried beyond the limit")
			assert.ErrorContains(w.t, m.Await(expired(w.t)), "messages keep failing, and none was processed")
			sink.down(false)
			settle(time.Minute)
			assert.Zero(w.t, letters.attempts())
			assert.Len(w.t, sink.got(), 200)
			assert.NoError(w.t, m.Await(w.t.Context()))
			for i := range 4 {
				assert.Empty(w.t, w.pending(i))
				assert.Empty(w.t, w.store.Failing("g", w.store.Split("orders", i)))
			}
		})
	}
}

func TestShareOnlyEntryIsGivenUpAfterAMinimumAge(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(1)
		sink, letters := rejecting("0"), &mailbox{}
		w.share("a", shareLettering(sink, letters))
		settle(9 * time.Minute)
		assert.Zero(w.t, letters.attempts())
		settle(2 * time.Minute)
		assert.Equal(w.t, []string{"0"}, letters.numbers())
		assert.Empty(w.t, w.pending(0))
	})
}

// All entries that the member may have in the pipeline are bad. One entry beyond them shows that
// the sink works, and reading continues when they are given up.
func TestShareReadingGoesOnWhenAFullPipelineIsGivenUp(t *testing.T) {
	inBubble(t, 2, func(w *world) {
		w.fill(20)
		sink, letters := rejecting(numbers(4)...), &mailbox{}
		m := w.share("a", shareLettering(sink, letters, func(c *splits.ShareConfig, _ *sharer) {
			c.BatchSize, c.CheckpointLimit = 4, 6
		}))
		settle(time.Second)
		assert.ErrorContains(w.t, m.Await(expired(w.t)), "all 6 messages that this member may have in the pipeline")
		settle(20 * time.Minute) // in an outage few deliveries are tried, so this takes a while
		for i := range 2 {       // no more than three are given up in a row
			w.add(20 + i)
			settle(5 * time.Minute)
		}
		assert.Len(w.t, letters.numbers(), 2*4)
		assert.Len(w.t, sink.got(), 2*16+2)
		assert.Empty(w.t, w.pending(0))
		assert.Empty(w.t, w.pending(1))
		assert.NoError(w.t, m.Await(w.t.Context()))
	})
}

func TestShareFourthEntryInARowIsNotGivenUpWithoutASuccess(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(20)
		sink, letters := &sinkOf{isDown: true}, &mailbox{}
		m := w.share("a", shareLettering(sink, letters, func(c *splits.ShareConfig, _ *sharer) {
			c.BatchSize = 1
			c.DeadLetters.Match = func(err error) bool { return errors.Is(err, errRejected) }
		}))
		settle(time.Minute)
		assert.Len(w.t, letters.numbers(), 3, "all entries match, but the sink is down")
		m.note(func() { assert.Contains(w.t, m.troubles[0], "3 messages in a row were given up") })
		sink.down(false)
		settle(time.Minute)
		assert.Len(w.t, letters.numbers(), 3)
		assert.Len(w.t, sink.got(), 17)
		assert.NoError(w.t, m.Await(w.t.Context()))
	})
}

func TestShareLetterThatCantBeWrittenLosesNothing(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(100)
		sink := rejecting("37", "58", "59")
		letters := &mailbox{down: errors.New("no such host")}
		m := w.share("a", shareLettering(sink, letters))
		settle(3 * time.Minute)
		assert.Positive(w.t, letters.attempts())
		assert.Equal(w.t, map[string]int{"a0": 3}, w.pending(0))
		assert.ErrorContains(w.t, m.Await(expired(w.t)), "no such host")
		sink.heal("59")
		letters.fail(nil)
		settle(time.Minute)
		w.wantGivenUp(letters, sink, 100, "37", "58")
		assert.NoError(w.t, m.Await(w.t.Context()))
		assert.Empty(w.t, w.pending(0))
	})
}
