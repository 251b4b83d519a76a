package splits_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

func TestShareAttemptsSurviveTheMember(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(100)
		sink, letters := rejecting("37"), &mailbox{}
		many := func(c *splits.ShareConfig, _ *sharer) { c.DeadLetters.MaxDeliveries = 20 }
		first := w.share("a", shareLettering(sink, letters, many))
		settle(2 * time.Second)
		first.crash()
		stored := w.noted()
		require.Len(w.t, stored, 1)
		assert.Positive(w.t, stored[0].Attempts)
		assert.Equal(w.t, errRejected.Error(), stored[0].Cause)
		second := w.share("b", shareLettering(sink, letters, many))
		settle(ttl + heartbeat)
		got := second.deliveries()
		require.NotEmpty(w.t, got)
		assert.Equal(w.t, "37", got[0].number)
		assert.Equal(w.t, stored[0].Attempts+1, got[0].deliveries)
		assert.Empty(w.t, letters.numbers())
		settle(2 * time.Minute)
		assert.Empty(w.t, letters.numbers(), "nothing shows this member that the sink works")
		w.add(100)
		settle(time.Minute)
		assert.Equal(w.t, []string{"37"}, letters.numbers())
		assert.Greater(w.t, letters.letters[0].Age, 2*time.Minute, "since the first failure")
		assert.Empty(w.t, w.pending(0))
		assert.Empty(w.t, w.noted())
	})
}

// The member dies after the letter is noted and before the entry is acknowledged.
func TestShareEntryWithALetterIsNotDeliveredAgain(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(100)
		sink, letters := rejecting("37"), &mailbox{}
		first := w.share("a", shareLettering(sink, letters))
		settle(2 * time.Second)
		assert.Equal(w.t, map[string]int{"a0": 1}, w.pending(0))
		first.faults.Set(splitstest.Acknowledge, splitstest.Fault{Fail: errors.New("no route")})
		settle(time.Minute)
		require.Equal(w.t, []string{"37"}, letters.numbers())
		assert.Equal(w.t, map[string]int{"a0": 1}, w.pending(0), "the letter comes first")
		first.crash()
		stored := w.noted()
		require.Len(w.t, stored, 1)
		assert.True(w.t, stored[0].Lettered)
		second := w.share("b", shareLettering(sink, letters))
		settle(time.Minute)
		assert.Empty(w.t, second.deliveries())
		assert.Equal(w.t, 1, letters.attempts())
		assert.Empty(w.t, w.pending(0))
		assert.Empty(w.t, w.noted())
	})
}

func TestShareEntryIsAcknowledgedOnlyAfterItsLetter(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(100)
		sink, letters := rejecting("37"), &mailbox{}
		letters.onWrite = func(splits.Letter) { assert.Len(w.t, w.pending(0), 1) }
		m := w.share("a", shareLettering(sink, letters), func(_ *splits.ShareConfig, m *sharer) {
			m.faults.Set(splitstest.Note, splitstest.Fault{Fail: errors.New("lost")})
		})
		settle(time.Minute)
		assert.Equal(w.t, []string{"37"}, letters.numbers())
		assert.Len(w.t, w.pending(0), 1, "that the letter is written is not stored")
		m.note(func() { assert.Contains(w.t, m.troubles, "lost") })
		m.faults.Set(splitstest.Note, splitstest.Fault{})
		settle(time.Minute)
		assert.Empty(w.t, w.pending(0))
		assert.Empty(w.t, w.noted())
		assert.NoError(w.t, m.Await(w.t.Context()))
	})
}

// An operator acknowledges the entry while its letter can't be written.
func TestShareOperatorAcknowledgesAnEntryThatIsGivenUp(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(100)
		sink, letters := rejecting("37"), &mailbox{down: errors.New("no such host")}
		m := w.share("a", shareLettering(sink, letters))
		settle(time.Minute)
		split := w.only()
		require.Len(w.t, w.noted(), 1)
		require.NoError(w.t, w.store.Shares("orders", "g").Acknowledge(w.t.Context(), []splits.ShareAck{{
			Split: split, Generation: w.store.Share("g", split).Generation,
			Offsets: []splits.Offset{w.store.Entries(split)[37].Offset},
		}})[0].Err)
		settle(time.Minute)
		before := len(m.deliveries())
		letters.fail(nil)
		settle(10 * time.Minute)
		assert.Len(w.t, m.deliveries(), before)
		assert.Empty(w.t, letters.numbers())
		assert.Empty(w.t, w.noted())
		assert.NoError(w.t, m.Await(w.t.Context()))
	})
}

// The group is moved while the letter is being written: what was noted before belongs to the past.
func TestShareSeekDuringALetterDeliversEverythingAgain(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(100)
		sink, letters := rejecting("37"), &mailbox{}
		var seen []splits.Attempted
		letters.onWrite = func(splits.Letter) {
			if len(letters.letters) == 0 {
				seen = w.noted()
				w.store.SeekShare("g", w.only(), splits.Offset{})
			}
		}
		m := w.share("a", shareLettering(sink, letters))
		settle(time.Minute)
		assert.Len(w.t, seen, 1)
		settle(time.Minute)
		assert.Equal(w.t, 2, letters.attempts())
		assert.Equal(w.t, []string{"37"}, letters.numbers())
		got := slices.Compact(sink.got())
		assert.Equal(w.t, without(100, "37"), got)
		assert.Len(w.t, sink.got(), 2*99)
		assert.Empty(w.t, w.pending(0))
		assert.Empty(w.t, w.noted())
		m.note(func() { assert.Equal(w.t, 1, m.lettered) })
	})
}

// A member that was taken for dead does not overwrite what the new holder of its entries has noted.
func TestShareNoteOfAMemberThatLostTheEntryIsIgnored(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(100)
		sink, letters := rejecting("37"), &mailbox{}
		many := func(c *splits.ShareConfig, _ *sharer) { c.DeadLetters.MaxDeliveries = 1000 }
		a := w.share("a", shareLettering(sink, letters, many))
		settle(2 * time.Second)
		a.faults.Outage(true)
		w.share("b", shareLettering(sink, letters, many))
		settle(3 * ttl)
		stored := w.noted()
		require.Len(w.t, stored, 1)
		a.faults.Outage(false)
		settle(ttl)
		again := w.noted()
		require.Len(w.t, again, 1)
		assert.Greater(w.t, again[0].Attempts, stored[0].Attempts)
		assert.Equal(w.t, map[string]int{"b0": 1}, w.pending(0))
	})
}
