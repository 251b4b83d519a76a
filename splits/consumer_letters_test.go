package splits_test

import (
	"errors"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

func TestEntryThatAlwaysFailsIsGivenUpOnce(t *testing.T) {
	for name, ordering := range map[string]splits.Ordering{
		"ByPartition": splits.ByPartition, "ByKey": splits.ByKey, "Unordered": splits.Unordered,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.fillKeys(100, 10)
				sink, letters := &sinkOf{bad: map[string]bool{"37": true}}, &mailbox{}
				m := w.join("a", lettering(sink, letters, func(c *splits.Config) { c.Ordering = ordering }))
				settle(time.Minute)
				assert.Equal(t, []string{"37"}, letters.numbers())
				assert.Equal(t, without(100, "37"), sink.got())
				l := letters.letters[0]
				assert.Equal(t, errRejected, l.Cause)
				assert.GreaterOrEqual(t, l.Deliveries, 5)
				assert.Equal(t, 1, see(m, func() int { return m.isolated }))
				assert.GreaterOrEqual(t, l.Age, 5*time.Second, "the longest wait comes before the last delivery")
				settle(5 * time.Second)
				assert.EqualValues(t, 100, w.lease(0).Position.EntriesRead)
				assert.Empty(t, w.store.Failing("g", w.store.Split("orders", 0)))
				m.stopGracefully()
			})
		})
	}
}

// The first entry fails, and all newer entries wait for it: one of another key is tried first.
func TestProbeIsTheEvidenceThatTheSinkWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(10, 10)
		sink, letters := &sinkOf{bad: map[string]bool{"0": true}}, &mailbox{}
		m := w.join("a", lettering(sink, letters, func(c *splits.Config) { c.BatchSize = 1 }))
		settle(time.Minute)
		assert.Equal(t, []string{"0"}, letters.numbers())
		assert.Equal(t, without(10, "0"), sink.got())
		m.stopGracefully()
	})
}

func TestNothingIsGivenUpDuringAnOutageOfTheSink(t *testing.T) {
	for _, size := range []int{1, 500} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 4)
			for _, s := range w.store.Splits("orders") {
				for i := range 50 {
					w.store.Append(s, "n", strconv.Itoa(i), "rafka_key", "k"+strconv.Itoa(i%7))
				}
			}
			sink, letters := &sinkOf{isDown: true}, &mailbox{}
			m := w.join("a", lettering(sink, letters, func(c *splits.Config) { c.BatchSize = size }))
			settle(30 * time.Minute)
			assert.Zero(t, letters.attempts())
			sink.down(false)
			settle(time.Minute)
			assert.Zero(t, letters.attempts())
			assert.Len(t, sink.got(), 200)
			m.stopGracefully()
		})
	}
}

func TestOnlyEntryIsGivenUpAfterAMinimumAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(3, 1) // all wait for the first one
		sink, letters := &sinkOf{bad: map[string]bool{"0": true}}, &mailbox{}
		m := w.join("a", lettering(sink, letters))
		settle(9 * time.Minute)
		assert.Zero(t, letters.attempts())
		settle(2 * time.Minute)
		assert.Equal(t, []string{"0"}, letters.numbers())
		assert.Equal(t, without(3, "0"), sink.got())
		m.stopGracefully()
	})
}

func TestFourthEntryInARowIsNotGivenUpWithoutASuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(20, 20)
		sink, letters := &sinkOf{isDown: true}, &mailbox{}
		m := w.join("a", lettering(sink, letters, func(c *splits.Config) {
			c.Ordering, c.BatchSize = splits.Unordered, 1
			c.DeadLetters.Match = func(err error) bool { return errors.Is(err, errRejected) }
		}))
		settle(time.Minute)
		assert.Len(t, letters.numbers(), 3, "all entries match, but the sink is down")
		troubles := see(m, func() []string { return slices.Clone(m.troubles) })
		require.NotEmpty(t, troubles)
		assert.Contains(t, troubles[0], "3 messages in a row were given up")
		sink.down(false)
		settle(time.Minute)
		assert.Len(t, letters.numbers(), 3)
		assert.Len(t, sink.got(), 17)
		assert.Positive(t, see(m, func() int { return m.recoveries }))
		m.stopGracefully()
	})
}

func TestLetterThatCantBeWrittenLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(100, 10)
		sink, letters := &sinkOf{
			bad: map[string]bool{"37": true, "58": true},
		}, &mailbox{
			down: errors.New("no such host"),
		}
		m := w.join("a", lettering(sink, letters))
		settle(3 * time.Minute)
		assert.Positive(t, letters.attempts())
		assert.EqualValues(t, 37, w.lease(0).Position.EntriesRead)
		troubles := see(m, func() []string { return slices.Clone(m.troubles) })
		require.NotEmpty(t, troubles)
		assert.Contains(t, troubles[0], "no such host")
		letters.fail(nil)
		settle(time.Minute)
		assert.ElementsMatch(t, []string{"37", "58"}, letters.numbers())
		assert.Equal(t, without(100, "37", "58"), sink.got())
		assert.Positive(t, see(m, func() int { return m.recoveries }))
		m.stopGracefully()
	})
}

func TestAttemptsSurviveTheMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(100, 10)
		sink, letters := &sinkOf{bad: map[string]bool{"37": true}}, &mailbox{}
		many := func(c *splits.Config) { c.DeadLetters.MaxDeliveries = 20 }
		first := w.join("a", lettering(sink, letters, many))
		settle(2 * time.Second)
		first.crash()
		stored := w.store.Failing("g", w.store.Split("orders", 0))
		require.Len(t, stored, 1)
		assert.Equal(t, errRejected.Error(), stored[0].Cause)
		second := w.join("b", lettering(sink, letters, many))
		settle(20 * time.Second)
		alone := slices.IndexFunc(second.deliveries(), func(d delivery) bool { return d.number == "37" })
		require.GreaterOrEqual(t, alone, 0)
		assert.Equal(t, stored[0].Attempts+1, second.deliveries()[alone].deliveries)
		assert.Empty(t, letters.numbers())
		w.store.Append(w.only(), "n", "100", "rafka_key", "other") // the first member may have processed the others
		settle(3 * time.Minute)
		assert.Equal(t, []string{"37"}, letters.numbers())
		second.stopGracefully()
	})
}

// The member dies after the letter is noted and before the position is committed.
func TestEntryWithALetterIsNotDeliveredAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(100, 10)
		sink, letters := &sinkOf{bad: map[string]bool{"37": true}}, &mailbox{}
		first := w.join("a", lettering(sink, letters, func(c *splits.Config) { c.CommitEvery = time.Hour }))
		settle(time.Minute)
		require.Equal(t, []string{"37"}, letters.numbers())
		first.crash()
		stored := w.store.Failing("g", w.store.Split("orders", 0))
		require.Len(t, stored, 1)
		assert.True(t, stored[0].Lettered)
		second := w.join("b", lettering(sink, letters))
		settle(time.Minute)
		for _, d := range second.deliveries() {
			assert.NotEqual(t, "37", d.number)
		}
		assert.EqualValues(t, 100, w.lease(0).Position.EntriesRead)
		assert.Empty(t, w.store.Failing("g", w.store.Split("orders", 0)))
		second.stopGracefully()
	})
}

func TestPositionPassesAnEntryOnlyAfterItsLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fillKeys(100, 10)
		sink, letters := &sinkOf{bad: map[string]bool{"37": true}}, &mailbox{}
		letters.onWrite = func(splits.Letter) {
			assert.LessOrEqual(t, w.lease(0).Position.EntriesRead, int64(37))
		}
		m := w.join("a", lettering(sink, letters), func(_ *splits.Config, m *member) {
			m.faults.Set(splitstest.Note, splitstest.Fault{Fail: errors.New("lost")})
		})
		settle(time.Minute)
		assert.Equal(t, []string{"37"}, letters.numbers())
		assert.EqualValues(t, 37, w.lease(0).Position.EntriesRead, "that the letter is written is not stored")
		m.faults.Set(splitstest.Note, splitstest.Fault{})
		settle(time.Minute)
		assert.EqualValues(t, 100, w.lease(0).Position.EntriesRead)
		m.stopGracefully()
	})
}
