package broker

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
	"github.com/rafka-streams/rafka/splits/splitstest"
)

// addForeignGroups lets the conformance suite use Redis consumer groups of other programs.
func (s testServer) addForeignGroups(t *testing.T, h *splitstest.Harness) {
	h.Adoptions = func(_, group string) splits.Adoptions { return NewAdoptions(s.Client, s.Client, group, false) }
	h.AddForeignGroup = func(group string, split splits.Split, last splits.Offset, pending ...splits.Offset) {
		s.oldGroup(t, split.Key, group, last, pending...)
	}
	h.ForeignGroup = func(group string, split splits.Split) (splits.Offset, []splits.Offset, bool) {
		at, there := s.mirrorPosition(t, split, group)
		return at.Offset, s.pendingOf(t, split.Key, group), there
	}
	h.ReadForeign = func(group string, split splits.Split, n int) {
		s.readGroup(t, split.Key, group, "dead-2", int64(n))
	}
}

// oldGroup creates a Redis consumer group that has delivered everything up to last to the consumers
// dead-1 and dead-2, eleven minutes ago. Only the pending entries are not acknowledged.
func (s testServer) oldGroup(t *testing.T, stream, group string, last splits.Offset, pending ...splits.Offset) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, s.Client.XGroupCreate(ctx, stream, group, "0").Err())
	open := map[string]bool{}
	for _, o := range pending {
		open[o.String()] = true
	}
	for i := 0; ; i++ {
		read := s.readGroup(t, stream, group, fmt.Sprintf("dead-%d", 1+i%2), 1)
		if len(read) == 0 {
			break
		}
		if !open[read[0].ID] {
			require.NoError(t, s.Client.XAck(ctx, stream, group, read[0].ID).Err())
		}
	}
	require.NoError(t, s.Client.XGroupSetID(ctx, stream, group, last.String()).Err())
	redistest.Age(t, s.Client, stream, 11*time.Minute)
}

func (s testServer) readGroup(t *testing.T, stream, group, consumer string, n int64) []redis.XMessage {
	t.Helper()
	read, err := s.Client.XReadGroup(t.Context(), &redis.XReadGroupArgs{
		Group: group, Consumer: consumer, Streams: []string{stream, ">"}, Count: n, Block: -1,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	require.NoError(t, err)
	return read[0].Messages
}

// pendingOf returns the pending entries of a Redis consumer group, nil if there are none.
func (s testServer) pendingOf(t *testing.T, stream, group string) (all []splits.Offset) {
	t.Helper()
	pending, err := s.Client.XPendingExt(t.Context(), &redis.XPendingExtArgs{
		Stream: stream, Group: group, Start: "-", End: "+", Count: 10_000,
	}).Result()
	if redis.HasErrorPrefix(err, "NOGROUP") {
		return nil
	}
	require.NoError(t, err)
	for _, p := range pending {
		offset, err := splits.ParseOffset(p.ID)
		require.NoError(t, err)
		all = append(all, offset)
	}
	return all
}

// adopted claims testSplit under start_offset group.
func adopted(t *testing.T, l *Leases, member string) splits.Lease {
	t.Helper()
	g := claim(t, l, member, splits.Adopt())
	require.NoError(t, g.Err)
	require.Equal(t, "billing", g.Adopting)
	return splits.Lease{Split: testSplit, Member: member, Epoch: g.Epoch}
}

func ms(millis uint64) splits.Offset { return splits.Offset{Millis: millis} }

// fill adds the entries 1-0 to n-0 to testSplit.
func (s testServer) fill(t *testing.T, n int) {
	t.Helper()
	for i := range n {
		s.Add(t, testSplit.Key, fmt.Sprintf("%d-0", i+1))
	}
}

func TestAdoptionLeavesTheGroupAloneUntilNothingIsPending(t *testing.T) {
	s := onRedis(t)
	s.fill(t, 4)
	s.oldGroup(t, testSplit.Key, "billing", ms(3), ms(1), ms(3))
	var warnings []string
	l := NewLeases(s.Client, LeasesOptions{
		Topic: "orders", Group: "billing",
		Warn: func(_ splits.Split, message string) { warnings = append(warnings, message) },
	})
	lease := adopted(t, l, "m1")
	require.NoError(t, commit(t, l, lease, 4, 0, 4))
	require.NoError(t, l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease, Position: position(4, 0, 4)}))
	assert.Equal(t, "3-0", s.mirrorOf(t).LastDeliveredID)
	assert.Equal(t, int64(2), s.mirrorOf(t).Consumers)
	assert.Equal(t, time.Duration(-1), s.Client.PTTL(t.Context(), testLease).Val(), "the lease does not expire")
	require.NoError(t, l.Release(t.Context(), []splits.Lease{lease})[0])
	assert.Equal(t, time.Duration(-1), s.Client.PTTL(t.Context(), testLease).Val())

	lease = adopted(t, l, "m2")
	a := NewAdoptions(s.Client, s.Client, "billing", false)
	settled := a.Settle(
		t.Context(),
		[]splits.Settlement{{Lease: lease, Done: []splits.Offset{ms(1), ms(3)}, Behind: ms(4)}},
	)
	assert.Equal(t, []splits.Settled{{}}, settled)
	assert.Equal(t, "4-0", s.mirrorOf(t).LastDeliveredID)
	assert.Equal(t, int64(0), s.mirrorOf(t).Lag)
	assert.InDelta(t, unusedTTL, s.Client.PTTL(t.Context(), testLease).Val(), float64(time.Minute))
	consumers, err := s.Client.XInfoConsumers(t.Context(), testSplit.Key, "billing").Result()
	require.NoError(t, err)
	require.Len(t, consumers, 1)
	assert.Equal(t, "rafka:mirror", consumers[0].Name)
	assert.Empty(t, s.Field(t, testLease, "adopting"))
	assert.Empty(t, warnings)

	s.Add(t, testSplit.Key, "5-0")
	require.NoError(t, commit(t, l, lease, 5, 0, 5))
	assert.Equal(t, "5-0", s.mirrorOf(t).LastDeliveredID, "it follows the commits")
}

func TestAdoptionOfAGroupInUseIsRefused(t *testing.T) {
	s := onRedis(t)
	s.fill(t, 3)
	require.NoError(t, s.Client.XGroupCreate(t.Context(), testSplit.Key, "billing", "0").Err())
	s.readGroup(t, testSplit.Key, "billing", "alive", 2)
	g := claim(t, s.leases(), "m1", splits.Adopt())
	var refusal *AdoptionError
	require.ErrorAs(t, g.Err, &refusal)
	assert.Equal(t, AdoptionActive, refusal.Reason)
	assert.ErrorContains(t, g.Err, "alive")
	assert.ErrorContains(t, g.Err, "in 10m0s at the earliest")
	assert.Zero(t, s.Client.Exists(t.Context(), testLease).Val())

	redistest.Age(t, s.Client, testSplit.Key, 11*time.Minute)
	adopted(t, s.leases(), "m1")
}

func TestAdoptionWithoutAGroupNamesTheRemedy(t *testing.T) {
	s := onRedis(t)
	for _, exists := range []bool{false, true} {
		if exists {
			s.fill(t, 1)
		}
		g := claim(t, s.leases(), "m1", splits.Adopt())
		var refusal *AdoptionError
		require.ErrorAs(t, g.Err, &refusal)
		assert.Equal(t, AdoptionNoGroup, refusal.Reason)
		assert.ErrorContains(t, g.Err, "XGROUP CREATE orders:3 billing 0 MKSTREAM")
	}
}

func TestLostLeaseOfAnAdoptionBeginsItAgain(t *testing.T) {
	s := onRedis(t)
	s.fill(t, 4)
	s.oldGroup(t, testSplit.Key, "billing", ms(2), ms(1))
	lease := adopted(t, s.leases(), "m1")
	require.NoError(t, commit(t, s.leases(), lease, 4, 0, 4))
	require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
	g := claim(t, s.leases(), "m2", splits.Adopt())
	require.NoError(t, g.Err)
	assert.Equal(t, "billing", g.Adopting)
	assert.Equal(t, ms(2), g.Position.Offset)
}

func TestPendingEntriesKeepTheirBytes(t *testing.T) {
	s := onRedis(t)
	fields := []string{"body", "\x00\xff\r\n", "", "", "body", "2"}
	require.NoError(
		t,
		s.Client.XAdd(t.Context(), &redis.XAddArgs{Stream: testSplit.Key, ID: "1-0", Values: fields}).Err(),
	)
	s.oldGroup(t, testSplit.Key, "billing", ms(1), ms(1))
	adopted(t, s.leases(), "m1")
	a := NewAdoptions(s.Client, s.Client, "billing", false)
	page, err := a.Pending(
		t.Context(),
		splits.PendingRequest{Split: testSplit, UpTo: ms(1), MaxEntries: 1, MaxBytes: 1},
	)
	require.NoError(t, err)
	assert.Equal(t, []splits.Entry{{Offset: ms(1), Fields: fields}}, page.Entries)
}

func TestCheckAdoptableWantsTheGroupInEveryPartition(t *testing.T) {
	s := onRedis(t)
	s.Set(t, "rafka:{orders}:topic", "partitions", 2)
	s.Add(t, "orders:0", "1-0")
	check := func() error { return CheckAdoptable(t.Context(), s.Client, "orders", "billing") }
	require.NoError(t, s.Client.XGroupCreate(t.Context(), "orders:0", "billing", "0").Err())
	require.ErrorContains(t, check(), "stream orders:1 has no Redis consumer group billing")
	s.Set(t, "rafka:{orders}:plan:billing", "initial", 1)
	require.NoError(t, check(), "partition 1 was added later")
	s.Set(t, "rafka:{orders}:plan:billing", "initial", 2)
	require.Error(t, check())
	s.Set(t, "rafka:{orders:1}:lease:billing", "offset", "0-0")
	require.NoError(t, check(), "the group has begun there")
}
