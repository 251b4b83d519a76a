package output

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// durable are the arguments of a server that keeps all acknowledged writes.
var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

// collect reads the numbers in a topic's partitions. It requires each number from 0 to n-1 exactly
// once and, if inOrder, the numbers of each key in order.
func collect(t *testing.T, client *redis.Client, partitions, n, keys int, inOrder bool) {
	t.Helper()
	seen := make([]int, n)
	for p := range partitions {
		last := map[int]int{}
		for _, body := range bodies(t, client, fmt.Sprintf("orders:%d", p)) {
			i, err := strconv.Atoi(body)
			require.NoError(t, err)
			seen[i]++
			before, any := last[i%keys]
			require.True(t, !inOrder || !any || before < i, "key %d: %d came before %d", i%keys, before, i)
			last[i%keys] = i
		}
	}
	for i, times := range seen {
		require.Equal(t, 1, times, "number %d", i)
	}
}

func TestKilledRedisLosesNothingAndNothingIsWrittenTwice(t *testing.T) {
	server := redistest.Start(t, durable...)
	out, journal := openOutput(t, server, "partitions: 4\nkey: ${! @id }")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	const size, kills = 20, 3
	written := 0
	for kill := range kills {
		for range 30 {
			require.NoError(t, deliver(ctx, out, numbered(written, written+size, 10)))
			written += size
		}
		var restart sync.WaitGroup
		for batch := range 60 {
			if batch == 7*kill {
				restart.Go(func() {
					server.Kill(t)
					server.Restart(t)
				})
			}
			require.NoError(t, deliver(ctx, out, numbered(written, written+size, 10)))
			written += size
		}
		restart.Wait()
	}
	collect(t, server.Client(t), 4, written, 10, true)
	assert.LessOrEqual(t, len(journal.Lines("is being retried")), kills, "at most one line per outage")
	assert.Len(t, journal.Lines("works again"), len(journal.Lines("is being retried")), "and one per end")
}

func TestKilledRedisWithManyBatchesInFlight(t *testing.T) {
	server := redistest.Start(t, durable...)
	out, _ := openOutput(t, server, "partitions: 4\nkey: ${! @id }")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	const writers, batches, size = 16, 40, 5
	var connecting sync.Mutex // the engine connects from one goroutine at a time
	var all, restarts sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for b := range batches {
				from := (w*batches + b) * size
				batch := numbered(from, from+size, 10)
				for {
					err := out.WriteBatch(ctx, batch)
					if err == nil {
						break
					}
					if !assert.ErrorIs(t, err, service.ErrNotConnected) {
						return
					}
					connecting.Lock()
					err = reconnect(ctx, out)
					connecting.Unlock()
					if !assert.NoError(t, err) {
						return
					}
				}
			}
		})
	}
	restarts.Go(func() {
		for range 2 {
			server.Kill(t)
			server.Restart(t)
		}
	})
	all.Wait()
	restarts.Wait()
	collect(t, server.Client(t), 4, writers*batches*size, 10, false)
}

// If the reply to an append is missing and the engine passes the batch again, the append is not
// repeated as a new one, even if the batch has another key now.
func TestStalledBatchIsWrittenOnceAfterReconnect(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, journal := openOutput(t, server, shortTimeouts+"partitions: 4\nkey: ${! uuid_v4() }\nmax_message_bytes: '200'")
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 10, 1)))

	server.Pause(t)
	batch := append(numbered(10, 20, 1), message(fmt.Sprintf("%0200d", 1)))
	start := time.Now()
	require.ErrorIs(t, out.WriteBatch(t.Context(), batch), service.ErrNotConnected)
	assert.Greater(t, time.Since(start), stallCheckInterval)
	require.Error(t, out.Connect(t.Context()))
	server.Resume(t)
	require.NoError(t, reconnect(t.Context(), out))

	index := batch.Index()
	failed := failures(t, index, out.WriteBatch(t.Context(), batch))
	require.Len(t, failed, 1, "a message that failed before the outage still fails")
	assert.ErrorContains(t, failed[10], "max_message_bytes")
	collect(t, client, 4, 20, 1, false)
	assert.Len(t, journal.Lines("is being retried"), 1)
	assert.Len(t, journal.Lines("works again"), 1)
	assert.False(t, out.current().suspended.any())
}

func TestEqualBatchesAreEachWritten(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, shortTimeouts)
	server.Pause(t)
	results := make(chan error, 3)
	write := func() { results <- out.WriteBatch(t.Context(), service.MessageBatch{message("same")}) }
	for range 3 {
		go write() // joined below
	}
	for range 3 {
		require.ErrorIs(t, <-results, service.ErrNotConnected)
	}
	server.Resume(t)
	require.NoError(t, reconnect(t.Context(), out))
	for range 3 {
		go write() // joined below
	}
	for range 3 {
		require.NoError(t, <-results)
	}
	assert.Len(t, bodies(t, client, "orders"), 3)
}

// The retries of a batch do not run out during an outage. If they did, messages would be written
// twice or out of order.
func TestOutageLongerThanTheRetriesKeepsTheBatch(t *testing.T) {
	server := redistest.Start(t, durable...)
	set, err := construct(t, "url: "+server.URL()+"\nstream_name: orders\npartitions: 4\nkey: ${! @id }\n"+
		"backoff: {initial_interval: 20ms, max_interval: 100ms, max_elapsed_time: 1200ms}")
	require.NoError(t, err)
	out := newOutput(set, (&journal{}).Resources())
	t.Cleanup(func() { require.NoError(t, out.Close(context.Background())) })
	require.NoError(t, out.Connect(t.Context()))
	server.Kill(t)
	batch := numbered(0, 10, 10)
	require.ErrorIs(t, out.WriteBatch(t.Context(), batch), service.ErrNotConnected)
	for start := time.Now(); time.Since(start) < 1500*time.Millisecond; {
		require.Error(t, out.Connect(t.Context()))
	}
	server.Restart(t)
	require.NoError(t, reconnect(t.Context(), out))
	require.NoError(t, out.WriteBatch(t.Context(), batch))
	collect(t, server.Client(t), 4, 10, 10, true)
}

func TestUnknownTopicInAnOutageIsNotConnected(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, "stream_name: ${! @topic }")
	server.Kill(t)
	batch := service.MessageBatch{message("a", "topic", "new")}
	require.ErrorIs(t, out.WriteBatch(t.Context(), batch), service.ErrNotConnected)
	server.Restart(t)
	require.NoError(t, reconnect(t.Context(), out))
	require.NoError(t, out.WriteBatch(t.Context(), batch))
	assert.Len(t, bodies(t, server.Client(t), "new"), 1)
}

func TestTemporaryRejectionIsRetried(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "")
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 1, 1)))
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	done := make(chan error, 1)
	go func() { done <- deliver(t.Context(), out, numbered(1, 2, 1)) }() // joined below
	select {
	case err := <-done:
		t.Fatalf("a write without memory ended with %v", err)
	case <-time.After(1500 * time.Millisecond):
	}
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	require.NoError(t, <-done)
	assert.Equal(t, []string{"0", "1"}, bodies(t, client, "orders"))
}

func TestMessagesFailWhenRetriesEnd(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "max_retries: 3\nstream_name: orders-${! @id }")
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 1, 1)))
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	err := out.WriteBatch(t.Context(), numbered(1, 2, 1))
	require.ErrorContains(t, err, "gave up")
	require.ErrorContains(t, err, "maxmemory")
}

// When the append of an unused topic had been given up, no later outage was logged.
func TestEveryOutageIsLoggedAfterAnAppendWasGivenUp(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, journal := openOutput(t, server, "max_retries: 2\nstream_name: orders-${! @id }")
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 3, 3)))
	for id := range 3 {
		require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
		require.ErrorContains(t, out.WriteBatch(t.Context(), numbered(id, id+1, 3)), "gave up")
		require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "0").Err())
		assert.Eventually(
			t,
			func() bool { return len(journal.Lines("Retries of writing ended")) == id+1 },
			time.Minute,
			time.Millisecond,
		)
		assert.Len(t, journal.Lines("Writing fails and is being retried"), id+1)
	}
}

func TestCancelledWriteReturns(t *testing.T) {
	server := redistest.Start(t)
	out, _ := openOutput(t, server, shortTimeouts)
	server.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, out.WriteBatch(ctx, numbered(0, 1, 1)), context.DeadlineExceeded)
	server.Resume(t)
}
