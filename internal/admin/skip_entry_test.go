package admin

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

// skipping are the arguments for an entry of testSplit.
func skipping(offset string) Skip {
	return Skip{Topic: "orders", Group: "billing", Partition: 3, Offset: offset}
}

// reading makes member m1 the owner of testSplit, which has 12-0 to 15-0 left of six entries, with
// 12-0 committed and the ranges finished.
func (s testServer) reading(t *testing.T, finished ...splits.Range) splits.Lease {
	t.Helper()
	s.fill(t)
	beat(t, s.group(), "m1")
	lease, _ := granted(t, s.leases(), "m1")
	at := splits.Commit{Lease: lease, Position: position(12, 0, 3), Accounted: 3, Finished: finished}
	require.NoError(t, s.leases().Commit(t.Context(), testTTL, []splits.Commit{at})[0])
	return lease
}

func one(ms uint64) splits.Range {
	return splits.Range{First: splits.Offset{Millis: ms}, Last: splits.Offset{Millis: ms}}
}

func TestSkipPassesOverTheFirstUnreadEntry(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		old := s.reading(t)
		dry := skipping("")
		dry.DryRun = true
		shown, err := New(s.Client).SkipEntry(t.Context(), dry)
		require.NoError(t, err)
		assert.Equal(t, "13-0", shown.Entry.Offset.String())
		assert.Equal(t, "m1", shown.Owner)
		require.NoError(t, commit(t, s.leases(), old, 12, 0, 3), "nothing was changed")

		skipped, err := New(s.Client).SkipEntry(t.Context(), skipping(""))
		require.NoError(t, err)
		assert.Equal(t, shown.Entry, skipped.Entry)
		assert.Equal(t, "m1", skipped.Owner)
		require.ErrorIs(t, commit(t, s.leases(), old, 14, 0, 5), splits.ErrSkipped, "the owner is fenced")
		_, g := granted(t, s.leases(), "m1")
		assert.Equal(t, position(13, 0, 4), g.Position)
		assert.Greater(t, g.Epoch, old.Epoch)
		if mirror := s.mirrorOf(t); !s.Embedded {
			assert.Equal(t, "13-0", mirror.LastDeliveredID)
		}
	})
}

func TestSkipBehindTheOffsetIsAFinishedRange(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		old := s.reading(t, one(15))
		_, err := New(s.Client).SkipEntry(t.Context(), skipping("14-0"))
		require.NoError(t, err)
		require.ErrorIs(t, s.leases().Renew(t.Context(), testTTL, []splits.Lease{old})[0], splits.ErrSkipped)
		_, g := granted(t, s.leases(), "m2")
		assert.Equal(t, position(12, 0, 3), g.Position, "13-0 is still to be read")
		assert.Equal(t, []splits.Range{one(14), one(15)}, g.Finished)

		_, err = New(s.Client).SkipEntry(t.Context(), skipping(""))
		require.NoError(t, err)
		_, g = granted(t, s.leases(), "m2")
		assert.Equal(t, position(13, 0, 4), g.Position)
		assert.Equal(t, []splits.Range{one(14), one(15)}, g.Finished)
		_, err = New(s.Client).SkipEntry(t.Context(), skipping(""))
		require.ErrorContains(t, err, "nothing waits to be processed")
	})
}

func TestSkipOfTheFirstEntryThatIsNotFinished(t *testing.T) {
	s := onRedis(t)
	s.reading(t, splits.Range{First: splits.Offset{Millis: 13}, Last: splits.Offset{Millis: 14}})
	skipped, err := New(s.Client).SkipEntry(t.Context(), skipping(""))
	require.NoError(t, err)
	assert.Equal(t, "15-0", skipped.Entry.Offset.String())
	_, g := granted(t, s.leases(), "m1")
	assert.Equal(t, position(12, 0, 3), g.Position, "the owner moves it, since it counts what is finished")
	assert.Len(t, g.Finished, 2)
}

func TestSkipIsRefusedWithTheReason(t *testing.T) {
	s := onRedis(t)
	s.fill(t)
	a := New(s.Client)
	_, err := a.SkipEntry(t.Context(), skipping(""))
	var none *GroupNotFoundError
	require.ErrorAs(t, err, &none)
	beat(t, s.group(), "m1")
	_, err = a.SkipEntry(t.Context(), skipping(""))
	require.ErrorContains(t, err, "no member has read the partition")

	require.NoError(t, s.Client.FlushAll(t.Context()).Err())
	s.reading(t, one(14))
	before := s.Client.HGetAll(t.Context(), testLease).Val()
	for offset, want := range map[string]string{
		"12-0": "has been processed: the committed offset is 12-0",
		"14-0": "has been processed",
		"13-1": "has no entry at offset 13-1",
		"x":    "offset: ",
	} {
		_, err := a.SkipEntry(t.Context(), skipping(offset))
		require.ErrorContains(t, err, want, offset)
	}
	other := skipping("")
	other.Partition = 4
	_, err = a.SkipEntry(t.Context(), other)
	require.ErrorContains(t, err, "partition is 4, and the topic has 4 partitions")
	other.Partition = -1
	_, err = a.SkipEntry(t.Context(), other)
	require.ErrorContains(t, err, "partition is not set, and the topic has 4 partitions")
	assert.Equal(t, before, s.Client.HGetAll(t.Context(), testLease).Val())
}

// meddling changes the lease before each of the first n scripts, as a member that commits.
type meddling struct {
	left *int
	do   func()
}

func (m meddling) DialHook(next redis.DialHook) redis.DialHook { return next }

func (m meddling) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (m meddling) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" && *m.left > 0 {
			*m.left--
			m.do()
		}
		return next(ctx, cmd)
	}
}

func TestSkipNeverSkipsAnotherEntry(t *testing.T) {
	for _, changes := range []int{1, 2, 100} {
		s := onRedis(t)
		lease := s.reading(t)
		committed := uint64(13)
		client := redis.NewClient(s.Client.Options())
		t.Cleanup(func() { require.NoError(t, client.Close()) })
		client.AddHook(meddling{left: &changes, do: func() {
			require.NoError(t, commit(t, s.leases(), lease, committed, 0, -1))
			committed++
		}})
		skipped, err := New(client).SkipEntry(t.Context(), skipping("15-0"))
		if changes > 0 { // every attempt found another lease
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, "15-0", skipped.Entry.Offset.String())
		_, g := granted(t, s.leases(), "m1")
		assert.True(t, g.Position.Offset == skipped.Entry.Offset || len(g.Finished) == 1, "%+v", g)
	}
}

// shared makes a share group of which consumer m1 has 12-0 to 14-0 of testSplit.
func (s testServer) shared(t *testing.T) {
	t.Helper()
	s.fill(t)
	_, err := broker.NewShareGroup(s.Client, "orders", "billing").Beat(
		t.Context(), splits.ShareBeat{Member: "m1", TTL: time.Minute})
	require.NoError(t, err)
	shares := broker.NewShares(s.Client, s.Client, broker.SharesOptions{Topic: "orders", Group: "billing"})
	require.NoError(
		t,
		shares.Open(t.Context(), []splits.ShareOpen{{Split: testSplit, Start: splits.Earliest()}})[0].Err,
	)
	require.NoError(t, s.Client.XReadGroup(t.Context(), &redis.XReadGroupArgs{
		Group:    "billing",
		Consumer: keys.Consumer("orders", "m1"),
		Streams:  []string{testSplit.Key, ">"},
		Count:    3,
		Block:    -1,
	}).Err())
}

func TestSkipOfAPendingEntryOfAShareGroup(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.shared(t)
		a := New(s.Client)
		_, err := a.SkipEntry(t.Context(), skipping(""))
		require.ErrorContains(t, err, "offset is not set")
		_, err = a.SkipEntry(t.Context(), skipping("15-0"))
		require.ErrorContains(t, err, "is not pending")
		dry := skipping("13-0")
		dry.DryRun = true
		shown, err := a.SkipEntry(t.Context(), dry)
		require.NoError(t, err)
		assert.Equal(t, "13-0", shown.Entry.Offset.String())
		assert.Contains(t, shown.Owner, "m1")
		assert.EqualValues(t, 3, s.Client.XPending(t.Context(), testSplit.Key, "billing").Val().Count)

		_, err = a.SkipEntry(t.Context(), skipping("13-0"))
		require.NoError(t, err)
		assert.EqualValues(t, 2, s.Client.XPending(t.Context(), testSplit.Key, "billing").Val().Count)
		_, err = a.SkipEntry(t.Context(), skipping("13-0"))
		require.ErrorContains(t, err, "is not pending")

		s.Set(t, keys.Share(testSplit.Key, "billing"), "generation", "1")
		_, err = skipShareScript.Run(
			t.Context(),
			s.Client,
			[]string{testSplit.Key, keys.Share(testSplit.Key, "billing"), keys.Failing(testSplit.Key, "billing")},
			"billing",
			"2",
			"14-0",
		)
		require.NoError(t, err)
		assert.EqualValues(t, 2, s.Client.XPending(t.Context(), testSplit.Key, "billing").Val().Count,
			"it was seen in another generation")
	})
}

// The stored state of the share group can be lost, as if it was evicted.
func TestSkipOfAPendingEntryWithoutAGeneration(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.shared(t)
		require.NoError(t, s.Client.Del(t.Context(), keys.Share(testSplit.Key, "billing")).Err())
		_, err := New(s.Client).SkipEntry(t.Context(), skipping("13-0"))
		require.NoError(t, err)
		assert.EqualValues(t, 2, s.Client.XPending(t.Context(), testSplit.Key, "billing").Val().Count)
	})
}

func TestSkipInAShareGroupWithoutAStream(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.shared(t)
		require.NoError(t, s.Client.Del(t.Context(), testSplit.Key).Err())
		_, err := New(s.Client).SkipEntry(t.Context(), skipping("13-0"))
		require.ErrorContains(t, err, "is not pending")
	})
}

func TestSkipOnACluster(t *testing.T) {
	client := redistest.StartCluster(t, 3, 0).Client(t)
	topic := written(t, client, "orders", 6)
	used(t, client, topic, "billing", "m1")
	for i, split := range topic.Splits() {
		id := client.XAdd(t.Context(), &redis.XAddArgs{Stream: split.Key, Values: []string{"body", "bad"}}).Val()
		skipped, err := New(client).SkipEntry(t.Context(), Skip{Topic: "orders", Group: "billing", Partition: i})
		require.NoError(t, err)
		assert.Equal(t, id, skipped.Entry.Offset.String())
		assert.Equal(t, id, client.HGet(t.Context(), keys.Lease(split.Key, "billing"), "offset").Val())
	}
}

func TestSkipForgetsTheFailuresOfTheEntry(t *testing.T) {
	for name, prepare := range map[string]func(s testServer, t *testing.T){
		"consumer": func(s testServer, t *testing.T) { s.reading(t) },
		"share":    testServer.shared,
	} {
		t.Run(name, func(t *testing.T) {
			s := onRedis(t)
			prepare(s, t)
			failing := keys.Failing(testSplit.Key, "billing")
			s.Set(t, failing, "13-0", "4 1 0 HTTP 422", "14-0", "2 1 0 HTTP 422")
			s.Set(t, testLease, "suspect", "13-0 waiting 0", "deaths", "13-0@5 14-0@6 13-0@7")
			_, err := New(s.Client).SkipEntry(t.Context(), skipping("13-0"))
			require.NoError(t, err)
			assert.Equal(t, []string{"14-0"}, s.Client.HKeys(t.Context(), failing).Val())
			if name == "consumer" {
				assert.Empty(t, s.Field(t, testLease, "suspect"))
				assert.Equal(t, "14-0@6", s.Field(t, testLease, "deaths"))
			}
		})
	}
}

func TestSkipOfAnEntryThatIsPendingElsewhere(t *testing.T) {
	s := onRedis(t)
	s.withOldGroup(t, "old")
	_, err := s.adopt(t, Adoption{From: "old"})
	require.NoError(t, err)
	beat(t, s.group(), "m1")
	skip := Skip{Topic: "orders", Group: "billing", Partition: 0, Offset: "2-0"}
	_, err = New(s.Client).SkipEntry(t.Context(), skip)
	require.ErrorContains(t, err, "acknowledge it there with XACK orders:0 old 2-0")
	skip.Offset = "1-0"
	_, err = New(s.Client).SkipEntry(t.Context(), skip)
	require.ErrorContains(t, err, "has been processed")
}
