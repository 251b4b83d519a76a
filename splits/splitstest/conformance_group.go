package splitstest

import (
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// groupScenarios are about the members of a group.
var groupScenarios = []scenario{
	{"FirstBeatCreatesTheGroup", func(s *scene) {
		view := s.beat("a", long)
		assert.NotZero(s, view.Version)
		assert.Zero(s, view.Planned)
		assert.Equal(s, []string{"a"}, view.Members)
		assert.Nil(s, view.Plan)
	}},
	{"BeatRefreshesWithoutANewVersion", func(s *scene) {
		first := s.beat("a", long)
		assert.Equal(s, first.Version, s.beat("a", long).Version)
		s.beat("a", short)
		s.beat("a", long)
		s.pass(2 * short)
		view := s.beat("b", long)
		assert.Equal(s, []string{"a", "b"}, view.Members)
	}},
	{"JoiningRaisesTheVersion", func(s *scene) {
		var last uint64
		for _, member := range []string{"c", "a", "d", "b"} {
			version := s.beat(member, long).Version
			assert.Greater(s, version, last)
			last = version
		}
		assert.Equal(s, last, s.beat("a", long).Version)
	}},
	{"MembersAscend", func(s *scene) {
		for i, member := range []string{"b", "a10", "", "a9", "ä", "Z"} {
			s.beat(member, long+time.Duration(i)*time.Second) // their deadlines have another order
		}
		assert.Equal(s, []string{"", "Z", "a10", "a9", "b", "ä"}, s.beat("b", 10*long).Members)
	}},
	{"LeavingRaisesTheVersion", func(s *scene) {
		s.beat("a", long)
		joined := s.beat("b", long)
		require.NoError(s, s.group.Leave(s.Context(), "b"))
		view := s.beat("a", long)
		assert.Greater(s, view.Version, joined.Version)
		assert.Equal(s, []string{"a"}, view.Members)
	}},
	{"LeavingWithoutHavingJoinedIsNoError", func(s *scene) {
		require.NoError(s, s.group.Leave(s.Context(), "a"), "there is no group yet")
		view := s.beat("a", long)
		require.NoError(s, s.group.Leave(s.Context(), "b"))
		assert.Equal(s, view.Version, s.beat("a", long).Version)
	}},
	{"SilentMembersAreDropped", func(s *scene) {
		s.beat("a", long)
		joined := s.beat("b", long)
		s.beat("a", short)
		var view splits.View
		s.eventually("dropping a", func() bool {
			view = s.beat("b", long)
			return len(view.Members) == 1
		})
		assert.Equal(s, []string{"b"}, view.Members)
		assert.Greater(s, view.Version, joined.Version)
		back := s.beat("a", long)
		assert.Equal(s, []string{"a", "b"}, back.Members)
		assert.Greater(s, back.Version, view.Version)
	}},
	{"NextIsTheEarliestDeadline", func(s *scene) {
		s.requireNext(s.beat("a", 30*time.Second), 30*time.Second)
		s.requireNext(s.beat("b", 20*time.Second), 20*time.Second)
		s.requireNext(s.beat("a", 40*time.Second), 20*time.Second)
		s.requireNext(s.beat("b", 50*time.Second), 40*time.Second)
	}},
	// The store was unavailable, so the members could not beat. Removing all of them would move
	// every split.
	{"SilenceOfEverybodyIsForgiven", func(s *scene) {
		s.beat("a", long)
		joined := s.beat("b", long)
		s.beat("a", short)
		s.beat("b", short)
		s.pass(3 * short)
		view := s.beat("b", short)
		assert.Equal(s, []string{"a", "b"}, view.Members)
		assert.Equal(s, joined.Version, view.Version)
		s.eventually("dropping a", func() bool {
			view = s.beat("b", long) // a does not beat again
			return len(view.Members) == 1
		})
		assert.Greater(s, view.Version, joined.Version)
	}},
	{"NewcomerFindsTheDeadDead", func(s *scene) {
		s.beat("a", short)
		s.beat("b", short)
		s.pass(3 * short)
		assert.Equal(s, []string{"c"}, s.beat("c", short).Members)
	}},
	{"MembersMayJoinAtTheSameTime", func(s *scene) {
		var all sync.WaitGroup
		for i := range 20 {
			all.Go(func() {
				_, err := s.Group(
					s.topic,
					theGroup,
				).Beat(
					s.Context(),
					splits.Beat{Member: fmt.Sprint("m", i), TTL: long},
				)
				assert.NoError(s, err)
			})
		}
		all.Wait()
		assert.Len(s, s.beat("m0", long).Members, 20)
	}},
	{"GroupsAreIndependent", func(s *scene) {
		names := []string{"x:y", "x%3Ay", "{x}", "%7Bx%7D", "x y", "ä"}
		for _, name := range names {
			s.beatIn(s.Group(s.topic, name), splits.Beat{Member: "of " + name, TTL: long})
		}
		for _, name := range names {
			view := s.beatIn(s.Group(s.topic, name), splits.Beat{Member: "new", TTL: long})
			assert.ElementsMatch(s, []string{"new", "of " + name}, view.Members)
		}
	}},
	{"TopicsAreIndependent", func(s *scene) {
		s.beat("a", long)
		other := s.Group(s.Topic(), theGroup)
		assert.Equal(s, []string{"b"}, s.beatIn(other, splits.Beat{Member: "b", TTL: long}).Members)
	}},
	{"ChangesAreHinted", func(s *scene) {
		split := s.create(1)[0]
		w := s.wake()
		defer w.stop()
		var view splits.View
		w.requireHint("joining", func() { view = s.beat("a", long) })
		w.requireHint("a proposal", func() { require.True(s, s.propose(view.Version, map[string][]int{"a": {0}})) })
		lease, _ := s.claim("a", long, split)
		w.requireHint("a release", func() { require.NoError(s, s.release(lease)) })
		w.requireHint("leaving", func() { require.NoError(s, s.group.Leave(s.Context(), "a")) })
		w.requireHint("growing", func() {
			s.SetPartitions(s.topic, 2)
			s.beat("knock", long)
		})
	}},
	// A member that beats while its subscription is being made must not miss a change in between.
	{"SubscribingIsAHintItself", func(s *scene) {
		w := s.subscribe()
		defer w.stop()
		s.eventually("the first hint", w.hinted)
	}},
	{"EverySubscriberIsHinted", func(s *scene) {
		first, second := s.wake(), s.wake()
		defer first.stop()
		defer second.stop()
		first.requireHint("joining", func() {
			second.requireHint("joining", func() { s.beat("a", long) })
		})
	}},
}

// requireNext asserts that the earliest deadline is that far away, with a tolerance for slow
// machines.
func (s *scene) requireNext(view splits.View, want time.Duration) {
	s.Helper()
	assert.LessOrEqual(s, view.Next, want)
	assert.Greater(s, view.Next, want-9*time.Second)
}

// planScenarios are about the plan of a group.
var planScenarios = []scenario{
	{"ProposedPlanIsReturned", func(s *scene) {
		view := s.beat("a", long)
		plan := map[string][]int{"a": {0, 2, 10}, "rafka/é \"x\" %/1": {1}, "idle": {}}
		require.True(s, s.propose(view.Version, plan))
		next := s.beat("a", long)
		assert.Equal(s, view.Version, next.Version, "a plan does not change the version")
		assert.Equal(s, view.Version, next.Planned)
		assert.Empty(s, next.Members, "there is nothing to plan")
		s.requirePlan(next, view.Version, plan)
	}},
	{"KnownPlanIsNotReturned", func(s *scene) {
		view := s.beat("a", long)
		plan := map[string][]int{"a": {0}}
		require.True(s, s.propose(view.Version, plan))
		known := s.beatIn(s.group, splits.Beat{Member: "a", TTL: long, Planned: view.Version})
		assert.Nil(s, known.Plan)
		assert.Equal(s, view.Version, known.Planned)
		s.requirePlan(
			s.beatIn(s.group, splits.Beat{Member: "a", TTL: long, Planned: view.Version - 1}),
			view.Version,
			plan,
		)
	}},
	{"StalePlanIsReturnedBesideTheMembers", func(s *scene) {
		view := s.beat("a", long)
		plan := map[string][]int{"a": {0}}
		require.True(s, s.propose(view.Version, plan))
		next := s.beat("b", long)
		assert.Greater(s, next.Version, next.Planned)
		assert.Equal(s, view.Version, next.Planned)
		assert.Equal(s, []string{"a", "b"}, next.Members)
		s.requirePlan(next, view.Version, plan)
	}},
	{"ProposalLosesAgainstANewerVersion", func(s *scene) {
		old := s.beat("a", long)
		view := s.beat("b", long)
		assert.False(s, s.propose(old.Version, map[string][]int{"a": {0}}))
		next := s.beat("a", long)
		assert.Zero(s, next.Planned)
		assert.Nil(s, next.Plan)
		assert.False(s, s.propose(view.Version+1, map[string][]int{"a": {0}}), "nor is a version guessed")
		assert.True(s, s.propose(view.Version, map[string][]int{"b": {0}}))
		s.requirePlan(s.beat("a", long), view.Version, map[string][]int{"b": {0}})
	}},
	{"FirstPlanOfAVersionStays", func(s *scene) {
		view := s.beat("a", long)
		plan := map[string][]int{"a": {0}}
		require.True(s, s.propose(view.Version, plan))
		assert.False(
			s,
			s.propose(view.Version, map[string][]int{"a": {1}}),
			"who knows the first would never hear of it",
		)
		assert.True(s, s.propose(view.Version, plan), "the answer to the first may have been lost")
		s.requirePlan(s.beat("a", long), view.Version, plan)
	}},
	{"ProposalNeedsAGroup", func(s *scene) {
		assert.False(s, s.propose(0, map[string][]int{"a": {0}}))
		assert.False(s, s.propose(1, map[string][]int{"a": {0}}))
	}},
	{"NewerPlanReplacesTheOlder", func(s *scene) {
		first := s.beat("a", long)
		require.True(s, s.propose(first.Version, map[string][]int{"a": {0}, "gone": {1}}))
		second := s.beat("b", long)
		require.True(s, s.propose(second.Version, map[string][]int{"b": {0}}))
		view := s.beatIn(s.group, splits.Beat{Member: "a", TTL: long, Planned: first.Version})
		s.requirePlan(view, second.Version, map[string][]int{"b": {0}})
	}},
	{"LargePlanIsReturned", func(s *scene) {
		members := make([]string, 300)
		for i := range members {
			members[i] = fmt.Sprintf("rafka/host-%d/%d", i, i*i)
		}
		plan := splits.Assign(members, 12_000, nil)
		view := s.beat("a", long)
		require.True(s, s.propose(view.Version, plan))
		s.requirePlan(s.beat("a", long), view.Version, plan)
	}},
}
