package splits_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// nodeOf distributes the splits over two nodes by even and odd numbers.
func nodeOf(s splits.Split) string { return []string{"even", "odd"}[s.Partition%2] }

func onNodes(cfg *splits.Config, _ *member) { cfg.Node, cfg.FetchGroup = nodeOf, nodeOf }

// strike gives a fault to all calls of the methods that name a split of the node.
func (m *member) strike(node string, fault splitstest.Fault, methods ...splitstest.Method) {
	m.faults.Hook(func(c splitstest.Call) splitstest.Fault {
		if slices.Contains(methods, c.Method) &&
			slices.ContainsFunc(c.Splits, func(s splits.Split) bool { return nodeOf(s) == node }) {
			return fault
		}
		return splitstest.Fault{}
	})
}

// hang is a fault that delays requests until their contexts end.
func hang() splitstest.Fault { return splitstest.Fault{Hold: make(chan struct{})} }

// A regression: commits and renewals of all nodes were sent one after the other, so that a node
// that hung almost ended the leases on other nodes.
func TestHungNodeDelaysNoRenewalOnAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		m := w.join("a", onNodes)
		settle(time.Second)
		m.strike("odd", hang(), splitstest.Commit, splitstest.Renew)
		for range 300 {
			w.fill(1)
			settle(100 * time.Millisecond)
			for _, p := range []int{0, 2} {
				require.Greater(t, w.lease(p).Remaining, ttl/2)
				require.Equal(t, "a", w.lease(p).Owner)
			}
		}
		for _, p := range []int{0, 2} {
			assert.Greater(t, w.lease(p).Position.EntriesRead, int64(280), "its commits are not delayed either")
		}
		for _, err := range see(m, func() []error { return m.fenced }) {
			assert.ErrorIs(t, err, splits.ErrExpired)
		}
	})
}

// traffic counts the commits and renewals in flight for each split.
type traffic struct {
	splits.Leases
	mu    sync.Mutex
	under map[splits.Split]int
	most  int
	calls int
}

func (c *traffic) pass(s splits.Split, by int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under[s] += by
	c.most = max(c.most, c.under[s])
	c.calls++
}

func (c *traffic) Commit(ctx context.Context, ttl time.Duration, commits []splits.Commit) []error {
	for _, one := range commits {
		c.pass(one.Lease.Split, 1)
		defer c.pass(one.Lease.Split, -1)
	}
	return c.Leases.Commit(ctx, ttl, commits)
}

func (c *traffic) Renew(ctx context.Context, ttl time.Duration, leases []splits.Lease) []error {
	for _, one := range leases {
		c.pass(one.Split, 1)
		defer c.pass(one.Split, -1)
	}
	return c.Leases.Renew(ctx, ttl, leases)
}

func TestSplitThatChangesNodesHasOneCommitInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		var moved atomic.Int64
		c := &traffic{under: map[splits.Split]int{}}
		w.join("a", func(cfg *splits.Config, m *member) {
			cfg.CommitEvery = 100 * time.Millisecond
			cfg.Node = func(s splits.Split) string {
				return nodeOf(splits.Split{Partition: s.Partition + int(moved.Load())})
			}
			c.Leases, cfg.Leases = cfg.Leases, c
			m.faults.Set(splitstest.Commit, splitstest.Fault{Delay: 700 * time.Millisecond})
			m.faults.Set(splitstest.Renew, splitstest.Fault{Delay: 700 * time.Millisecond})
		})
		for i := range 200 {
			w.fill(1)
			settle(50 * time.Millisecond)
			if i%10 == 0 {
				moved.Add(1)
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		assert.Equal(t, 1, c.most)
		assert.Greater(t, c.calls, 4*2*5)
	})
}

// A regression: one request claimed all splits, and waited for the node that hung.
func TestHungNodeDelaysNoClaimOnAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		w.fill(3)
		m := w.join("a", onNodes, func(_ *splits.Config, m *member) { m.strike("odd", hang(), splitstest.Claim) })
		settle(100 * time.Millisecond)
		assert.Equal(t, 6, m.count())
		m.faults.Hook(nil)
		settle(2 * heartbeat)
		w.wantOnce(3, m)
	})
}

// A regression: the back-off of claims grew to half a minute, and all nodes shared it.
func TestClaimsAreRetriedWithinAHeartbeatOnEachNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4)
		m := w.join("a", onNodes, func(_ *splits.Config, m *member) {
			m.strike("odd", splitstest.Fault{Fail: splitstest.ErrOutage}, splitstest.Claim)
		})
		settle(10 * time.Minute)
		m.faults.Next(splitstest.Claim, splitstest.Fault{Fail: splitstest.ErrOutage}) // may hit either node
		m.faults.Next(splitstest.Claim, splitstest.Fault{Fail: splitstest.ErrOutage})
		w.store.DropLease("g", w.store.Split("orders", 0))
		require.Eventually(t, func() bool { return m.Owned() == 1 }, time.Minute, time.Millisecond)
		settle(500 * time.Millisecond)
		assert.Equal(t, 2, m.Owned(), "a first failure is a first failure")

		m.faults.Hook(nil)
		settle(heartbeat)
		assert.Equal(t, 4, m.Owned())
	})
}

func TestHungNodeDelaysNoHandoverOnAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 8)
		a := w.join("a", onNodes)
		settle(time.Second)
		w.fill(3)
		a.strike("odd", hang(), splitstest.Commit, splitstest.Renew, splitstest.Release)
		settle(200 * time.Millisecond)
		b := w.join("b", onNodes)
		settle(200 * time.Millisecond)
		assert.Equal(t, 2, b.Owned())

		a.stop()
		settle(100 * time.Millisecond)
		for p := 0; p < 8; p += 2 {
			assert.Equal(t, "b", w.lease(p).Owner)
			assert.EqualValues(t, 3, w.lease(p).Position.EntriesRead)
		}
	})
}

// A hint that comes during a claim may be the hint of the release for which the claim came too
// early.
func TestHintDuringAClaimIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		split := w.store.Split("orders", 0)
		other := w.store.Leases("g")
		granted := other.Claim(t.Context(), "other", ttl, []splits.Claim{{Split: split}})
		m := w.join("a", func(_ *splits.Config, m *member) {
			m.faults.Set(splitstest.Claim, splitstest.Fault{DelayReply: time.Second})
		})
		settle(500 * time.Millisecond) // refused, and the answer has not arrived
		other.Release(t.Context(), []splits.Lease{{Split: split, Member: "other", Epoch: granted[0].Epoch}})
		settle(1600 * time.Millisecond)
		assert.Equal(t, 1, m.Owned())
	})
}
