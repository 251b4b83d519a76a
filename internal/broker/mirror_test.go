package broker

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
	"github.com/rafka-streams/rafka/splits"
)

// mirrorOf returns the Redis consumer group with the name of the tests' group, or nil if it does
// not exist.
func (s testServer) mirrorOf(t *testing.T) *redis.XInfoGroup {
	t.Helper()
	groups, err := s.Client.XInfoGroups(t.Context(), testSplit.Key).Result()
	require.NoError(t, err)
	for _, g := range groups {
		if g.Name == "billing" {
			return &g
		}
	}
	return nil
}

func TestMirrorFollowsCommitsAndShowsTheLag(t *testing.T) {
	s := onRedis(t)
	for _, id := range []string{"1-0", "2-0", "3-0", "4-0"} {
		s.Add(t, testSplit.Key, id)
	}
	l := s.leases()
	lease, _ := granted(t, l, "m1")
	assert.Equal(t, "ours", s.Field(t, testLease, "mirror"))
	assert.Equal(t, int64(4), s.mirrorOf(t).Lag, "it is there from the first claim")

	require.NoError(t, commit(t, l, lease, 3, 0, 3))
	m := s.mirrorOf(t)
	assert.Equal(t, "3-0", m.LastDeliveredID)
	assert.Equal(t, int64(3), m.EntriesRead)
	assert.Equal(t, int64(1), m.Lag)
	require.NoError(t, commit(t, l, lease, 2, 0, 2))
	assert.Equal(t, "3-0", s.mirrorOf(t).LastDeliveredID, "a late duplicate moves nothing")
	require.NoError(t, commit(t, l, lease, 4, 0, 4))
	assert.Equal(t, int64(0), s.mirrorOf(t).Lag)
	require.NoError(t, l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease, Position: position(1, 0, 1)}))
	assert.Equal(t, int64(3), s.mirrorOf(t).Lag)
}

func TestMirrorIsCreatedByACommitOnceTheStreamExists(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		l := s.leases()
		lease, _ := granted(t, l, "m1")
		require.NoError(t, commit(t, l, lease, 1, 0, 1))
		assert.Zero(t, s.Client.Exists(t.Context(), testSplit.Key).Val())
		assert.Empty(t, s.Field(t, testLease, "mirror"))
		s.Add(t, testSplit.Key, "1-0")
		s.Add(t, testSplit.Key, "2-0")
		require.NoError(t, commit(t, l, lease, 2, 0, 2))
		m := s.mirrorOf(t)
		if s.Embedded {
			assert.Nil(t, m, "no mirror rather than one that can't follow")
			return
		}
		assert.Equal(t, "2-0", m.LastDeliveredID)
		assert.Equal(t, "ours", s.Field(t, testLease, "mirror"))
	})
}

func TestMirrorNeverExceedsTheEndOfTheStream(t *testing.T) {
	s := onRedis(t)
	l := s.leases()
	s.Add(t, testSplit.Key, "5-0")
	lease, _ := granted(t, l, "m1")
	require.NoError(t, commit(t, l, lease, 9, 0, 3))
	assert.Equal(t, "5-0", s.mirrorOf(t).LastDeliveredID, "the stream was rolled back")
	assert.Equal(t, "9-0", s.Field(t, testLease, "offset"))
	require.NoError(t, s.Client.Del(t.Context(), testSplit.Key).Err())
	s.Add(t, testSplit.Key, "3-0")
	require.NoError(t, commit(t, l, lease, 10, 0, 4))
	assert.Equal(t, "3-0", s.mirrorOf(t).LastDeliveredID, "the stream was recreated, and the mirror with it")
}

func TestForeignGroupIsNotChangedAndCausesOneWarning(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.Add(t, testSplit.Key, "1-0")
		s.Add(t, testSplit.Key, "2-0")
		require.NoError(t, s.Client.XGroupCreate(t.Context(), testSplit.Key, "billing", "1-0").Err())
		var warnings []string
		l := NewLeases(
			s.Client,
			LeasesOptions{Topic: "orders", Group: "billing", Warn: func(split splits.Split, message string) {
				assert.Equal(t, testSplit, split)
				warnings = append(warnings, message)
			}},
		)
		lease, g := granted(t, l, "m1")
		assert.Equal(t, splits.Offset{}, g.Position.Offset, "its position is not ours")
		require.NoError(t, commit(t, l, lease, 2, 0, 2))
		lease, _ = granted(t, l, "m1")
		require.NoError(t, l.Reset(t.Context(), testTTL, splits.Commit{Lease: lease, Position: position(0, 0, 0)}))
		assert.Equal(t, "1-0", s.mirrorOf(t).LastDeliveredID)
		assert.Equal(t, "foreign", s.Field(t, testLease, "mirror"))
		require.Len(t, warnings, 1)
		assert.Contains(t, warnings[0], "orders:3")
		assert.Contains(t, warnings[0], "start_offset to group")
	})
}

func TestForeignGroupThatReplacedTheMirrorIsNotChanged(t *testing.T) {
	s := onRedis(t)
	l := s.leases()
	s.Add(t, testSplit.Key, "1-0")
	lease, _ := granted(t, l, "m1")
	require.NoError(t, commit(t, l, lease, 1, 0, 1))
	require.NoError(t, s.Client.XGroupDestroy(t.Context(), testSplit.Key, "billing").Err())
	require.NoError(t, s.Client.XGroupCreate(t.Context(), testSplit.Key, "billing", "0").Err())
	s.Add(t, testSplit.Key, "2-0")
	require.NoError(t, commit(t, l, lease, 2, 0, 2))
	assert.Equal(t, "0-0", s.mirrorOf(t).LastDeliveredID)
	assert.Equal(t, "foreign", s.Field(t, testLease, "mirror"))
}

func TestDestroyedMirrorIsCreatedAgain(t *testing.T) {
	s := onRedis(t)
	l := s.leases()
	s.Add(t, testSplit.Key, "1-0")
	lease, _ := granted(t, l, "m1")
	require.NoError(t, s.Client.XGroupDestroy(t.Context(), testSplit.Key, "billing").Err())
	require.NoError(t, commit(t, l, lease, 1, 0, 1))
	assert.Equal(t, "1-0", s.mirrorOf(t).LastDeliveredID)
}

func TestMirrorRestoresThePositionOfALostLease(t *testing.T) {
	s := onRedis(t)
	l := s.leases()
	for _, id := range []string{"1-0", "2-0", "3-0"} {
		s.Add(t, testSplit.Key, id)
	}
	lease, _ := granted(t, l, "m1")
	require.NoError(t, commit(t, l, lease, 2, 0, 2))
	require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
	for _, start := range []splits.Start{splits.Latest(), splits.Earliest(), splits.StartAt(splits.Offset{Millis: 3})} {
		g := claim(t, l, "m2", start)
		require.NoError(t, g.Err)
		assert.Equal(t, position(2, 0, 2), g.Position)
		assert.GreaterOrEqual(t, g.Epoch, lease.Epoch, "it begins again at the time")
		require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
	}
	require.NoError(t, s.Client.XGroupDestroy(t.Context(), testSplit.Key, "billing").Err())
	g := claim(t, l, "m3", splits.Latest())
	assert.Equal(t, position(3, 0, 3), g.Position, "without the mirror nothing is left of the group")
}

// read reads n entries with the mirror, as a client does that was not stopped.
func (s testServer) read(t *testing.T, n int64) {
	t.Helper()
	require.NoError(t, s.Client.XReadGroup(t.Context(), &redis.XReadGroupArgs{
		Group: "billing", Consumer: "another", Streams: []string{testSplit.Key, ">"}, Count: n, Block: -1,
	}).Err())
}

func TestSharedMirrorRestoresItsLowestPendingEntry(t *testing.T) {
	for name, test := range map[string]struct {
		ids   []string
		acked int
		want  splits.Offset // behind which the next member reads
	}{
		"nothing is acknowledged":     {[]string{"1-0", "2-0", "3-7"}, 0, splits.Offset{Millis: 1}.Prev()},
		"the first is acknowledged":   {[]string{"1-0", "2-1", "3-7"}, 1, splits.Offset{Millis: 2}},
		"all is acknowledged":         {[]string{"1-0", "2-0", "3-7"}, 3, splits.Offset{Millis: 3, Seq: 7}},
		"the lowest ends with zeros":  {[]string{"1-1000"}, 0, splits.Offset{Millis: 1, Seq: 999}},
		"the lowest begins a time":    {[]string{"100-0"}, 0, splits.Offset{Millis: 100}.Prev()},
		"the lowest is the first one": {[]string{"0-1"}, 0, splits.Offset{}},
		"the lowest is the greatest": {
			[]string{"18446744073709551615-18446744073709551615"},
			0,
			splits.Offset{Millis: 1<<64 - 1, Seq: 1<<64 - 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := onRedis(t)
			for _, id := range test.ids {
				s.Add(t, testSplit.Key, id)
			}
			_, _ = granted(t, s.leases(), "m1")
			s.read(t, 10)
			if test.acked > 0 {
				require.NoError(t, s.Client.XAck(t.Context(), testSplit.Key, "billing", test.ids[:test.acked]...).Err())
			}
			require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
			g := claim(t, s.leases(), "m2", splits.Latest())
			require.NoError(t, g.Err)
			assert.Equal(t, test.want, g.Position.Offset)
		})
	}
}

func TestSharedMirrorIsNotMovedAndCausesOneWarning(t *testing.T) {
	s := onRedis(t)
	for _, id := range []string{"1-0", "2-0", "3-0"} {
		s.Add(t, testSplit.Key, id)
	}
	var warnings []string
	l := NewLeases(s.Client, LeasesOptions{
		Topic: "orders", Group: "billing",
		Warn: func(_ splits.Split, message string) { warnings = append(warnings, message) },
	})
	lease, _ := granted(t, l, "m1")
	s.read(t, 2)
	require.NoError(t, commit(t, l, lease, 1, 0, 1))
	require.NoError(t, commit(t, l, lease, 3, 0, 3))
	assert.Equal(t, "2-0", s.mirrorOf(t).LastDeliveredID)
	assert.Equal(t, "shared", s.Field(t, testLease, "mirror"))
	require.Len(t, warnings, 1)
	assert.Contains(t, warnings[0], "another client reads with it")

	require.NoError(t, s.Client.XGroupDelConsumer(t.Context(), testSplit.Key, "billing", "another").Err())
	require.NoError(t, commit(t, l, lease, 3, 0, 3))
	assert.Equal(t, "3-0", s.mirrorOf(t).LastDeliveredID, "it follows again")
	assert.Equal(t, "ours", s.Field(t, testLease, "mirror"))
}

// A client that may not look at pending entries must not make the group skip them.
func TestSharedMirrorStartsAtTheFirstEntryWithoutXPENDING(t *testing.T) {
	server := redistest.Start(t)
	s := testServer{scripttest.Server{Client: server.Client(t)}}
	s.Add(t, testSplit.Key, "1-0")
	_, _ = granted(t, s.leases(), "m1")
	s.read(t, 1)
	require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
	rules := []any{"acl", "setuser", "u", "on", "nopass", "~*", "&*", "+@all", "-xpending"}
	require.NoError(t, s.Client.Do(t.Context(), rules...).Err())
	limited := server.Client(t, func(o *redis.Options) { o.Username, o.Password = "u", "any" })
	g := claim(t, testServer{scripttest.Server{Client: limited}}.leases(), "m2", splits.Latest())
	require.NoError(t, g.Err)
	assert.Equal(t, splits.Offset{}, g.Position.Offset)
}

func TestMirrorWithoutACountRestoresTheOffset(t *testing.T) {
	s := onRedis(t)
	l := s.leases()
	for _, id := range []string{"1-0", "2-0", "3-0"} {
		s.Add(t, testSplit.Key, id)
	}
	require.NoError(t, s.Client.XDel(t.Context(), testSplit.Key, "3-0").Err())
	lease, _ := granted(t, l, "m1")
	require.NoError(t, commit(t, l, lease, 2, 0, splits.CountUnknown))
	require.NoError(t, s.Client.Del(t.Context(), testLease).Err())
	_, g := granted(t, l, "m1")
	assert.Equal(t, position(2, 0, splits.CountUnknown), g.Position)
}

func TestRedisConsumerGroupHasTheUnescapedName(t *testing.T) {
	s := onRedis(t)
	s.Add(t, testSplit.Key, "1-0")
	l := NewLeases(s.Client, LeasesOptions{Topic: "orders", Group: "a:{b} %"})
	_, _ = granted(t, l, "m1")
	groups, err := s.Client.XInfoGroups(t.Context(), testSplit.Key).Result()
	require.NoError(t, err)
	require.Len(t, groups, 1)
	assert.Equal(t, "a:{b} %", groups[0].Name, "the native group is called like the group, unescaped")
}

func TestLeasesNeedNoPermissionForMirrorAndHints(t *testing.T) {
	server := redistest.Start(t)
	s := testServer{scripttest.Server{Client: server.Client(t)}}
	s.Add(t, testSplit.Key, "1-0")
	for user, rules := range map[string][]any{
		"plain":  {"+@all", "-xgroup", "-publish"},
		"strict": {"+@all", "-xgroup", "-publish", "-xinfo|groups", "-xinfo|consumers"},
	} {
		rules = append([]any{"acl", "setuser", user, "on", "nopass", "~*"}, rules...)
		require.NoError(t, s.Client.Do(t.Context(), rules...).Err())
		limited := testServer{
			scripttest.Server{
				Client: server.Client(t, func(o *redis.Options) { o.Username, o.Password = user, "any" }),
			},
		}
		l := limited.leases()
		lease, g := granted(t, l, user)
		assert.LessOrEqual(t, g.Position.EntriesRead, int64(1))
		require.NoError(t, commit(t, l, lease, 1, 0, 1))
		require.NoError(t, l.Release(t.Context(), []splits.Lease{lease})[0])
		assert.Nil(t, s.mirrorOf(t))
		view := beat(t, limited.group(), "m1")
		plan(t, limited.group(), view.Version, nil)
		require.NoError(t, limited.group().Leave(t.Context(), "m1"))
	}
}
