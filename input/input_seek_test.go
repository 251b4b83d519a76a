package input

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
	"github.com/rafka-streams/rafka/internal/redistest"
)

func seek(t *testing.T, client *redis.Client, to string) admin.SeekResult {
	t.Helper()
	sought, err := admin.New(client).SeekGroup(t.Context(), admin.Seek{Topic: "orders", Group: "g", To: to})
	require.NoError(t, err)
	return sought
}

func TestRunningInputFollowsASeek(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		for _, n := range numbers(10, 20) {
			require.NoError(
				t,
				client.XAdd(
					t.Context(),
					&redis.XAddArgs{Stream: "orders", ID: n + "-0", Values: []string{"body", n}},
				).Err(),
			)
		}
		in, journal := openInput(t, url, "")
		assert.Equal(t, numbers(10, 20), consume(t, in, 10))
		seek(t, client, "earliest")
		assert.Equal(t, numbers(10, 20), consume(t, in, 10))
		seek(t, client, "17")
		assert.Equal(t, numbers(17, 20), consume(t, in, 3))
		assert.Equal(
			t,
			"20-0",
			client.XAdd(
				t.Context(),
				&redis.XAddArgs{Stream: "orders", ID: "20-0", Values: []string{"body", "20"}},
			).Val(),
		)
		assert.Equal(t, numbers(20, 21), consume(t, in, 1))
		require.Eventually(
			t,
			func() bool { return committed(t, client, "orders") == "20-0" },
			time.Minute,
			10*time.Millisecond,
		)
		assert.Len(t, journal.Lines("level=INFO", "Group g of topic orders was moved", "partitions=0"), 2)
		assert.Empty(t, journal.Lines("level=WARN"))
		assert.Empty(t, journal.Lines("level=ERROR"))
	})
}

// A seek discards what an input has read ahead, and what it has handed out can no longer be
// committed.
func TestSeekOverridesBatchesInFlight(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "", numbers(0, 10)...)
	in, journal := openInput(t, server.URL(), "batch_size: 4")
	inFlight, err := next(patient(t), in)
	require.NoError(t, err)
	require.Len(t, inFlight.batch, 4)
	seek(t, client, "latest")
	require.Eventually(
		t,
		func() bool { return len(journal.Lines("Group g of topic orders was moved")) == 1 },
		time.Minute,
		10*time.Millisecond,
	)
	require.NoError(t, inFlight.ack(t.Context(), nil))
	write(t, client, "orders", "", "new")
	assert.Equal(t, []string{"new"}, consume(t, in, 1), "4 to 9 are passed over")
	assert.Empty(t, journal.Lines("lost"), "they are not logged as lost")
}

// on_data_loss: fail stops a partition until an operator moves the group.
func TestPartitionStoppedForLossContinuesAfterASeek(t *testing.T) {
	for name, c := range map[string]struct {
		lose func(t *testing.T, client *redis.Client)
		to   string
		want []string
	}{
		"trimmed": {func(t *testing.T, client *redis.Client) {
			t.Helper()
			write(t, client, "orders", "", numbers(10, 20)...)
			require.NoError(t, client.XTrimMaxLen(t.Context(), "orders", 3).Err())
		}, "earliest", numbers(17, 20)},
		"recreated": {func(t *testing.T, client *redis.Client) {
			t.Helper()
			require.NoError(t, client.Del(t.Context(), "orders").Err())
			require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{
				Stream: "orders", ID: "5-1", Values: []string{"body", "b"},
			}).Err())
			require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{
				Stream: "orders", ID: "6-1", Values: []string{"body", "c"},
			}).Err())
		}, "6-0", []string{"c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			client := server.Client(t)
			write(t, client, "orders", "", numbers(0, 10)...)
			before, _ := openInput(t, server.URL(), "")
			consume(t, before, 10)
			require.NoError(t, before.Close(context.Background()))
			c.lose(t, client)

			in, journal := closedInput(t, server.URL(), "on_data_loss: fail")
			silent(t, in, 2*time.Second)
			assert.NotEmpty(t, journal.Lines("on_data_loss is fail"))
			seek(t, client, c.to)
			assert.Equal(t, c.want, consume(t, in, len(c.want)))
			write(t, client, "orders", "", "after")
			assert.Equal(t, []string{"after"}, consume(t, in, 1))
			require.NoError(t, in.current().consumer.Await(patient(t)), "nothing is wrong any more")
		})
	}
}
