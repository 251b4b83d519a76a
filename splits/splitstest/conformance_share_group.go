package splitstest

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

var shareGroupScenarios = []shareScenario{
	{"ShareFirstBeatAddsTheMember", func(s *shareScene) {
		view := s.join("a")
		assert.Equal(s, []string{"a"}, view.Members)
		assert.Equal(s, []splits.Split{s.plain()}, view.Splits)
		assert.Empty(s, view.Departed)
		assert.ElementsMatch(s, []string{"a", "b"}, s.join("b").Members)
	}},
	{"ShareBeatListsTheMembersOnlyIfTheyChanged", func(s *shareScene) {
		view := s.join("a")
		again := s.beat(splits.ShareBeat{Member: "a", TTL: long, Known: view.Version, Continues: true})
		assert.Equal(s, view.Version, again.Version)
		assert.Nil(s, again.Members)
		assert.Greater(s, s.join("b").Version, view.Version)
	}},
	{"ShareMemberWhoseSessionEndedIsGone", func(s *shareScene) {
		s.beat(splits.ShareBeat{Member: "a", TTL: short})
		s.join("b")
		s.eventually("the end of the session", func() bool {
			view := s.beat(splits.ShareBeat{Member: "b", TTL: long, Continues: true})
			return len(view.Members) == 1 && assert.Equal(s, []string{"a"}, view.Departed)
		})
		_, err := s.group.Beat(s.Context(), splits.ShareBeat{Member: "a", TTL: long, Continues: true})
		require.ErrorIs(s, err, splits.ErrGone)
		view := s.beat(splits.ShareBeat{Member: "b", TTL: long, Continues: true})
		assert.Equal(s, []string{"b"}, view.Members, "a name never comes back")
	}},
	{"ShareBeatAfterTheMembersWereLostIsGone", func(s *shareScene) {
		s.join("a")
		s.DropMembers(s.topic, theGroup)
		_, err := s.group.Beat(s.Context(), splits.ShareBeat{Member: "a", TTL: long, Continues: true, Rejoin: true})
		require.ErrorIs(s, err, splits.ErrGone)
		view := s.beat(splits.ShareBeat{Member: "b", TTL: long, Rejoin: true})
		assert.Equal(s, []string{"b"}, view.Members)
		assert.NotContains(s, view.Departed, "a", "the store does not know that its session ended")
	}},
	{"ShareGroupThatWasLostIsReadCompletely", func(s *shareScene) {
		s.SetPartitions(s.topic, 3)
		assert.Equal(s, 3, s.join("a").Initial)
		s.Flush(s.topic)
		s.SetPartitions(s.topic, 3)
		view := s.beat(splits.ShareBeat{Member: "b", TTL: long, Rejoin: true})
		assert.Zero(s, view.Initial)
		assert.Len(s, view.Splits, 3)
	}},
	{"ShareLeaverDeparts", func(s *shareScene) {
		s.join("a")
		s.join("b")
		require.NoError(s, s.group.Leave(s.Context(), "a"))
		require.NoError(s, s.group.Leave(s.Context(), "a"))
		view := s.beat(splits.ShareBeat{Member: "b", TTL: long, Continues: true})
		assert.Equal(s, []string{"b"}, view.Members)
		assert.Equal(s, []string{"a"}, view.Departed)
	}},
	{"ShareLeaverSendsAHint", func(s *shareScene) {
		s.join("a")
		hints := make(chan struct{}, 1)
		ctx, end := context.WithCancel(s.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.group.Wake(ctx, func() { notify(hints) }) }() // ends with the scenario
		hinted := func() bool {
			select {
			case <-hints:
				return true
			default:
				return false
			}
		}
		s.eventually("the hint of subscribing", hinted)
		require.NoError(s, s.group.Leave(s.Context(), "a"))
		s.eventually("the hint of leaving", hinted)
		end()
		assert.Error(s, <-ended)
	}},
	{"ShareMembersAreIncarnations", func(s *shareScene) {
		first, second := splits.Incarnation("m", 1, "x"), splits.Incarnation("m", 2, "x")
		view := s.beat(splits.ShareBeat{Member: "m", Owner: first, TTL: long})
		assert.Equal(s, []string{first}, view.Members)
		later := s.beat(splits.ShareBeat{Member: "m", Owner: second, TTL: long})
		assert.Greater(s, later.Version, view.Version)
		assert.Equal(s, []string{second}, later.Members)
		assert.Equal(s, []string{first}, later.Departed)
		_, err := s.group.Beat(s.Context(), splits.ShareBeat{Member: "m", Owner: first, TTL: long, Continues: true})
		var superseded *splits.SupersededError
		require.ErrorAs(s, err, &superseded)
		assert.Equal(s, second, superseded.By)
	}},
	{"ShareSupersededIncarnationIsGoneAfterTheLaterOne", func(s *shareScene) {
		first, second := splits.Incarnation("m", 1, "x"), splits.Incarnation("m", 2, "x")
		s.beat(splits.ShareBeat{Member: "m", Owner: first, TTL: long})
		s.beat(splits.ShareBeat{Member: "m", Owner: second, TTL: short})
		s.eventually("the end of the later session", func() bool {
			_, err := s.group.Beat(s.Context(), splits.ShareBeat{Member: "m", Owner: first, TTL: long, Continues: true})
			if _, superseded := errors.AsType[*splits.SupersededError](err); superseded {
				return false
			}
			require.ErrorIs(s, err, splits.ErrGone)
			return true
		})
	}},
	{"ShareNextIsTheEarliestDeadline", func(s *shareScene) {
		s.beat(splits.ShareBeat{Member: "a", TTL: long / 2})
		view := s.join("b")
		assert.LessOrEqual(s, view.Next, long/2)
		assert.Greater(s, view.Next, time.Duration(0))
	}},
}
