package broker

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

func TestFreshClaimIsGrantedAndItsPositionStored(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		before := s.Now(t)
		_, g := granted(t, s.leases(), "m1")
		assert.Equal(t, splits.Position{}, g.Position, "nothing was ever added: read is known to be 0")
		assert.Zero(t, g.Attempts)
		assert.GreaterOrEqual(t, g.Epoch, uint64(before))
		assert.Equal(t, "0-0", s.Field(t, testLease, "offset"))
		assert.Equal(t, "m1", s.Field(t, testLease, "owner"))
		assert.Equal(t, "10000", s.Field(t, testLease, "ttl_ms"))
		expires, err := strconv.ParseInt(s.Field(t, testLease, "expires_ms"), 10, 64)
		require.NoError(t, err)
		assert.InDelta(t, s.Now(t)+10_000, expires, 2000)
		assert.InDelta(t, unusedTTL, s.Client.PTTL(t.Context(), testLease).Val(), float64(time.Minute))
		assert.Zero(t, s.Client.Exists(t.Context(), testSplit.Key).Val(), "a claim creates no stream")
	})
}

func TestClaimResolvesTheStart(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		for i := range 4 {
			s.Add(t, testSplit.Key, strconv.Itoa(10+i)+"-0")
		}
		require.NoError(t, s.Client.XTrimMaxLen(t.Context(), testSplit.Key, 3).Err())
		known := func(n int64) int64 {
			if s.Embedded {
				return splits.CountUnknown
			}
			return n
		}
		for name, test := range map[string]struct {
			start splits.Start
			want  splits.Position
		}{
			"earliest": {splits.Earliest(), position(0, 0, known(1))},
			"latest":   {splits.Latest(), position(13, 0, known(4))},
			"at":       {splits.StartAt(splits.Offset{Millis: 12, Seq: 5}), position(12, 4, -1)},
			"at 12-0": {
				splits.StartAt(splits.Offset{Millis: 12}),
				splits.Position{Offset: splits.Offset{Millis: 12}.Prev(), EntriesRead: -1},
			},
		} {
			l := NewLeases(s.Client, LeasesOptions{Topic: "orders", Group: name})
			g := claim(t, l, "m1", test.start)
			require.NoError(t, g.Err, name)
			assert.Equal(t, test.want, g.Position, name)
			s.Add(t, testSplit.Key, "*") // the position is stored: later entries do not move it
			require.NoError(t, s.Client.XTrimMaxLen(t.Context(), testSplit.Key, 3).Err())
			again := claim(t, l, "m1", splits.Latest())
			assert.Equal(t, test.want, again.Position, name)
			require.NoError(t, s.Client.Del(t.Context(), testSplit.Key).Err())
			for i := range 4 {
				s.Add(t, testSplit.Key, strconv.Itoa(10+i)+"-0")
			}
			require.NoError(t, s.Client.XTrimMaxLen(t.Context(), testSplit.Key, 3).Err())
		}
	})
}

func TestLatestOfAnEmptyStreamIsItsLastGeneratedID(t *testing.T) {
	s := onRedis(t)
	s.Add(t, testSplit.Key, "18446744073709551614-18446744073709551615")
	require.NoError(t, s.Client.XTrimMaxLen(t.Context(), testSplit.Key, 0).Err())
	g := claim(t, s.leases(), "m1", splits.Latest())
	require.NoError(t, g.Err)
	assert.Equal(t, position(18446744073709551614, 18446744073709551615, 1), g.Position)
}

func TestClaimOfAMissingStreamStartsAtItsBeginning(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := claim(t, s.leases(), "m1", splits.Latest())
		require.NoError(t, g.Err)
		assert.Equal(t, position(0, 0, 0), g.Position)
	})
}

func TestClaimIsRejectedWhileAnotherLeaseIsValid(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		granted(t, l, "m1")
		g := claim(t, l, "m2", splits.Earliest())
		var held *splits.HeldError
		require.ErrorAs(t, g.Err, &held)
		assert.Equal(t, "m1", held.Owner)
		assert.InDelta(t, testTTL, held.Remaining, float64(2*time.Second))
	})
}

func TestExpiredLeaseIsTakenOverUnderAHigherEpoch(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		lease, first := granted(t, l, "m1")
		require.NoError(t, commit(t, l, lease, 5, 1, 2))
		s.expire(t)
		_, second := granted(t, l, "m2")
		assert.Greater(t, second.Epoch, first.Epoch)
		assert.Equal(t, position(5, 1, 2), second.Position)
		require.ErrorIs(t, commit(t, l, lease, 6, 0, 3), splits.ErrFenced)
		assert.Equal(t, "5-1", s.Field(t, testLease, "offset"))
	})
}

func TestRepeatedClaimIsGrantedAndFencesTheOldEpoch(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		lease, first := granted(t, l, "m1")
		_, second := granted(t, l, "m1")
		assert.Greater(t, second.Epoch, first.Epoch)
		require.ErrorIs(t, commit(t, l, lease, 1, 0, 1), splits.ErrFenced)
	})
}

func TestEpochGrowsAfterAClockStepOrALossOfData(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		_, first := granted(t, l, "m1")
		ahead := first.Epoch + 3_600_000_000
		s.Set(t, testLease, "epoch", ahead)
		_, second := granted(t, l, "m1")
		assert.Greater(t, second.Epoch, ahead, "an epoch of an hour ahead, before the clock went back")
		assert.LessOrEqual(t, second.Epoch, ahead+1_000_000)
		s.Set(t, testLease, "epoch", ahead) // simulates a rollback
		_, again := granted(t, l, "m1")
		assert.NotEqual(
			t,
			second.Epoch,
			again.Epoch,
			"an epoch that was rolled back does not come again, not even for the same owner",
		)
		require.NoError(t, s.Client.HDel(t.Context(), testLease, "epoch").Err())
		_, third := granted(t, l, "m1")
		assert.GreaterOrEqual(t, third.Epoch, first.Epoch, "a lost epoch begins again at the time")
	})
}

func TestLeaseLastsAtMostOneTTLAfterAClockStep(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		granted(t, l, "m1")
		s.Set(t, testLease, "expires_ms", s.Now(t)+time.Hour.Milliseconds())
		for range 2 { // the second call must not extend the lease again
			var held *splits.HeldError
			require.ErrorAs(t, claim(t, l, "m2", splits.Earliest()).Err, &held)
			assert.LessOrEqual(t, held.Remaining, testTTL)
			assert.Positive(t, held.Remaining)
			expires, err := strconv.ParseInt(s.Field(t, testLease, "expires_ms"), 10, 64)
			require.NoError(t, err)
			assert.LessOrEqual(t, expires, s.Now(t)+testTTL.Milliseconds())
			s.Set(t, testLease, "expires_ms", expires-5000)
		}
		var held *splits.HeldError
		s.Set(t, testLease, "expires_ms", s.Now(t)+3000)
		require.ErrorAs(t, claim(t, l, "m2", splits.Earliest()).Err, &held)
		assert.LessOrEqual(t, held.Remaining, 3*time.Second)
	})
}
