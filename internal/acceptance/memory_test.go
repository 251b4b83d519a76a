package acceptance

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// outputBytes returns how many bytes the server has sent.
func outputBytes(t *testing.T, client *redis.Client) (n int) {
	t.Helper()
	info, err := client.Info(t.Context(), "stats").Result()
	require.NoError(t, err)
	_, rest, _ := strings.Cut(info, "total_net_output_bytes:")
	_, err = fmt.Sscan(rest, &n)
	require.NoError(t, err)
	return n
}

// Partitions are full of large entries while the pipeline first accepts none and then reads them.
// The amount that is read ahead is bounded, and there are few inspections of the streams, each of
// which also returns two entries, compared with the reads.
func TestMemoryAndTrafficOfLargeEntriesAreBounded(t *testing.T) {
	const partitions, each, size, ahead = 64, 4, 1_000_000, 20_000_000
	server := redistest.Start(t)
	client := server.Client(t)
	_, _, err := broker.NewTopics(client).Create(t.Context(), "large", partitions)
	require.NoError(t, err)
	body := strings.Repeat("x", size)
	for i := range partitions * each {
		require.NoError(t, client.XAdd(t.Context(), &redis.XAddArgs{
			Stream: fmt.Sprintf("large:%d", i%partitions), Values: []string{"body", body},
		}).Err())
	}
	before := outputBytes(t, client)
	gate := make(chan struct{})
	var got atomic.Int64
	consumer(t, service.GlobalEnvironment(), func(_ context.Context, b service.MessageBatch) error {
		<-gate
		got.Add(int64(len(b)))
		return nil
	}, "url: "+server.URL(), "stream_name: large\nconsumer_group: g\nread_timeout: 20s",
		"lag_refresh_period: 1h\nbatch_size: 1",
		fmt.Sprintf("fetch_max_bytes: %d", ahead))
	sent := 0
	require.Eventually(t, func() bool {
		was := sent
		sent = outputBytes(t, client) - before
		return sent >= ahead && sent-was < size // heartbeats continue
	}, 60*time.Second, time.Second, "nothing more is read when the buffers are full")
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	t.Logf("%d MB sent while the pipeline was blocked, %d MB in use", sent/1_000_000, stats.HeapAlloc/1_000_000)
	assert.Less(t, int(stats.HeapAlloc), ahead+partitions*size, "at most one read beyond the bound")
	close(gate)
	require.Eventually(t, func() bool { return got.Load() >= partitions*each }, 120*time.Second, 10*time.Millisecond)
	sent = outputBytes(t, client) - before
	t.Logf("%d MB sent in all, of %d MB of entries", sent/1_000_000, partitions*each*size/1_000_000)
	assert.Less(t, sent, 3*partitions*each*size)
}
