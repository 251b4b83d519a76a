package splits_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

func TestSplitsOfACrashedMemberResumeAtTheLastCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fill(10)
		a, b := w.join("a"), w.join("b")
		settle(5 * time.Second)
		b.handle = func(*splits.Batch) {} // never resolves
		for _, s := range w.store.Splits("orders") {
			w.store.Append(s, "n", "10")
		}
		settle(50 * time.Millisecond)
		held := b.Owned()
		require.Equal(t, 2, held)
		b.crash()
		crashed := time.Now()
		settle(ttl + time.Second)
		assert.Equal(t, 4, a.Owned())
		again := 0
		for _, d := range a.deliveries() {
			if d.at.After(crashed) {
				again++
				assert.Equal(t, "10", d.number, "only what was not committed comes again")
				assert.Less(t, d.at.Sub(crashed), ttl+time.Second)
			}
		}
		assert.Equal(t, held, again)
	})
}

func TestMemberHandsOutNoBufferedEntryAfterItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		gate := make(chan struct{})
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize = 1
			m.handle = func(b *splits.Batch) { go func() { <-gate; b.Ack() }() }
		})
		w.fill(10)
		settle(time.Second)
		require.Equal(t, 1, a.count(), "nine are buffered behind the first")
		a.faults.Outage(true)
		b := w.join("b")
		settle(2 * ttl)
		w.wantOnce(10, b)
		close(gate)
		settle(time.Second)
		assert.Equal(t, 1, a.count(), "a's buffer is void")
		assert.Contains(t, see(a, func() []error { return a.fenced }), splits.ErrExpired)
		assert.Equal(t, "b", w.lease(0).Owner)
		a.faults.Outage(false)
		settle(2 * ttl)
		assert.NoError(t, a.Await(expired(t)), "a member with nothing to read is not in trouble")
		b.stop()
		w.fill(1)
		settle(time.Second)
		assert.Equal(t, 2, a.count(), "a has rejoined by itself")
	})
}

// Timers fire late in a process that was paused: the clock at the moment of the hand-out decides.
func TestLeaseIsCheckedAtHandOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.fill(10)
		var pause atomic.Int64
		first := make(chan *splits.Batch, 1)
		a := w.join("a", func(c *splits.Config, m *member) {
			c.BatchSize = 1
			c.Now = func() time.Time { return time.Now().Add(time.Duration(pause.Load())) }
			m.handle = func(b *splits.Batch) { first <- b }
		})
		settle(time.Second)
		require.Equal(t, 1, a.count())
		release := a.faults.Hold(splitstest.Claim) // otherwise it would have the split back immediately
		defer release()
		pause.Store(int64(2 * ttl))
		(<-first).Ack()
		synctest.Wait() // no time passes: no timer fires
		assert.Equal(t, 1, a.count(), "the second entry is ready, and its lease is over")
	})
}

func TestOutageShorterThanTheSessionCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fill(5)
		a, b := w.join("a"), w.join("b")
		settle(5 * time.Second)
		a.faults.Outage(true)
		b.faults.Outage(true)
		settle(4 * time.Second)
		for _, s := range w.store.Splits("orders") {
			w.store.Append(s, "n", "5")
		}
		a.faults.Outage(false)
		b.faults.Outage(false)
		settle(5 * time.Second)
		w.wantOnce(6, a, b)
		assert.Empty(t, a.fenced)
		assert.Len(t, a.troubles, 1, "one line for one outage")
		assert.Equal(t, 1, a.recoveries)
		var away *splits.UnavailableError
		require.NotEmpty(t, a.errs)
		assert.ErrorAs(t, a.errs[0], &away)
	})
}

func TestMembersRecoverFromAnOutageBeyondTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fill(5)
		a, b := w.join("a"), w.join("b")
		settle(5 * time.Second)
		a.faults.Outage(true)
		b.faults.Outage(true)
		settle(5 * ttl)
		w.fill(1)
		a.faults.Outage(false)
		b.faults.Outage(false)
		settle(4 * time.Second)
		assert.Equal(t, 2, a.Owned())
		assert.Equal(t, 2, b.Owned())
		assert.Equal(t, 4*6, a.count()+b.count(), "everything was committed before: nothing comes again")
	})
}

func TestRepliesOfCommitsMayBeLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2)
		a := w.join("a")
		a.faults.Next(
			splitstest.Commit,
			splitstest.Fault{Lose: splitstest.ErrOutage},
			splitstest.Fault{Lose: splitstest.ErrOutage},
		)
		a.faults.Next(splitstest.Claim, splitstest.Fault{Lose: splitstest.ErrOutage})
		w.fill(10)
		settle(ttl)
		w.wantOnce(10, a)
		assert.EqualValues(t, 10, w.lease(0).Position.EntriesRead)
	})
}

// Reads may fail for longer than other requests: after a failover each client finds the new master
// separately. Whatever the back-off is by then, entries flow within a heartbeat.
func TestReadsResumeSoonAfterTheyRecover(t *testing.T) {
	for name, outage := range map[string]func(m *member){
		"they alone failed": func(*member) { settle(3 * ttl) },
		"others came back one by one": func(m *member) {
			for range 8 {
				for _, method := range []splitstest.Method{splitstest.Beat, splitstest.State} {
					m.faults.Next(method, splitstest.Fault{Fail: splitstest.ErrOutage})
				}
				settle(heartbeat)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2)
				m := w.join("a", func(c *splits.Config, _ *member) { c.SampleEvery = heartbeat / 2 })
				settle(time.Second)
				m.faults.Set(splitstest.Fetch, splitstest.Fault{Fail: splitstest.ErrOutage})
				outage(m)
				m.faults.Set(splitstest.Fetch, splitstest.Fault{})
				w.fill(10)
				settle(heartbeat)
				w.wantOnce(10, m)
			})
		})
	}
}
