package broker

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/rediserr"
	"github.com/rafka-streams/rafka/splits"
)

func enroll(t *testing.T, g *Group, member string) (owner string, number uint64) {
	t.Helper()
	owner, err := g.Enroll(t.Context(), member, "X7")
	require.NoError(t, err)
	digits, unique, _ := strings.Cut(strings.TrimPrefix(owner, member+"/"), "-")
	assert.Equal(t, "X7", unique)
	number, err = strconv.ParseUint(digits, 10, 64)
	require.NoError(t, err)
	return owner, number
}

func TestEnrollUsesTheClockOfTheServer(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		before := s.Now(t)
		_, first := enroll(t, s.group(), "rafka/me")
		assert.GreaterOrEqual(t, first, uint64(before)*1000)
		assert.Less(t, first, uint64(before)*1000+uint64(time.Hour.Microseconds()))
		assert.Zero(t, s.Client.Exists(t.Context(), testPlan).Val(), "nothing is stored")
		_, second := enroll(t, s.group(), "rafka/me")
		assert.GreaterOrEqual(t, second, first)
	})
}

// After a failover to a server whose clock is behind, a new incarnation must still supersede the
// earlier incarnations.
func TestEnrollExceedsAnIncarnationOfAFasterClock(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		const ahead = 4_000_000_000_000_000
		s.Set(t, testPlan, "owner:rafka/me", splits.Incarnation("rafka/me", ahead, "Z"), "owner:rafka/you", "nonsense")
		owner, number := enroll(t, s.group(), "rafka/me")
		assert.EqualValues(t, ahead+1, number)
		_, err := s.group().Beat(t.Context(), splits.Beat{Member: "rafka/me", Owner: owner, TTL: testTTL})
		require.NoError(t, err)
		assert.Equal(t, owner, s.Field(t, testPlan, "owner:rafka/me"))
		_, number = enroll(t, s.group(), "rafka/you")
		assert.Less(t, number, uint64(ahead))
	})
}

func TestEnrollErrorNamesAKeyOfAnotherType(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		require.NoError(t, s.Client.Set(t.Context(), testPlan, "text", 0).Err())
		_, err := s.group().Enroll(t.Context(), "rafka/me", "X")
		assert.Equal(t, rediserr.ClassWrongType, rediserr.Classify(err), "%v", err)
		require.ErrorContains(t, err, testPlan)
	})
}

func TestIncarnationIsRemovedWithItsMember(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		g := s.group()
		for _, member := range []string{"rafka/left", "rafka/died", "rafka/lives"} {
			owner, _ := enroll(t, g, member)
			_, err := g.Beat(t.Context(), splits.Beat{Member: member, Owner: owner, TTL: testTTL})
			require.NoError(t, err)
		}
		require.NoError(t, g.Leave(t.Context(), "rafka/left"))
		require.NoError(
			t,
			s.Client.ZIncrBy(t.Context(), testMembers, -2*float64(testTTL.Milliseconds()), "rafka/died").Err(),
		)
		beat(t, g, "somebody")
		fields := s.Client.HKeys(t.Context(), testPlan).Val()
		assert.Contains(t, fields, "owner:rafka/lives")
		assert.NotContains(t, fields, "owner:rafka/left")
		assert.NotContains(t, fields, "owner:rafka/died")
		assert.NotContains(t, fields, "owner:somebody", "members that are not static have none")
	})
}
