package access

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/script/scripttest"
)

func TestLettersAreToldWhichKeyHasAnotherType(t *testing.T) {
	scripttest.OnBothServers(t, func(t *testing.T, s scripttest.Server) {
		require.NoError(t, CheckLetters(t.Context(), s.Client, "dead"))
		require.NoError(t, s.Client.Set(t.Context(), keys.IDs("dead"), "x", 0).Err())
		require.ErrorContains(t, CheckLetters(t.Context(), s.Client, "dead"), keys.IDs("dead"))
	})
}

// With exactly the required permissions, dead letters are written, and nothing else can be.
func TestLettersNeedExactlyTheirPermissions(t *testing.T) {
	for _, partitions := range []int{0, 3} {
		l := scripttest.StartLimited(t)
		if partitions > 0 {
			_, _, err := broker.NewTopics(l.Admin).Create(t.Context(), "dead", partitions)
			require.NoError(t, err)
		}
		rules, err := ACL{Role: RoleLetters, Topic: "dead", Minimal: true}.Rules()
		require.NoError(t, err)
		l.As(t, rules, func(client *redis.Client) {
			require.NoError(t, CheckLetters(t.Context(), client, "dead"))
			letters := broker.NewLetters(client, "dead")
			for range 2 { // with and without IDs
				letter := broker.Letter{Origin: broker.Origin{Topic: "orders", Offset: "1-1", Group: "g"}}
				require.NoError(t, letters.Write(t.Context(), letter))
			}
			require.Error(t, CheckWriter(t.Context(), client, "dead", 0))
			require.Error(t, CheckLetters(t.Context(), client, "orders"))
		})
	}
}
