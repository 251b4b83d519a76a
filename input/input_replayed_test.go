package input

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// replayed writes an entry that was replayed from dead letters for a group.
func replayed(t *testing.T, client *redis.Client, group, text string) {
	t.Helper()
	require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{
		Stream: "orders", Values: []string{"body", text, "rafka_replay_group", group},
	}).Err())
}

func TestMessagesReplayedForOtherGroupsArePassedOver(t *testing.T) {
	for name, fields := range map[string]string{"consumer": "", "share": "\ngroup_type: share"} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, url string, client *redis.Client) {
				replayed(t, client, "others", "a")
				replayed(t, client, "g", "b")
				write(t, client, "orders", "", "c")
				replayed(t, client, "others", "d")
				in, _ := openInput(t, url, fields)
				assert.Equal(t, []string{"b", "c"}, consume(t, in, 2))
				silent(t, in, 100*time.Millisecond)
				require.NoError(t, in.Close(t.Context()))
				again, _ := openInput(t, url, fields)
				silent(t, again, 100*time.Millisecond)
				write(t, client, "orders", "", "e")
				assert.Equal(t, []string{"e"}, consume(t, again, 1), "what was passed over was committed")
			})
		})
	}
}
