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

// A stream that expires after everything in it was read is usual where entries are kept for a
// limited time: it is not an error, and does not stop the split.
func TestExpiredStreamThatWasReadIsNotALoss(t *testing.T) {
	for name, failOnLoss := range map[string]bool{"continue": false, "fail": true} {
		for what, again := range map[string][]string{"gone": nil, "written anew": {"new"}} {
			t.Run(name+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1)
					w.fill(5)
					a := w.join("a", func(c *splits.Config, _ *member) { c.FailOnLoss = failOnLoss })
					settle(7 * time.Second)
					release := a.faults.Hold(splitstest.Fetch) // it sees no intermediate state
					w.store.Drop(w.only())
					w.note(again...)
					release()
					settle(time.Minute)
					require.Len(t, a.lostAll(), 1)
					loss := a.lostAll()[0]
					assert.True(t, loss.FullyRead)
					assert.False(t, loss.Stopped)
					assert.Zero(t, loss.Entries)
					w.note("later")
					settle(10 * time.Second)
					assert.Equal(t, append(again, "later"), a.texts()[5:])
					require.NoError(t, a.Await(expired(t)))
				})
			})
		}
	}
}

// A store that lost more than the stream is damaged, even if everything in the stream had been
// read.
func TestStreamLostWithItsPositionIsNotFullyRead(t *testing.T) {
	for name, again := range map[string][]string{"gone": nil, "written anew": {"new"}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.fill(5)
				a := w.join("a")
				settle(7 * time.Second)
				release := a.faults.Hold(splitstest.Fetch)
				w.store.Drop(w.only())
				w.store.DropLease("g", w.only())
				w.note(again...)
				release()
				settle(time.Minute)
				require.Len(t, a.lostAll(), 1)
				assert.False(t, a.lostAll()[0].FullyRead)
			})
		})
	}
}

func TestSeekIsNotReportedAsATakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		a := w.join("a")
		settle(3 * time.Second)
		w.store.Seek("g", w.only(), splits.Position{})
		settle(20 * time.Second)
		assert.Equal(t, []error{splits.ErrMoved}, see(a, func() []error { return a.fenced }))
		assert.Len(t, a.texts(), 10)
		assert.Empty(t, a.lostAll())
		assert.Empty(t, see(a, func() []string { return a.troubles }))
	})
}

// A loss at the same time as a seek is counted.
func TestSeekHidesNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(5)
		// which acknowledges nothing
		a := w.join("a", func(_ *splits.Config, m *member) { m.handle = func(*splits.Batch) {} })
		settle(7 * time.Second)
		w.store.Seek("g", w.only(), splits.Position{})
		w.store.Drop(w.only())
		settle(20 * time.Second)
		require.Len(t, a.lostAll(), 1)
		assert.False(t, a.lostAll()[0].FullyRead)
	})
}

// Whichever shows first that the topic is gone, its lease or its stream, and whether or not it
// exists again by then.
func TestDeletedTopicIsNotALoss(t *testing.T) {
	for name, failOnLoss := range map[string]bool{"continue": false, "fail": true} {
		for what, c := range map[string]struct {
			again []string
			hold  splitstest.Method
		}{
			"the lease shows it":                         {nil, splitstest.Fetch},
			"the stream shows it":                        {nil, splitstest.Renew},
			"the lease shows it, and it is there again":  {[]string{"new"}, splitstest.Fetch},
			"the stream shows it, and it is there again": {[]string{"new"}, splitstest.Propose},
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1)
					w.fill(5)
					a := w.join("a", func(cfg *splits.Config, _ *member) { cfg.FailOnLoss = failOnLoss })
					settle(7 * time.Second)
					release := a.faults.Hold(c.hold)
					s := w.only()
					w.store.DeleteTopic("orders")
					w.store.SetPartitions("orders", 1)
					for _, text := range c.again {
						w.store.Append(s, "n", text)
					}
					settle(5 * time.Second)
					release()
					settle(time.Minute)
					fenced := see(a, func() []error { return a.fenced })
					assert.Contains(t, fenced, splits.ErrDeleted)
					assert.NotContains(t, fenced, splits.ErrFenced)
					assert.NotContains(t, fenced, splits.ErrExpired)
					assert.LessOrEqual(t, len(fenced), 2, "%v", fenced)
					assert.Empty(t, a.lostAll())
					w.note("later")
					settle(10 * time.Second)
					assert.Contains(t, a.texts()[5:], "later")
					assert.Subset(t, a.texts()[5:], c.again)
					require.NoError(t, a.Await(expired(t)))
				})
			})
		}
	}
}
