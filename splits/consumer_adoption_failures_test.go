package splits_test

import (
	"context"
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

func TestFailedAcknowledgementsAreRepeated(t *testing.T) {
	for name, fault := range map[string]splitstest.Fault{
		"the request is lost": {Fail: splitstest.ErrOutage}, "the answer is lost": {Lose: splitstest.ErrOutage},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.oldGroup(0, 1, 2, 3)
				a := w.join("a", adopting, func(c *splits.Config, m *member) { m.faults.Set(splitstest.Settle, fault) })
				settle(20 * time.Second)
				a.faults.Set(splitstest.Settle, splitstest.Fault{})
				settle(20 * time.Second)
				assert.Equal(t, after("0", "1", "2", "3"), a.texts(), "nothing comes twice")
				w.adopted(0)
				require.NoError(t, a.Await(expired(t)))
			})
		})
	}
}

func TestUnreadablePendingEntriesStopTheSplitUntilTheyCanBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(0, 1)
		a := w.join("a", adopting, func(c *splits.Config, m *member) {
			m.faults.Set(splitstest.Pending, splitstest.Fault{Fail: errors.New("NOPERM")})
		})
		settle(20 * time.Second)
		assert.Zero(t, a.count())
		require.ErrorContains(t, a.Await(expired(t)), "NOPERM")
		a.faults.Set(splitstest.Pending, splitstest.Fault{})
		settle(20 * time.Second)
		assert.Equal(t, after("0", "1"), a.texts())
		require.NoError(t, a.Await(expired(t)))
	})
}

// pagesOf counts the entries of each page that a member asks for.
type pagesOf struct {
	splits.Adoptions
	most int // answers with more entries do not arrive
	asks []int
}

func (p *pagesOf) Pending(ctx context.Context, req splits.PendingRequest) (splits.PendingPage, error) {
	p.asks = append(p.asks, req.MaxEntries)
	if page, err := p.Adoptions.Pending(ctx, req); err != nil || len(page.Entries) <= p.most {
		return page, err
	}
	return splits.PendingPage{}, splits.ErrUnfinished
}

func TestPagesThatDoNotArriveAreMadeSmaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(0, 1, 2, 3, 4, 5, 6, 7, 8)
		pages := &pagesOf{Adoptions: w.store.Adoptions("g"), most: 2}
		a := w.join("a", adopting, func(c *splits.Config, _ *member) { c.Adoptions = pages })
		settle(2 * time.Minute)
		assert.Equal(t, after(numbers(9)...), a.texts())
		assert.Equal(t, []int{500, 250, 125}, pages.asks[:3])
		w.adopted(0)
	})
}

func TestPendingEntriesThatAreGoneAreReportedOnce(t *testing.T) {
	for name, failOnLoss := range map[string]bool{"continue": false, "fail": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				w.oldGroup(0, 1, 8)
				w.store.TrimTo(w.only(), 15)
				a := w.join("a", adopting, func(c *splits.Config, _ *member) { c.FailOnLoss = failOnLoss })
				settle(time.Minute)
				require.Len(t, a.lostAll(), 1)
				assert.EqualValues(t, 2, a.lostAll()[0].Entries)
				assert.True(t, a.lostAll()[0].Exact)
				assert.Equal(t, after("8"), a.texts())
				w.adopted(0)
			})
		})
	}
}

// A rollback of the store makes acknowledged entries pending again.
func TestEntriesThatArePendingAgainAreHandedOutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(0, 1, 2)
		a := w.join("a", adopting, func(c *splits.Config, m *member) {
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) {
				if field(b.Entries[0], "n") == "2" {
					m.out.Go(func() { time.Sleep(20 * time.Second); b.Ack() })
					return
				}
				b.Ack()
			}
		})
		settle(time.Millisecond) // 0 and 1 are processed, and not acknowledged in the foreign group
		kept := w.store.Snapshot()
		settle(10 * time.Second)
		_, pending, _ := w.store.ForeignGroup("g", w.only())
		require.Len(t, pending, 1)
		w.store.RestoreSplit(kept, w.only())
		settle(2 * time.Minute)
		assert.Subset(t, a.texts(), after("0", "1", "2"))
		w.adopted(0)
	})
}

func TestForeignReaderThatGoesOnCausesNoLossAndNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.oldGroup(1)
		a := w.join("a", adopting, func(_ *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) { time.Sleep(time.Second); b.Ack() }
		})
		w.store.ReadForeign("g", w.only(), 3)
		settle(20 * time.Second)
		assert.Equal(t, after("1"), a.texts())
		w.adopted(0)
	})
}

// A split that is given up and assigned again meanwhile drops its buffer and reads it again.
func TestPendingEntriesSurviveADrainThatIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.oldGroup(0, 1, 2, 3, 4, 5)
		slow := func(c *splits.Config, m *member) {
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) { m.out.Go(func() { time.Sleep(4 * time.Second); b.Ack() }) }
		}
		a := w.join("a", adopting, slow)
		settle(3 * time.Second)
		b := w.join("b", adopting, slow)
		settle(500 * time.Millisecond)
		b.stop() // before a has given up anything
		settle(3 * time.Minute)
		for partition := range 2 {
			var got []string
			for _, d := range slices.Concat(a.deliveries(), b.deliveries()) {
				if d.split.Partition == partition {
					got = append(got, d.number)
				}
			}
			assert.Equal(t, after(numbers(6)...), slices.Compact(got), strconv.Itoa(partition))
			w.adopted(partition)
		}
	})
}
