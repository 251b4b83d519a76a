package splitstest

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/splits"
)

// topicScenarios are about the splits that a group sees.
var topicScenarios = []scenario{
	{"PlainTopicHasOneSplit", func(s *scene) {
		s.fill(s.plain(), 1)
		view := s.beat("a", long)
		assert.Equal(s, []splits.Split{{Topic: s.topic, Partition: 0, Key: s.topic}}, view.Splits)
		assert.Equal(s, 1, view.Initial)
	}},
	// Entries written to them after the group was created have to be read, whatever the start is.
	{"PlainTopicThatNobodyWroteToHasNoInitialSplit", func(s *scene) {
		view := s.beat("a", long)
		assert.Equal(s, []splits.Split{s.plain()}, view.Splits)
		assert.Zero(s, view.Initial)
		s.fill(s.plain(), 1)
		assert.Zero(s, s.beat("b", long).Initial)
	}},
	{"SplitsComeInTheOrderOfPartitions", func(s *scene) {
		all := s.create(12)
		view := s.beat("a", long)
		assert.Equal(s, all, view.Splits)
		assert.Equal(s, 12, view.Initial)
	}},
	{"GrowthRaisesTheVersionAndIsNotInitial", func(s *scene) {
		s.create(2)
		first := s.beat("a", long)
		require.True(s, s.propose(first.Version, map[string][]int{"a": {0, 1}}))
		grown := s.create(5)
		view := s.beat("a", long)
		assert.Greater(s, view.Version, first.Version)
		assert.Equal(s, grown, view.Splits)
		assert.Equal(s, 2, view.Initial)
		assert.Equal(s, []string{"a"}, view.Members)
		newcomer := s.beatIn(s.Group(s.topic, theGroup), splits.Beat{Member: "b", TTL: long})
		assert.Equal(s, grown, newcomer.Splits)
		assert.Equal(s, 2, newcomer.Initial)
	}},
	{"TopicMayBeCreatedAfterTheGroup", func(s *scene) {
		first := s.beat("a", long)
		all := s.create(1)
		view := s.beat("a", long)
		assert.Greater(s, view.Version, first.Version, "one split as before, but another one")
		assert.Equal(s, all, view.Splits)
		assert.Zero(s, view.Initial, "all partitions are newer than the group")
	}},
	{"GroupsHaveInitialSplitsOfTheirOwn", func(s *scene) {
		s.create(2)
		assert.Equal(s, 2, s.beat("a", long).Initial)
		s.create(3)
		later := s.Group(s.topic, "later")
		assert.Equal(s, 3, s.beatIn(later, splits.Beat{Member: "a", TTL: long}).Initial)
		assert.Equal(s, 2, s.beat("a", long).Initial)
	}},
	// After FLUSHALL all entries of the topic are new, and a start at the latest entry must not
	// skip them.
	{"RejoiningALostGroupReadsFromTheBeginning", func(s *scene) {
		all := s.create(3)
		before := s.beat("a", long)
		require.True(s, s.propose(before.Version, map[string][]int{"a": {0, 1, 2}}))
		s.pass(20 * time.Millisecond)
		s.Flush(s.topic)
		view := s.beatIn(s.group, splits.Beat{Member: "a", TTL: long, Planned: before.Version, Rejoin: true})
		assert.Equal(s, all, view.Splits, "a topic once seen partitioned is never taken for plain")
		assert.Zero(s, view.Initial)
		assert.Equal(s, []string{"a"}, view.Members)
		assert.Zero(s, view.Planned)
		assert.Nil(s, view.Plan)
		assert.Greater(s, view.Version, before.Version)

		newcomer := s.beatIn(s.Group(s.topic, theGroup), splits.Beat{Member: "b", TTL: long})
		assert.Equal(s, all, newcomer.Splits, "the group remembers for those who have not seen it")
		assert.Zero(s, newcomer.Initial)
		assert.Equal(s, newcomer.Version, s.beat("a", long).Version, "they agree")
	}},
	{"RejoiningALostPlainTopicReadsFromTheBeginning", func(s *scene) {
		s.fill(s.plain(), 1)
		assert.Equal(s, 1, s.beat("a", long).Initial)
		s.Flush(s.topic)
		s.fill(s.plain(), 1)
		view := s.beatIn(s.group, splits.Beat{Member: "a", TTL: long, Rejoin: true})
		assert.Equal(s, []splits.Split{s.plain()}, view.Splits)
		assert.Zero(s, view.Initial)
	}},
	{"RejoiningAGroupThatIsThereChangesNothing", func(s *scene) {
		s.create(2)
		first := s.beat("a", long)
		view := s.beatIn(s.group, splits.Beat{Member: "a", TTL: long, Rejoin: true})
		assert.Equal(s, first.Version, view.Version)
		assert.Equal(s, 2, view.Initial)
	}},
}
