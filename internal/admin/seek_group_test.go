package admin

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/splits"
)

// sought seeks testSplit and returns the result.
func (s testServer) sought(t *testing.T, to string) SeekPartition {
	t.Helper()
	result, err := New(
		s.Client,
	).SeekGroup(
		t.Context(),
		Seek{Topic: "orders", Group: "billing", To: to, Partitions: []int{3}},
	)
	require.NoError(t, err)
	require.Len(t, result.Partitions, 1)
	return result.Partitions[0]
}

// fill creates a topic of four partitions. It adds 10-0 to 15-0 to testSplit and trims 10-0 and
// 11-0.
func (s testServer) fill(t *testing.T) {
	t.Helper()
	s.partitioned(t, 4)
	for i := range 6 {
		s.Add(t, testSplit.Key, strconv.Itoa(10+i)+"-0")
	}
	require.NoError(t, s.Client.XTrimMaxLen(t.Context(), testSplit.Key, 4).Err())
}

// counted returns n on a real server, and -1 on the embedded one, which does not count entries.
func (s testServer) counted(n int64) int64 {
	if s.Embedded {
		return -1
	}
	return n
}

func TestSeekSetsThePosition(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		before := splits.Offset{Millis: 14, Seq: 0}
		for to, want := range map[string]struct {
			at  splits.Position
			lag int64 // negative: a bound
		}{
			"earliest":             {position(0, 0, s.counted(2)), 4},
			"latest":               {position(15, 0, s.counted(6)), 0},
			"13":                   {splits.Position{Offset: splits.Offset{Millis: 13}.Prev(), EntriesRead: -1}, -3},
			"13-5":                 {position(13, 4, -1), -3},
			"11-1":                 {position(11, 0, s.counted(2)), 4},
			"16-0":                 {position(15, 0, s.counted(6)), 0},
			"1970-01-01T00:00:00Z": {position(0, 0, s.counted(2)), 4},
			"2026-01-31T08:00:00Z": {position(15, 0, s.counted(6)), 0},
		} {
			lease, _ := granted(t, s.leases(), "m1")
			require.NoError(
				t,
				s.leases().Reset(
					t.Context(),
					testTTL,
					splits.Commit{Lease: lease, Position: splits.Position{Offset: before}},
				),
			)
			p := s.sought(t, to)
			assert.Equal(t, &before, p.Before, to)
			assert.Equal(t, want.at.Offset, p.After, to)
			assert.Equal(t, "m1", p.Owner)
			assert.Equal(t, max(want.lag, -want.lag), p.Lag, to)
			assert.Equal(t, want.lag >= 0, p.LagExact, to)
			_, g := granted(t, s.leases(), "m2")
			assert.Equal(t, want.at, g.Position, to)
			assert.Zero(t, g.Attempts, "a seek does not count as an attempt")
			require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
		}
	})
}

func TestSeekForgetsWhatWasProcessedBehindTheOffset(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		lease, _ := granted(t, s.leases(), "m1")
		finished := []splits.Range{{First: splits.Offset{Millis: 13}, Last: splits.Offset{Millis: 14}}}
		at := splits.Commit{Lease: lease, Position: position(11, 0, 2), Accounted: 2, Finished: finished}
		require.NoError(t, s.leases().Commit(t.Context(), testTTL, []splits.Commit{at})[0])
		_, g := granted(t, s.leases(), "m1")
		assert.Equal(t, finished, g.Finished)
		lease.Epoch = g.Epoch
		fail(t, s.leases(), lease)
		s.Set(t, testLease, "suspect", "13-0 waiting 0", "deaths", "13-0@5 14-0@6")
		s.sought(t, "11")
		_, g = granted(t, s.leases(), "m1")
		assert.Empty(t, g.Finished, "the operator wants these entries again")
		assert.Empty(t, g.Failing, "the operator gives these entries new attempts")
		assert.Zero(t, g.Suspect)
		assert.Empty(t, g.Deaths)
	})
}

func TestSeekFencesTheHolderOfTheLease(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		l := s.leases()
		for name, prepare := range map[string]func(lease splits.Lease){
			"held":    func(splits.Lease) {},
			"expired": func(splits.Lease) { s.expire(t) },
			"ahead":   func(lease splits.Lease) { s.Set(t, testLease, "epoch", s.Now(t)+1_000_000) },
		} {
			lease, _ := granted(t, l, "m1")
			prepare(lease)
			before, err := strconv.ParseUint(s.Field(t, testLease, "epoch"), 10, 64)
			require.NoError(t, err)
			p := s.sought(t, "13")
			assert.Equal(t, name != "expired", p.Owner == "m1", name)
			after, err := strconv.ParseUint(s.Field(t, testLease, "epoch"), 10, 64)
			require.NoError(t, err)
			assert.Greater(t, after, before, name)
			assert.Empty(t, s.Field(t, testLease, "owner"), name)

			require.ErrorIs(t, commit(t, l, lease, 15, 0, 6), splits.ErrFenced, name)
			require.ErrorIs(t, l.Renew(t.Context(), testTTL, []splits.Lease{lease})[0], splits.ErrFenced, name)
			require.ErrorIs(t, l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease}), splits.ErrFenced, name)
			require.ErrorIs(t, l.Release(t.Context(), []splits.Lease{lease})[0], splits.ErrFenced, name)
			assert.Equal(t, p.After.String(), s.Field(t, testLease, "offset"), name)

			again, g := granted(t, l, "m1")
			assert.Greater(t, again.Epoch, after, name)
			assert.Equal(t, p.After, g.Position.Offset, name)
			require.NoError(t, commit(t, l, again, 14, 0, 5))
			require.NoError(t, l.Release(t.Context(), []splits.Lease{again})[0])
			p = s.sought(t, "earliest")
			assert.Empty(t, p.Owner, "released")
			assert.Equal(t, "14-0", p.Before.String())
			require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
		}
	})
}

// An operator can make a new group start at a time.
func TestSeekStoresPositionsForANewGroup(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		result, err := New(s.Client).SeekGroup(t.Context(), Seek{Topic: "orders", Group: "billing", To: "13"})
		require.NoError(t, err)
		assert.True(t, result.New)
		require.Len(t, result.Partitions, 4)
		for i, p := range result.Partitions {
			assert.Equal(t, broker.PartitionSplit("orders", i), p.Split)
			assert.Nil(t, p.Before)
			assert.Empty(t, p.Owner)
		}
		assert.InDelta(t, 30*24*time.Hour, s.Client.PTTL(t.Context(), testLease).Val(), float64(time.Minute))
		assert.Zero(
			t,
			s.Client.Exists(t.Context(), "orders:0", "orders:1", "orders:2", "orders").Val(),
			"no stream is created",
		)
		beat(t, s.group(), "m1")
		g := claim(t, s.leases(), "m1", splits.Latest())
		require.NoError(t, g.Err)
		assert.Equal(t, splits.Offset{Millis: 13}.Prev(), g.Position.Offset)
		result, err = New(
			s.Client,
		).SeekGroup(
			t.Context(),
			Seek{Topic: "orders", Group: "billing", To: "latest", Partitions: []int{3, 0, 3}},
		)
		require.NoError(t, err)
		assert.False(t, result.New)
		require.Len(t, result.Partitions, 2)
		assert.Equal(t, 0, result.Partitions[0].Split.Partition)
		assert.Equal(t, splits.Offset{}, result.Partitions[0].After)
		assert.Equal(t, "m1", result.Partitions[1].Owner)
	})
}

func TestDryRunOfASeekChangesNothing(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		lease, _ := granted(t, s.leases(), "m1")
		require.NoError(t, commit(t, s.leases(), lease, 14, 0, 5))
		stored := s.Client.HGetAll(t.Context(), testLease).Val()
		keys := s.Client.DBSize(t.Context()).Val()
		dry, err := New(
			s.Client,
		).SeekGroup(
			t.Context(),
			Seek{Topic: "orders", Group: "billing", To: "latest", DryRun: true},
		)
		require.NoError(t, err)
		assert.True(t, dry.DryRun)
		assert.Equal(t, stored, s.Client.HGetAll(t.Context(), testLease).Val())
		assert.Equal(t, keys, s.Client.DBSize(t.Context()).Val())
		if !s.Embedded {
			assert.Equal(t, "14-0", s.mirrorOf(t).LastDeliveredID)
		}
		require.NoError(t, s.leases().Renew(t.Context(), testTTL, []splits.Lease{lease})[0])
		wet, err := New(s.Client).SeekGroup(t.Context(), Seek{Topic: "orders", Group: "billing", To: "latest"})
		require.NoError(t, err)
		dry.DryRun = false
		assert.Equal(t, dry, wet, "the dry run returns the result of the real run")
	})
}

func TestSeekMovesTheMirrorButNoForeignGroup(t *testing.T) {
	s := onRedis(t)
	s.fill(t)
	assert.False(t, s.sought(t, "13").Foreign)
	m := s.mirrorOf(t)
	assert.Equal(t, splits.Offset{Millis: 13}.Prev().String(), m.LastDeliveredID)
	s.sought(t, "latest")
	assert.Equal(t, int64(0), s.mirrorOf(t).Lag)
	s.sought(t, "earliest")
	assert.Equal(t, int64(4), s.mirrorOf(t).Lag)
	assert.Equal(t, "ours", s.Field(t, testLease, "mirror"))

	require.NoError(t, s.Client.XGroupDestroy(t.Context(), testSplit.Key, "billing").Err())
	require.NoError(t, s.Client.XGroupCreate(t.Context(), testSplit.Key, "billing", "12-0").Err())
	assert.True(t, s.sought(t, "latest").Foreign)
	assert.Equal(t, "12-0", s.mirrorOf(t).LastDeliveredID)
	assert.Equal(t, "foreign", s.Field(t, testLease, "mirror"))
}

func TestSeekRepairsADamagedOffset(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		s.Set(t, testLease, "offset", "x", "owner", "m1", "expires_ms", "soon")
		p := s.sought(t, "earliest")
		assert.Nil(t, p.Before)
		_, g := granted(t, s.leases(), "m1")
		assert.Equal(t, splits.Offset{}, g.Position.Offset)
	})
}

func TestSeekOfAPlainTopic(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		_, err := New(s.Client).SeekGroup(t.Context(), Seek{Topic: "orders", Group: "billing", To: "latest"})
		require.ErrorAs(t, err, new(*TopicNotFoundError))
		s.Add(t, "orders", "5-0")
		result, err := New(s.Client).SeekGroup(t.Context(), Seek{Topic: "orders", Group: "billing", To: "latest"})
		require.NoError(t, err)
		require.Len(t, result.Partitions, 1)
		assert.Equal(t, broker.PlainSplit("orders"), result.Partitions[0].Split)
		assert.Equal(t, "5-0", result.Partitions[0].After.String())
	})
}

func TestSeekKeepsUnusedLeasesOnRequest(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.fill(t)
		for _, keep := range []bool{false, true, false} {
			seek := Seek{Topic: "orders", Group: "billing", To: "latest", Partitions: []int{3}, KeepUnused: keep}
			_, err := New(s.Client).SeekGroup(t.Context(), seek)
			require.NoError(t, err)
			assert.Equal(t, keep, s.Client.PTTL(t.Context(), testLease).Val() < 0)
		}
	})
}
