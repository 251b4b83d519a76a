package broker

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/splits"
)

// registered returns the groups of the topic of the tests.
func (s testServer) registered(t *testing.T) []string {
	t.Helper()
	names, err := s.Client.SMembers(t.Context(), keys.Groups("orders")).Result()
	require.NoError(t, err)
	return names
}

// sharing beats as a member of a share group of the topic.
func (s testServer) sharing(t *testing.T, group string, r *Registry) {
	t.Helper()
	_, err := NewShareGroup(s.Client, "orders", group, ReadGroups(r)).Beat(
		t.Context(), splits.ShareBeat{Member: "m", TTL: testTTL})
	require.NoError(t, err)
}

func TestFirstBeatRegistersTheGroup(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		for _, keep := range []bool{false, true} {
			group, _ := s.keepers(keep)
			beat(t, group, "m1")
			beat(t, group, "m2")
			assert.Equal(t, []string{"billing"}, s.registered(t))
			ttl := s.Client.PTTL(t.Context(), keys.Groups("orders")).Val()
			assert.Negative(t, ttl, "without an expiry, no policy volatile-* evicts it")
		}
		s.sharing(t, "sharers", NewRegistry())
		beat(t, NewGroup(s.Client, "other", "elsewhere"), "m1")
		assert.ElementsMatch(t, []string{"billing", "sharers"}, s.registered(t))
	})
}

// A group can be older than the registry, or the registry can be lost.
func TestBeatRegistersAGroupThatIsNotRegistered(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		lose := func() { require.NoError(t, s.Client.Del(t.Context(), keys.Groups("orders")).Err()) }
		group := s.group()
		beat(t, group, "m1")
		lose()
		beat(t, s.group(), "m2")
		assert.Equal(t, []string{"billing"}, s.registered(t), "the first heartbeat of a process looks")
		lose()
		beat(t, group, "m1")
		assert.Empty(t, s.registered(t), "a heartbeat of a known member costs nothing")
		group.registered = group.registered.Add(-registerEvery)
		beat(t, group, "m1")
		assert.Equal(t, []string{"billing"}, s.registered(t), "now and then it looks")
	})
}

// A member that was paused for a long time does not know that its group was deleted.
func TestBeatRegistersAGroupThatWasDeleted(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		group := s.group()
		beat(t, group, "m1")
		require.NoError(t, s.Client.Del(t.Context(), testPlan, testMembers, keys.Groups("orders")).Err())
		beat(t, group, "m1")
		assert.Equal(t, []string{"billing"}, s.registered(t))
	})
}

func TestRefusedBeatRegistersNothing(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		beat(t, s.group(), "m1")
		require.NoError(t, s.Client.Del(t.Context(), keys.Groups("orders")).Err())
		_, err := NewShareGroup(s.Client, "orders", "billing").Beat(
			t.Context(), splits.ShareBeat{Member: "m", TTL: testTTL})
		require.ErrorAs(t, err, new(*GroupTypeError))
		_, err = NewShareGroup(s.Client, "orders", "sharers").Beat(
			t.Context(), splits.ShareBeat{Member: "m", TTL: testTTL, Continues: true})
		require.ErrorIs(t, err, splits.ErrGone)
		s.Set(t, keys.Metadata("orders"), "partitions", "many")
		_, err = s.group().Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
		require.Error(t, err)
		assert.Empty(t, s.registered(t))
	})
}

func TestRegistryOfAnotherTypeIsReported(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		require.NoError(t, s.Client.Set(t.Context(), keys.Groups("orders"), "x", 0).Err())
		_, err := s.group().Beat(t.Context(), splits.Beat{Member: "m1", TTL: testTTL})
		require.ErrorContains(t, err, keys.Groups("orders"))
		assert.Zero(t, s.Client.Exists(t.Context(), testPlan, testMembers).Val(), "nothing is written")
	})
}

func TestRegistryKnowsTheGroupsByTheLastBeat(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		r := NewRegistry()
		assert.Zero(t, r.last())
		before := s.Now(t)
		s.sharing(t, "sharers", r)
		assert.Equal(t, []string{"sharers"}, r.last().groups)
		assert.GreaterOrEqual(t, r.last().at, before)
		assert.Equal(t, testTTL, r.last().valid)
		beat(t, s.group(), "m1")
		assert.Empty(t, r.last().others("sharers"))
		s.sharing(t, "sharers", r)
		assert.Equal(t, []string{"billing"}, r.last().others("sharers"))
	})
}

// The groups that are missing in a registry that was lost come back within a minute.
func TestLostRegistryIsNotBelievedAtFirst(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		r := NewRegistry()
		beat(t, s.group(), "m1")
		s.sharing(t, "sharers", r)
		require.NoError(t, s.Client.Del(t.Context(), keys.Groups("orders")).Err())
		known := r.last()
		for range 2 {
			s.sharing(t, "sharers", r)
			assert.Equal(t, known, r.last())
		}
		beat(t, s.group(), "m1")
		ago := s.Now(t) - groupsBack.Milliseconds() - 1
		s.Set(t, keys.Plan("orders", "sharers"), "registered_ms", ago)
		s.sharing(t, "sharers", r)
		assert.Equal(t, []string{"billing", "sharers"}, r.last().groups)
		assert.GreaterOrEqual(t, r.last().at, known.at)
	})
}

func TestFullServerRegistersGroupsThatItKnows(t *testing.T) {
	s := onRedis(t)
	beat(t, s.group(), "m1")
	require.NoError(t, s.Client.Del(t.Context(), keys.Groups("orders")).Err())
	require.NoError(t, s.Client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	require.ErrorContains(t, s.Client.Set(t.Context(), "new", "x", time.Hour).Err(), "OOM")
	beat(t, s.group(), "m1") // of a new process
	assert.Equal(t, []string{"billing"}, s.registered(t))
}
