package admin

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
)

func TestListGroupsOfOneTopicAndOfAllTopics(t *testing.T) {
	onBothServers(t, func(t *testing.T, s testServer) {
		a := New(s.Client)
		for _, g := range [][2]string{{"orders", "b"}, {"orders", "a:{x}"}, {"{eu}:[o]*", "topic"}, {"orders2", "b"}} {
			beat(t, broker.NewGroup(s.Client, g[0], g[1]), "m1")
			beat(t, broker.NewGroup(s.Client, g[0], g[1]), "m2")
		}
		dead := redis.Z{Score: float64(s.Now(t) - 1), Member: "m2"}
		require.NoError(t, s.Client.ZAdd(t.Context(), keys.Members("orders", "b"), dead).Err())
		of := func(topic string) []GroupSummary {
			groups, err := a.ListGroups(t.Context(), topic)
			require.NoError(t, err)
			return groups
		}
		orders := []GroupSummary{
			{Topic: "orders", Group: "a:{x}", Type: "consumer", Members: 2},
			{Topic: "orders", Group: "b", Type: "consumer", Members: 1},
		}
		assert.Equal(t, orders, of("orders"))
		assert.Equal(t, append(orders, GroupSummary{Topic: "orders2", Group: "b", Type: "consumer", Members: 2},
			GroupSummary{Topic: "{eu}:[o]*", Group: "topic", Type: "consumer", Members: 2}), of(""))
		assert.Len(t, of("{eu}:[o]*"), 1, "the name is not a pattern")
		assert.Empty(t, of("nothing"))
	})
}
