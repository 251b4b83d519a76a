package splits_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/rafka-streams/rafka/splits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestOneMemberReadsEverythingInOrderAndCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8)
		w.fill(100)
		m := w.join("a")
		settle(3 * time.Second)
		w.wantOnce(100, m)
		for p := range 8 {
			assert.EqualValues(t, 100, w.lease(p).Position.EntriesRead)
		}
	})
}

func TestPlainTopicHasOneSplit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0)
		m := w.join("a")
		settle(time.Second)
		w.fill(3)
		settle(time.Second)
		w.wantOnce(3, m)
		assert.Equal(t, "orders", m.deliveries()[0].split.Key)
	})
}

func TestMembersHandSplitsOverWithoutDuplicates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8)
		slow := func(_ *splits.Config, m *member) {
			m.handle = func(b *splits.Batch) { m.out.Go(func() { time.Sleep(70 * time.Millisecond); b.Ack() }) }
		}
		a := w.join("a", slow)
		total := 0
		produce := func(d time.Duration) {
			for range int(d / (10 * time.Millisecond)) {
				for _, s := range w.store.Splits("orders") {
					w.store.Append(s, "n", strconv.Itoa(total))
				}
				total++
				time.Sleep(10 * time.Millisecond)
			}
		}
		produce(2 * time.Second)
		b, c, d := w.join("b", slow), w.join("c", slow), w.join("d", slow)
		produce(3 * time.Second)
		for _, m := range []*member{a, b, c, d} {
			assert.Equal(t, 2, m.Owned())
		}
		b.stopGracefully()
		c.stopGracefully()
		d.stopGracefully()
		produce(2 * time.Second)
		settle(time.Second)
		assert.Equal(t, 8, a.Owned())
		w.wantOnce(total, a, b, c, d)
	})
}

func TestIdleMemberGetsSplitsWithin250ms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.join("a")
		settle(5 * time.Second)
		b := w.join("b")
		settle(250 * time.Millisecond)
		assert.Equal(t, 2, b.Owned())
	})
}

func TestSplitsOfAGrownTopicAreReadFromTheirFirstEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		w.fill(5)
		a := w.join("a", func(c *splits.Config, _ *member) { c.Start = splits.Latest() })
		settle(time.Second)
		assert.Zero(t, a.count())
		w.store.SetPartitions("orders", 4)
		w.fill(1)
		settle(2 * heartbeat)
		assert.Equal(t, 4, a.count())
		assert.Equal(t, 4, a.Owned())
	})
}

func TestUnreadableSplitStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3)
		bad := w.store.Split("orders", 1)
		w.store.Break(bad, errors.New("WRONGTYPE "+bad.Key))
		w.fill(5)
		a := w.join("a")
		settle(2 * time.Second)
		assert.Equal(t, 10, a.count())
		require.Len(t, a.troubles, 1)
		assert.Contains(t, a.troubles[0], bad.Key)
		w.store.Break(bad, nil)
		settle(time.Minute)
		w.wantOnce(5, a)
		assert.Equal(t, 1, a.recoveries)
	})
}

func TestLagIsSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		a := w.join("a", func(c *splits.Config, m *member) { c.BatchSize = 4; m.handle = func(*splits.Batch) {} })
		settle(11 * time.Second)
		require.Len(t, a.samples, 1)
		assert.EqualValues(t, 10, a.samples[0].Lag)
		assert.GreaterOrEqual(t, a.samples[0].LagAge, 10*time.Second)
		assert.GreaterOrEqual(t, a.samples[0].Unacked, 9*time.Second)
	})
}

func TestCloseIsSafeBeforeStartAndTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(1)
		idle := splits.NewConsumer(splits.Config{})
		require.NoError(t, idle.Close(t.Context()))
		m := w.join("a", func(_ *splits.Config, m *member) { m.handle = func(*splits.Batch) {} })
		settle(time.Second)
		began := time.Now()
		m.stop()
		assert.Less(t, time.Since(began), time.Second)
		require.NoError(t, m.Close(t.Context()))
		assert.Empty(t, w.store.Members("orders", "g"))
		assert.Empty(t, w.lease(0).Owner)
		_, err := m.Poll(t.Context())
		assert.ErrorIs(t, err, splits.ErrClosed)
	})
}

func TestLateAcksAfterCloseCommitNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(3)
		var held *splits.Batch
		m := w.join("a", func(_ *splits.Config, m *member) { m.handle = func(b *splits.Batch) { held = b } })
		settle(time.Second)
		m.stop()
		require.ErrorIs(t, context.Cause(held.Context()), splits.ErrRevoked)
		held.Ack()
		held.Ack()
		settle(5 * time.Second)
		assert.EqualValues(t, 0, w.lease(0).Position.EntriesRead)
	})
}
