package input

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestShareGroupReadsEachMessageOfAPlainStreamOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		write(t, client, "orders", "", numbers(0, 100)...)
		a, _ := openInput(t, url, "group_type: share\nbatch_size: 7")
		b, _ := openInput(t, url, "group_type: share\nbatch_size: 7")
		first := consume(t, a, 20)
		write(t, client, "orders", "", numbers(100, 150)...)
		rest := append(consume(t, b, 40), first...)
		require.NoError(t, b.Close(context.Background()))
		rest = append(rest, consume(t, a, 150-len(rest))...)
		assert.ElementsMatch(t, numbers(0, 150), rest)
		assert.Eventually(t, func() bool {
			return client.XPending(t.Context(), "orders", "g").Val().Count == 0
		}, time.Minute, 10*time.Millisecond)
	})
}

func TestShareMessagesOfALeaverAreTakenOver(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		createTopic(t, client, 2)
		write(t, client, "orders:0", "", numbers(0, 10)...)
		write(t, client, "orders:1", "", numbers(10, 20)...)
		a, _ := openInput(t, url, "group_type: share")
		for seen := 0; seen < 20; {
			d, err := next(patient(t), a) // never acknowledged
			require.NoError(t, err)
			seen += len(d.batch)
		}
		b, log := openInput(t, url, "group_type: share")
		require.NoError(t, a.Close(context.Background()))
		assert.ElementsMatch(t, numbers(0, 20), consume(t, b, 20))
		assert.NotEmpty(t, log.Lines("Took over"))
	})
}

func TestGroupTypeThatDiffersFromTheStoredOneIsExplained(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		write(t, client, "orders", "", "one")
		a, _ := openInput(t, url, "")
		consume(t, a, 1)
		b, _ := closedInput(t, url, "group_type: share")
		err := b.Connect(patient(t))
		require.ErrorContains(t, err, "group_type of this input is share: set group_type to consumer")
	})
}

// A config with dead_letter and without auto_replay_nacks is refused.
func TestFullMemberOfAShareGroupIsGivenRemediesThatWork(t *testing.T) {
	assert.Contains(t, (&settings{}).fullRemedy(), "to skip them, set auto_replay_nacks to false")
	assert.Contains(t, (&settings{}).fullRemedy(), "To give them up, set dead_letter.stream_name")
	assert.Equal(t, "Correct what makes the output reject them, or raise checkpoint_limit",
		(&settings{letters: "orders-dead"}).fullRemedy())
}
