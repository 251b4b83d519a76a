package input

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/keys"
	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

const deleting = "group_type: share\ndelete_on_ack: true\nbatch_size: 7\n"

// awaitNothingPending waits until everything that was delivered from a stream is acknowledged.
func awaitNothingPending(t *testing.T, client *redis.Client, stream string) {
	t.Helper()
	require.Eventually(t, func() bool {
		return client.XPending(t.Context(), stream, "g").Val().Count == 0
	}, time.Minute, 10*time.Millisecond)
}

// awaitKept waits until as many messages of the plain stream are counted that were not deleted.
func awaitKept(t *testing.T, counters *logtest.Counters, want int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		return counters.Get("rafka_kept_entries_total topic=orders partition=0 group=g") == want
	}, time.Minute, 10*time.Millisecond)
}

func TestAcknowledgedMessagesAreDeleted(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		createTopic(t, client, 2)
		write(t, client, "orders:0", "", numbers(0, 50)...)
		write(t, client, "orders:1", "", numbers(50, 100)...)
		a, log := openInput(t, url, deleting)
		d, err := next(patient(t), a) // never acknowledged
		require.NoError(t, err)
		b, _ := openInput(t, url, deleting)
		rest := consume(t, b, 40)
		require.NoError(t, a.Close(context.Background()))
		rest = append(rest, consume(t, b, 100-len(rest))...)
		assert.ElementsMatch(t, numbers(0, 100), rest, "also the %d of the leaver", len(d.batch))
		for _, stream := range []string{"orders:0", "orders:1"} {
			require.Eventually(t, func() bool {
				return client.XLen(t.Context(), stream).Val() == 0
			}, time.Minute, 10*time.Millisecond, stream)
		}
		assert.Empty(t, log.Lines("stay in the stream"))
		assert.Empty(t, log.Lines("lost"))
	})
}

// Messages that were acknowledged while another group existed stay, the later ones do not.
func TestMessagesAreDeletedOnceNoOtherGroupReadsThem(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		write(t, client, "orders", "", numbers(0, 20)...)
		other, _ := openInput(t, url, "consumer_group: other")
		consume(t, other, 20)
		in, log, counters := countingInput(t, url, deleting)
		require.NoError(t, reconnect(patient(t), in))
		consume(t, in, 20)
		awaitNothingPending(t, client, "orders")
		awaitKept(t, counters, 20)
		assert.EqualValues(t, 20, client.XLen(t.Context(), "orders").Val())
		lines := log.Lines("stay in the stream")
		require.Len(t, lines, 1, "one a minute")
		assert.Contains(t, lines[0], "rafka group delete other --topic orders --yes")

		require.NoError(t, other.Close(context.Background()))
		require.NoError(t, client.SRem(t.Context(), keys.Groups("orders"), "other").Err())
		_ = client.XGroupDestroy(t.Context(), "orders", "other") // the embedded server has no mirror
		require.Eventually(t, func() bool {
			before := client.XLen(t.Context(), "orders").Val()
			write(t, client, "orders", "", "later")
			consume(t, in, 1)
			awaitNothingPending(t, client, "orders")
			return client.XLen(t.Context(), "orders").Val() == before
		}, time.Minute, 10*time.Millisecond, "a heartbeat reads the groups")
		awaitKept(t, counters, client.XLen(t.Context(), "orders").Val())
	})
}

func TestRedisGroupOfAnotherProgramKeepsMessages(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "", numbers(0, 20)...)
	require.NoError(t, client.XGroupCreate(t.Context(), "orders", "workers", "0").Err())
	in, log := openInput(t, server.URL(), deleting)
	consume(t, in, 20)
	awaitNothingPending(t, client, "orders")
	assert.EqualValues(t, 20, client.XLen(t.Context(), "orders").Val())
	require.NotEmpty(t, log.Lines("XGROUP DESTROY orders workers"))
}

func TestKeptMessagesAreLoggedOnceAMinute(t *testing.T) {
	var k kept
	now := time.Now()
	assert.Equal(t, 5, k.add(5, now))
	assert.Zero(t, k.add(2, now.Add(time.Second)))
	assert.Zero(t, k.add(3, now.Add(remindEvery-1)))
	assert.Equal(t, 9, k.add(4, now.Add(remindEvery)))
	assert.Zero(t, k.add(1, now.Add(remindEvery+1)))
}
