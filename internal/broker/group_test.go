package broker

import (
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

var (
	testPlan    = keys.Plan("orders", "billing")
	testMembers = keys.Members("orders", "billing")
)

func (s testServer) group() *Group { return NewGroup(s.Client, "orders", "billing") }

// partitioned creates the topic of the tests with n partitions.
func (s testServer) partitioned(t *testing.T, n int) {
	t.Helper()
	s.Set(t, keys.Metadata("orders"), "partitions", n, "created_ms", 1)
}

func beat(t *testing.T, g *Group, member string) splits.View {
	t.Helper()
	view, err := g.Beat(t.Context(), splits.Beat{Member: member, TTL: testTTL})
	require.NoError(t, err)
	return view
}

// plan proposes a plan for the version, which must be the group's current version.
func plan(t *testing.T, g *Group, version uint64, assignments map[string][]int) {
	t.Helper()
	stored, err := g.Propose(t.Context(), splits.Plan{Version: version, Assignments: assignments})
	require.NoError(t, err)
	require.True(t, stored)
}

func TestFirstBeatCreatesTheGroup(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 3)
		before := s.Now(t)
		view := beat(t, s.group(), "m1")
		assert.GreaterOrEqual(
			t,
			view.Version,
			uint64(before*1000),
			"a time in microseconds: a version that was rolled back does not come again",
		)
		assert.Zero(t, view.Planned)
		assert.Nil(t, view.Plan)
		assert.Equal(t, []string{"m1"}, view.Members)
		assert.Equal(t, Topic{Name: "orders", Partitions: 3}.Splits(), view.Splits)
		assert.Equal(t, 3, view.Initial)
		assert.InDelta(t, testTTL, view.Next, float64(time.Second))
		assert.Equal(t, "consumer", s.Field(t, testPlan, "group_type"))
		for _, key := range []string{testPlan, testMembers} {
			assert.InDelta(t, unusedTTL, s.Client.PTTL(t.Context(), key).Val(), float64(time.Minute))
		}
		assert.Negative(t, s.Client.PTTL(t.Context(), keys.Metadata("orders")).Val(), "metadata never expire")
	})
}

func TestVersionRisesOnlyIfMembersOrPartitionsChange(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 2)
		g := s.group()
		first := beat(t, g, "m2")
		assert.Equal(t, first.Version, beat(t, g, "m2").Version, "nothing changed")
		second := beat(t, g, "m1")
		assert.Greater(t, second.Version, first.Version)
		assert.Equal(t, []string{"m1", "m2"}, second.Members)
		s.partitioned(t, 5)
		third := beat(t, g, "m1")
		assert.Greater(t, third.Version, second.Version)
		assert.Len(t, third.Splits, 5)
		assert.Equal(t, 2, third.Initial)
		require.NoError(t, g.Leave(t.Context(), "m2"))
		fourth := beat(t, g, "m1")
		assert.Greater(t, fourth.Version, third.Version)
		assert.Equal(t, []string{"m1"}, fourth.Members)
	})
}

func TestVersionRisesAfterTheClockStepsBack(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		ahead := beat(t, g, "m1").Version + 3_600_000_000
		s.Set(t, testPlan, "version", ahead)
		lost := beat(t, g, "m2").Version
		assert.Greater(t, lost, ahead)
		assert.LessOrEqual(t, lost, ahead+1_000_000)
		s.Set(t, testPlan, "version", ahead) // simulates a rollback
		assert.NotEqual(t, lost, beat(t, g, "m3").Version, "a version that was rolled back does not come again")
	})
}

func TestPlanIsSentToMembersThatDoNotHaveIt(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 4)
		g := s.group()
		view := beat(t, g, "m1")
		want := splits.Plan{Version: view.Version, Assignments: map[string][]int{"m1": {0, 1, 2, 3}}}
		plan(t, g, want.Version, want.Assignments)
		plan(t, g, want.Version, want.Assignments) // simulates a repeated request

		view = beat(t, g, "m1")
		assert.Equal(t, &want, view.Plan)
		assert.Equal(t, view.Version, view.Planned)
		assert.Empty(t, view.Members, "no member has to plan")
		view, err := g.Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL, Planned: want.Version})
		require.NoError(t, err)
		assert.Nil(t, view.Plan, "the caller has the plan")
		view, err = g.Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL, Planned: want.Version + 1})
		require.NoError(t, err)
		assert.NotNil(t, view.Plan, "the caller has a plan that the store lost")
	})
}

func TestProposalIsRejectedIfTheGroupChangedOrIsMissing(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		requireRejected := func(version uint64, assignments map[string][]int) {
			stored, err := g.Propose(t.Context(), splits.Plan{Version: version, Assignments: assignments})
			require.NoError(t, err)
			assert.False(t, stored)
		}
		requireRejected(1, nil)
		assert.Zero(t, s.Client.Exists(t.Context(), testPlan).Val())
		old := beat(t, g, "m1").Version
		view := beat(t, g, "m2")
		requireRejected(old, map[string][]int{"m1": {0}})
		assert.Zero(t, beat(t, g, "m1").Planned)
		plan(t, g, view.Version, map[string][]int{"m1": {0}, "m2": nil})
		requireRejected(view.Version, map[string][]int{"m1": nil, "m2": {0}}) // members would not notice it
		assert.Equal(t, []int{0}, beat(t, g, "m1").Plan.Assignments["m1"])
	})
}

func TestExpiredMembersAreDropped(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		beat(t, g, "m1")
		before := beat(t, g, "m2")
		now := float64(s.Now(t))
		require.NoError(t, s.Client.ZAdd(t.Context(), testMembers, redis.Z{Score: now + 5000, Member: "m2"}).Err())
		next := beat(t, g, "m1").Next // minus the time that has passed since
		assert.Positive(t, next)
		assert.LessOrEqual(t, next, 5*time.Second, "m2 expires next")
		require.NoError(t, s.Client.ZAdd(t.Context(), testMembers, redis.Z{Score: now - 1, Member: "m2"}).Err())
		view := beat(t, g, "m1")
		assert.Greater(t, view.Version, before.Version)
		assert.Equal(t, []string{"m1"}, view.Members)
	})
}

// silence moves all times back by an hour, as if no member had sent a heartbeat for an hour.
func (s testServer) silence(t *testing.T, members ...string) {
	t.Helper()
	past := s.Now(t) - time.Hour.Milliseconds()
	s.Set(t, testPlan, "last_beat", past)
	for _, m := range members {
		require.NoError(t, s.Client.ZAdd(t.Context(), testMembers, redis.Z{Score: float64(past), Member: m}).Err())
	}
}

func TestOutageDropsNoMemberIfTheCallerIsAMember(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		beat(t, g, "m1")
		version := beat(t, g, "m2").Version
		s.silence(t, "m1", "m2")
		view := beat(t, g, "m1")
		assert.Equal(t, version, view.Version, "no stampede")
		assert.Equal(t, []string{"m1", "m2"}, view.Members)

		s.silence(t, "m1", "m2")
		view = beat(t, g, "m3")
		assert.Equal(t, []string{"m3"}, view.Members, "a new process does not count expired members")
	})
}

func TestDeadlinesAreShortenedAfterTheClockStepsBack(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		beat(t, g, "m1")
		version := beat(t, g, "m2").Version
		ahead := s.Now(t) + time.Hour.Milliseconds()
		s.Set(t, testPlan, "last_beat", ahead)
		require.NoError(t, s.Client.ZAdd(t.Context(), testMembers, redis.Z{Score: float64(ahead), Member: "m2"}).Err())
		view := beat(t, g, "m1")
		assert.Equal(t, version, view.Version)
		deadline := s.Client.ZScore(t.Context(), testMembers, "m2").Val()
		assert.InDelta(t, s.Now(t)+testTTL.Milliseconds(), deadline, 2000)
	})
}

func TestGroupMakesANewPlanAfterItsPlanIsLost(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 4)
		g := s.group()
		view := beat(t, g, "m1")
		plan(t, g, view.Version, map[string][]int{"m1": {0, 1, 2, 3}})
		require.NoError(t, s.Client.Del(t.Context(), testPlan).Err())
		lost := beat(t, s.group(), "m2")
		assert.GreaterOrEqual(t, lost.Version, view.Version)
		assert.Zero(t, lost.Planned)
		assert.Equal(t, []string{"m1", "m2"}, lost.Members)
		assert.Equal(
			t,
			0,
			lost.Initial,
			"the group was there before: what it has no position of is read from its beginning",
		)
		plan(t, g, lost.Version, map[string][]int{"m1": {0, 1}, "m2": {2, 3}})
	})
}

func TestLostMembersReturnWithTheirHeartbeats(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		version := beat(t, g, "m1").Version
		require.NoError(t, s.Client.Del(t.Context(), testMembers).Err())
		view := beat(t, g, "m1")
		assert.Greater(t, view.Version, version)
		assert.Equal(t, []string{"m1"}, view.Members)
	})
}

func TestLeaveSucceedsTwiceAndWithoutAGroup(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		require.NoError(t, g.Leave(t.Context(), "m1"))
		assert.Empty(t, s.Client.Keys(t.Context(), "*").Val())
		beat(t, g, "m1")
		version := beat(t, g, "m2").Version
		require.NoError(t, g.Leave(t.Context(), "m1"))
		left := s.Field(t, testPlan, "version")
		require.NoError(t, g.Leave(t.Context(), "m1"))
		assert.Equal(t, left, s.Field(t, testPlan, "version"), "a replay changes nothing")
		n, err := strconv.ParseUint(left, 10, 64)
		require.NoError(t, err)
		assert.Greater(t, n, version)
	})
}

func TestGroupHandlesAThousandMembers(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		s.partitioned(t, 10_000)
		g := s.group()
		var view splits.View
		for i := range 1000 {
			view = beat(t, g, "rafka/host/"+strconv.Itoa(10_000+i))
		}
		assignments := map[string][]int{}
		for i, m := range view.Members {
			for p := i; p < 10_000; p += 1000 {
				assignments[m] = append(assignments[m], p)
			}
		}
		plan(t, g, view.Version, assignments)
		s.silence(t, view.Members...)
		view = beat(t, g, view.Members[0])
		assert.Equal(t, assignments, view.Plan.Assignments)
		assert.Len(t, view.Splits, 10_000)
		assert.Equal(t, view.Version, view.Planned, "grace for all of them")
	})
}
