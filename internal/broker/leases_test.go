package broker

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

const testTTL = 10 * time.Second

// testLease is the lease key of the only split that most tests need.
var (
	testSplit = PartitionSplit("orders", 3)
	testLease = keys.Lease(testSplit.Key, "billing")
)

func (s testServer) leases() *Leases {
	return NewLeases(s.Client, LeasesOptions{Topic: "orders", Group: "billing"})
}

// claim requests the lease of testSplit.
func claim(t *testing.T, l *Leases, member string, start splits.Start) splits.Granted {
	t.Helper()
	return l.Claim(t.Context(), member, testTTL, []splits.Claim{{Split: testSplit, Start: start}})[0]
}

// granted requests the lease of testSplit and requires that the request succeeds.
func granted(t *testing.T, l *Leases, member string) (splits.Lease, splits.Granted) {
	t.Helper()
	g := claim(t, l, member, splits.Earliest())
	require.NoError(t, g.Err)
	return splits.Lease{Split: testSplit, Member: member, Epoch: g.Epoch}, g
}

func commit(t *testing.T, l *Leases, lease splits.Lease, ms, seq uint64, read int64) error {
	t.Helper()
	commit := splits.Commit{Lease: lease, Position: position(ms, seq, read), Accounted: read}
	return l.Commit(t.Context(), testTTL, []splits.Commit{commit})[0]
}

func position(ms, seq uint64, read int64) splits.Position {
	return splits.Position{Offset: splits.Offset{Millis: ms, Seq: seq}, EntriesRead: read}
}

// expire moves the deadline of the lease into the past, as if the lease's TTL had passed.
func (s testServer) expire(t *testing.T) { s.Set(t, testLease, "expires_ms", s.Now(t)-1) }

func TestCommitNeverMovesBackAndExtendsTheLease(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		lease, _ := granted(t, l, "m1")
		s.expire(t)
		require.NoError(t, commit(t, l, lease, 9, 1<<63, 7), "an expired lease that no member took")
		require.ErrorAs(t, claim(t, l, "m2", splits.Earliest()).Err, new(*splits.HeldError))
		require.NoError(t, commit(t, l, lease, 9, 1<<63, 7), "a replayed commit")
		for _, late := range []splits.Offset{
			{Millis: 9, Seq: 1<<63 - 1}, {Millis: 9, Seq: 2}, {Millis: 8, Seq: 1 << 63}, {},
		} {
			require.NoError(t, commit(t, l, lease, late.Millis, late.Seq, 1), "a late duplicate is not an error")
			assert.Equal(t, "9-9223372036854775808", s.Field(t, testLease, "offset"))
			assert.Equal(t, "7", s.Field(t, testLease, "read"))
		}
		require.NoError(t, commit(t, l, lease, 9, 1<<63, splits.CountUnknown))
		assert.Equal(t, "7", s.Field(t, testLease, "read"), "a known count of an offset stays known")
		require.NoError(t, commit(t, l, lease, 10, 0, splits.CountUnknown))
		assert.Equal(t, "10-0", s.Field(t, testLease, "offset"), "longer is larger, though less as text")
		assert.Equal(t, "-1", s.Field(t, testLease, "read"))
	})
}

func TestRenewExtendsTheLeaseAndKeepsThePosition(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		lease, _ := granted(t, l, "m1")
		require.NoError(t, commit(t, l, lease, 5, 0, 1))
		s.expire(t)
		require.Equal(t, []error{nil}, l.Renew(t.Context(), time.Minute, []splits.Lease{lease}))
		var held *splits.HeldError
		require.ErrorAs(t, claim(t, l, "m2", splits.Earliest()).Err, &held)
		assert.Greater(t, held.Remaining, testTTL)
		assert.Equal(t, "5-0", s.Field(t, testLease, "offset"))
		assert.Equal(t, "1", s.Field(t, testLease, "read"))
	})
}

func TestResetCanMoveThePositionBack(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		lease, _ := granted(t, l, "m1")
		require.NoError(t, commit(t, l, lease, 5, 0, 4))
		s.expire(t)
		require.NoError(t, l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease, Position: position(2, 0, 1)}))
		require.ErrorAs(t, claim(t, l, "m2", splits.Earliest()).Err, new(*splits.HeldError), "it extends the lease")
		_, g := granted(t, l, "m1")
		assert.Equal(t, position(2, 0, 1), g.Position)
		err := l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease, Position: position(1, 0, 0)})
		require.ErrorIs(t, err, splits.ErrFenced, "the old epoch")
		assert.Equal(t, "2-0", s.Field(t, testLease, "offset"))
	})
}

func TestReleasedSplitCanBeClaimedImmediately(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		lease, first := granted(t, l, "m1")
		require.NoError(t, commit(t, l, lease, 5, 0, 4))
		require.Equal(t, []error{nil}, l.Release(t.Context(), []splits.Lease{lease}))
		require.ErrorIs(t, l.Release(t.Context(), []splits.Lease{lease})[0], splits.ErrFenced, "a replay")
		require.ErrorIs(t, commit(t, l, lease, 6, 0, 5), splits.ErrFenced)
		require.ErrorIs(t, l.Renew(t.Context(), testTTL, []splits.Lease{lease})[0], splits.ErrFenced)
		_, second := granted(t, l, "m2")
		assert.Greater(t, second.Epoch, first.Epoch)
		assert.Equal(t, position(5, 0, 4), second.Position)
	})
}

func TestRequestsAreFencedAfterTheLeaseIsDeleted(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		lease, _ := granted(t, l, "m1")
		require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
		require.ErrorIs(t, commit(t, l, lease, 1, 0, 1), splits.ErrFenced)
		require.ErrorIs(t, l.Renew(t.Context(), testTTL, []splits.Lease{lease})[0], splits.ErrFenced)
		require.ErrorIs(t, l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease}), splits.ErrFenced)
		require.ErrorIs(t, l.Release(t.Context(), []splits.Lease{lease})[0], splits.ErrFenced)
		assert.Zero(t, s.Client.Exists(t.Context(), testLease).Val(), "nothing brings it back but a claim")
	})
}

func TestAttemptsCountTakeoversWithoutProgress(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		takeOver := func(member string) (splits.Lease, int) {
			s.expire(t)
			lease, g := granted(t, l, member)
			return lease, g.Attempts
		}
		granted(t, l, "m1")
		_, n := takeOver("m2")
		assert.Equal(t, 1, n)
		_, n = takeOver("m3")
		assert.Equal(t, 2, n, "no progress")
		_, n = takeOver("m3")
		assert.Equal(t, 2, n, "the same owner")
		lease, n := takeOver("m4")
		assert.Equal(t, 3, n)
		require.NoError(t, commit(t, l, lease, 5, 0, 1))
		takeOver("m4") // a second claim does not hide that m4 moved the offset
		lease, n = takeOver("m5")
		assert.Equal(t, 1, n, "progress")
		require.NoError(t, l.Release(t.Context(), []splits.Lease{lease})[0])
		_, g := granted(t, l, "m6")
		assert.Zero(t, g.Attempts, "a release does not count as an attempt")
	})
}

func TestRequestsOfOneCallAreIndependent(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		topic := Topic{Name: "orders", Partitions: 40}
		held, broken := topic.Split(7), topic.Split(11)
		require.NoError(t, l.Claim(t.Context(), "m2", testTTL, []splits.Claim{{Split: held}})[0].Err)
		require.NoError(t, s.Client.Set(t.Context(), keys.Lease(broken.Key, "billing"), "x", 0).Err())
		var claims []splits.Claim
		for _, split := range topic.Splits() {
			claims = append(claims, splits.Claim{Split: split})
		}
		var commits []splits.Commit
		for i, g := range l.Claim(t.Context(), "m1", testTTL, claims) {
			switch i {
			case held.Partition:
				require.ErrorAs(t, g.Err, new(*splits.HeldError))
			case broken.Partition:
				require.ErrorContains(t, g.Err, "WRONGTYPE")
			default:
				require.NoError(t, g.Err)
			}
			lease := splits.Lease{Split: claims[i].Split, Member: "m1", Epoch: g.Epoch}
			commits = append(commits, splits.Commit{Lease: lease, Position: position(uint64(i+1), 0, 1), Accounted: 1})
		}
		for i, err := range l.Commit(t.Context(), testTTL, commits) {
			switch i {
			case held.Partition:
				require.ErrorIs(t, err, splits.ErrFenced)
			case broken.Partition:
				require.ErrorContains(t, err, "WRONGTYPE")
			default:
				require.NoError(t, err)
				assert.Equal(
					t,
					strconv.Itoa(i+1)+"-0",
					s.Field(t, keys.Lease(claims[i].Split.Key, "billing"), "offset"),
				)
			}
		}
		assert.Empty(t, l.Claim(t.Context(), "m1", testTTL, nil))
	})
}

func TestErrorNamesALeaseKeyOfAnotherType(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		lease, _ := granted(t, l, "m1")
		require.NoError(t, s.Client.Set(t.Context(), testLease, "x", 0).Err())
		for doing, err := range map[string]error{
			"claiming":   claim(t, l, "m1", splits.Earliest()).Err,
			"committing": commit(t, l, lease, 1, 0, 1),
			"renewing":   l.Renew(t.Context(), testTTL, []splits.Lease{lease})[0],
			"resetting":  l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease}),
			"releasing":  l.Release(t.Context(), []splits.Lease{lease})[0],
		} {
			require.ErrorContains(t, err, doing+" partition orders-3")
			require.ErrorContains(t, err, testLease)
			assert.True(t, redis.HasErrorPrefix(err, "WRONGTYPE"), err)
		}
		require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
		require.NoError(t, s.Client.Set(t.Context(), testSplit.Key, "x", 0).Err())
		err := claim(t, l, "m1", splits.Earliest()).Err
		require.ErrorContains(t, err, "(key orders:3)")
		assert.True(t, redis.HasErrorPrefix(err, "WRONGTYPE"), err)
	})
}

func TestErrorQuotesADamagedOffset(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		s.Set(t, testLease, "offset", "yesterday")
		err := claim(t, l, "m1", splits.Earliest()).Err
		require.ErrorContains(t, err, "yesterday")
		require.ErrorContains(t, err, testLease)
		assert.Empty(t, s.Field(t, testLease, "owner"), "nothing was claimed")
	})
}

func TestEachRequestWithoutAReplyHasAnError(t *testing.T) {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer client.Close()
	l := testServer{scripttest.Server{Client: client}}.leases()
	for _, g := range l.Claim(t.Context(), "m1", testTTL, make([]splits.Claim, 3)) {
		require.ErrorContains(t, g.Err, "connect")
	}
	for _, err := range l.Renew(t.Context(), testTTL, make([]splits.Lease, 3)) {
		require.ErrorContains(t, err, "connect")
	}
}
