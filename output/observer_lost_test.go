package output

import (
	"context"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/logtest"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// dumped is a copy of the keys of a partition and of its producers.
type dumped map[string]string

func dump(t *testing.T, client *redis.Client, patterns ...string) dumped {
	t.Helper()
	all := dumped{}
	for _, pattern := range patterns {
		keys, err := client.Keys(t.Context(), pattern).Result()
		require.NoError(t, err)
		require.NotEmpty(t, keys)
		for _, key := range keys {
			all[key], err = client.Dump(t.Context(), key).Result()
			require.NoError(t, err)
		}
	}
	return all
}

func (d dumped) restore(t *testing.T, client *redis.Client) {
	t.Helper()
	pipe := client.TxPipeline()
	for key, value := range d {
		pipe.RestoreReplace(t.Context(), key, 0, value)
	}
	_, err := pipe.Exec(t.Context())
	require.NoError(t, err)
}

// Redis loses acknowledged writes, as after a failover. The output reports the exact number of lost
// entries, whether it is in the same epoch or has begun another one since.
func TestAcknowledgedEntriesThatRedisLostAreCounted(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	closed, journal := closedOutput(t, server, "partitions: 1")
	counters := &logtest.Counters{}
	resources, err := counters.Resources(journal)
	require.NoError(t, err)
	out := newOutput(closed.settings, resources)
	t.Cleanup(func() { require.NoError(t, out.Close(context.Background())) })
	require.NoError(t, out.Connect(t.Context()))
	send := func(from, to int) {
		t.Helper()
		require.NoError(t, out.WriteBatch(t.Context(), numbered(from, to, 1)))
	}
	gaps := func() [2]int64 {
		return [2]int64{
			counters.Get("rafka_append_gaps_total topic=orders partition=0"),
			counters.Get("rafka_append_lost_entries_total topic=orders partition=0"),
		}
	}
	send(0, 3)
	old := dump(t, client, "orders:0", "rafka:*:producer:*")
	send(3, 7)
	send(7, 12)
	assert.Equal(t, [2]int64{0, 0}, gaps())
	old.restore(t, client)
	send(12, 14)
	assert.Equal(t, []string{"0", "1", "2", "12", "13"}, bodies(t, client, "orders:0"))
	require.Eventually(t, func() bool { return gaps() == [2]int64{1, 9} }, time.Minute, time.Millisecond, "%v", gaps())
	assert.Len(
		t,
		journal.Lines(
			"level=WARN",
			"orders:0",
			"lost exactly 9 acknowledged entries",
			"rafka_append_lost_entries_total",
		),
		1,
	)

	send(14, 20)
	old.restore(t, client)
	send(20, 21)
	assert.Equal(t, []string{"0", "1", "2", "20"}, bodies(t, client, "orders:0"))
	require.Eventually(t, func() bool { return gaps() == [2]int64{2, 17} }, time.Minute, time.Millisecond, "%v", gaps())
	assert.Len(t, journal.Lines("level=WARN"), 1, "one log line a minute")
	send(21, 30)
	assert.Equal(t, [2]int64{2, 17}, gaps())
}
