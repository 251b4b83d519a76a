package splits_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// killed lets processes end one after the other while they have entries in flight, whatever these
// are.
func (w *world) killed(n int, change ...func(*splits.ShareConfig, *sharer)) {
	for i := range n {
		m := w.share("killed-"+strconv.Itoa(i)+"-", append(change, holding)...)
		settle(2 * ttl)
		require.NotEmpty(w.t, m.deliveries())
		m.crash()
	}
}

func TestShareFiveKillsInARowCondemnNothing(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		w.fill(30)
		letters := &mailbox{}
		change := func(c *splits.ShareConfig, _ *sharer) { c.DeadLetters.Letters = letters }
		w.killed(5, change)
		deaths := 0
		for partition := range 3 {
			for _, s := range w.suspected(partition) {
				deaths += s.Deaths
			}
		}
		assert.Equal(t, 1, deaths, "the last one is not taken over yet")
		last := w.share("last", change)
		settle(3 * time.Minute)
		assert.Zero(t, letters.attempts())
		w.wantEach(30, last)
		for partition := range 3 {
			assert.Empty(t, w.suspected(partition))
		}
	})
}

// Two members take over from each other while one of them can't reach the store.
func TestShareFiveOutagesInARowCondemnNothing(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(30)
		letters := &mailbox{}
		change := func(c *splits.ShareConfig, _ *sharer) { c.DeadLetters.Letters = letters }
		w.killed(3, change)
		end := make(chan struct{})
		keep := func(_ *splits.ShareConfig, m *sharer) {
			m.handle = func(b *splits.Batch) { // what a member processes takes until it can lose it
				select {
				case <-b.Context().Done():
				case <-end:
				}
				b.Nack(errRejected, nil)
			}
		}
		deaths := func() int { return w.suspected(0)[0].Deaths }
		members, counted := []*sharer{w.share("a", change, keep), w.share("b", change, keep)}, 0
		settle(2 * ttl)
		for range 5 { // each of them loses its session several times while an entry is in flight
			for _, m := range members {
				m.faults.Outage(true)
				settle(2 * ttl)
				counted += deaths()
				m.faults.Outage(false)
				settle(2 * heartbeat)
				assert.Zero(t, deaths(), "a live member takes its death back")
			}
		}
		assert.GreaterOrEqual(t, counted, 5, "a takeover can't know that the member is alive")
		close(end)
		for _, m := range members {
			m.stop()
		}
		assert.Zero(t, deaths())
		last := w.share("last", change)
		settle(3 * time.Minute)
		assert.Zero(t, letters.attempts())
		w.wantEach(30, last)
	})
}

// A member that leaves has not died, whatever it had in flight.
func TestShareLeavingCountsAsNoDeath(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(30)
		w.killed(3)
		var before []splits.Suspected
		for i := range 5 {
			m := w.share("leaver-"+strconv.Itoa(i)+"-", holding)
			settle(2 * ttl)
			require.Len(t, m.deliveries(), 1, "one entry alone")
			if before == nil {
				before = w.suspected(0)
			}
			m.stop()
			assert.Equal(t, before, w.suspected(0))
		}
		last := w.share("last")
		settle(time.Minute)
		w.wantEach(30, last)
	})
}

// Everything else goes on when a suspect has been in flight for a minute, and a death does not count
// as one of the suspect from then on.
func TestShareSuspectThatHangsStopsNothingElse(t *testing.T) {
	inBubble(t, 2, func(w *world) {
		w.fill(5)
		w.killed(3)
		hangs := make(chan *splits.Batch, 1)
		m := w.share("a", func(_ *splits.ShareConfig, m *sharer) {
			m.handle = func(b *splits.Batch) {
				if b.Split.Partition == 0 && field(b.Entries[0], "n") == "0" {
					hangs <- b
				} else {
					b.Ack()
				}
			}
		})
		settle(90 * time.Second)
		for n := range 600 {
			for _, s := range w.store.Splits("orders") {
				w.store.Append(s, "n", strconv.Itoa(5+n))
			}
			settle(time.Second)
			for partition, suspects := range []int{5, 0} {
				assert.Len(t, w.store.Share("g", w.store.Split("orders", partition)).Pending, suspects)
			}
		}
		(<-hangs).Ack()
		settle(time.Minute)
		assert.Len(t, timesDelivered(m), 2*605)
		for partition := range 2 {
			assert.Empty(t, w.pending(partition))
			assert.Empty(t, w.suspected(partition))
		}
	})
}

func TestShareDeathOfASuspectThatHangsDoesNotCount(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(5)
		w.killed(3)
		m := w.share("a", holding)
		settle(2 * time.Minute)
		require.Len(t, m.deliveries(), 1)
		m.crash()
		w.share("b", holding)
		settle(2 * ttl)
		for _, s := range w.suspected(0) {
			assert.Zero(t, s.Deaths)
		}
	})
}

func TestShareSeekEndsSuspicion(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(5)
		w.killed(5)
		w.store.SeekShare("g", w.only(), splits.Offset{})
		assert.Empty(t, w.suspected(0))
		m := w.share("a")
		settle(2 * ttl)
		w.wantEach(5, m)
		assert.Zero(t, m.faults.Counts(splitstest.Suspect).Calls)
	})
}

// The store hears of an entry before that is handed out, also if the first request fails.
func TestShareSuspectIsStoredBeforeItIsHandedOut(t *testing.T) {
	inBubble(t, 1, func(w *world) {
		w.fill(5)
		w.killed(3)
		m := w.share("a", func(_ *splits.ShareConfig, m *sharer) {
			m.faults.Set(splitstest.Suspect, splitstest.Fault{Fail: errRejected})
		})
		settle(time.Minute)
		assert.Empty(t, m.deliveries())
		m.faults.Set(splitstest.Suspect, splitstest.Fault{})
		settle(ttl)
		w.wantEach(5, m)
	})
}

// What is said of a member costs nothing while no member has died, and ends with the suspects.
func TestShareSuspicionEndsUnderTraffic(t *testing.T) {
	inBubble(t, 3, func(w *world) {
		w.fill(5)
		w.killed(3)
		m := w.share("last", func(c *splits.ShareConfig, m *sharer) {
			c.BatchSize = 3
			m.handle = func(b *splits.Batch) { time.Sleep(50 * time.Millisecond); b.Ack() }
		})
		calls := func() int { return m.faults.Counts(splitstest.Suspect).Calls }
		traffic := func() {
			for range 600 {
				for _, s := range w.store.Splits("orders") {
					w.store.Append(s, "n", "x")
				}
				settle(100 * time.Millisecond)
			}
		}
		traffic()
		before := calls()
		assert.Positive(t, before)
		traffic()
		assert.Equal(t, before, calls())
		settle(time.Minute)
		for partition := range 3 {
			assert.Empty(t, w.pending(partition))
			assert.Empty(t, w.suspected(partition))
		}
	})
}
