package splits_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

func TestRecreatedStreamIsReadUnderANewEpoch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		a := w.join("a")
		settle(5 * time.Second)
		epoch := w.lease(0).Epoch
		w.store.Drop(w.store.Split("orders", 0))
		w.store.StepClock(-time.Hour)
		w.fill(3)
		settle(10 * time.Second)
		assert.Equal(t, 5+3, a.count())
		assert.Greater(t, w.lease(0).Epoch, epoch)
		require.Len(t, a.losses, 1)
		assert.True(t, a.losses[0].Recreated)
		assert.EqualValues(t, 3, w.lease(0).Position.EntriesRead)
	})
}

func TestEntriesTrimmedBeforeTheyWereReadAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		s := w.store.Split("orders", 0)
		w.fill(10)
		a := w.join("a")
		settle(3 * time.Second)
		a.faults.Outage(true)
		settle(time.Second)
		w.fill(20)
		w.store.TrimTo(s, 5)
		a.faults.Outage(false)
		settle(5 * time.Second)
		require.Len(t, a.losses, 1)
		assert.Equal(t, splits.Loss{Split: s, After: a.losses[0].After, Entries: 15, Exact: true}, a.losses[0])
		assert.EqualValues(t, 30, w.lease(0).Position.EntriesRead, "lost entries count as read, so the lag is right")
		assert.Equal(t, 15, a.count())
	})
}

// With large entries the state is not read after every read.
func TestLargeEntriesTrimmedBeforeTheyWereReadAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		s := w.store.Split("orders", 0)
		a := w.join("a", func(c *splits.Config, m *member) {
			c.SplitBuffer, c.BatchSize = 1, 1
			m.handle = func(b *splits.Batch) { m.out.Go(func() { time.Sleep(time.Second); b.Ack() }) }
		})
		for range 5 { // while entries keep coming, some of them are lost
			w.fillSized(20, 100_000)
			settle(5 * time.Second)
			w.store.TrimTo(s, 3)
		}
		settle(time.Minute)
		var lost int64
		for _, l := range a.losses {
			assert.True(t, l.Exact)
			lost += l.Entries
		}
		assert.Positive(t, lost)
		assert.EqualValues(t, 100, int64(a.count())+lost)
		assert.EqualValues(t, 100, w.lease(0).Position.EntriesRead)
		a.stopGracefully()
	})
}

// The loss is found with the next read. A position that was committed before had a wrong count
// until a newer one was committed.
func TestCountIsCorrectedAfterTheOffsetWasCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		s := w.store.Split("orders", 0)
		w.fill(10)
		a := w.join("a", func(cfg *splits.Config, _ *member) { cfg.CommitEvery = time.Millisecond })
		settle(time.Second)
		a.faults.Set(splitstest.Fetch, splitstest.Fault{Delay: 100 * time.Millisecond})
		w.fill(20)
		w.store.TrimTo(s, 5)
		settle(time.Second)
		assert.EqualValues(t, 30, w.lease(0).Position.EntriesRead)
	})
}

func TestFailOnLossStopsTheSplitBeforeTheGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		a := w.join("a", func(c *splits.Config, _ *member) { c.FailOnLoss = true })
		settle(3 * time.Second)
		a.faults.Outage(true)
		settle(time.Second)
		w.fill(20)
		w.store.TrimTo(w.store.Split("orders", 0), 5)
		a.faults.Outage(false)
		settle(time.Minute)
		assert.Equal(t, 10, a.count())
		assert.Len(t, a.losses, 1)
		assert.EqualValues(t, 10, w.lease(0).Position.EntriesRead)
	})
}

func TestMembersReadFromTheStartAfterFlushAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fill(5)
		latest := func(c *splits.Config, _ *member) { c.Start = splits.Latest() }
		a, b := w.join("a", latest), w.join("b", latest)
		settle(5 * time.Second)
		w.store.FlushAll()
		w.store.SetPartitions("orders", 4)
		w.fill(5)
		settle(ttl)
		assert.Equal(t, 2, a.Owned())
		assert.Equal(t, 2, b.Owned())
		seen := map[string]bool{}
		for _, d := range append(a.deliveries(), b.deliveries()...) {
			seen[d.split.ID()+"/"+d.number] = true
		}
		assert.Len(t, seen, 20)
	})
}
