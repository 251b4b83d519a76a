package input

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/broker"
	"github.com/rafka-streams/rafka/internal/redistest"
)

// fillTopic creates a topic and writes entries of the given size to each partition.
func fillTopic(t *testing.T, client *redis.Client, partitions, each, size int) {
	t.Helper()
	topic, _, err := broker.NewTopics(client).Create(t.Context(), "orders", partitions)
	require.NoError(t, err)
	body := strings.Repeat("x", size)
	for range each {
		for _, split := range topic.Splits() {
			require.NoError(
				t,
				client.XAdd(t.Context(), &redis.XAddArgs{Stream: split.Key, Values: []string{"body", body}}).Err(),
			)
		}
	}
}

// readUpTo acknowledges messages up to the message at the offset.
func readUpTo(t *testing.T, in *input, offset string) {
	t.Helper()
	for came := false; !came; {
		d, err := next(patient(t), in)
		if errors.Is(err, service.ErrNotConnected) {
			_ = in.Connect(patient(t)) // the error is in the log too
			continue
		}
		require.NoError(t, err)
		require.NoError(t, d.ack(t.Context(), nil))
		for _, m := range d.batch {
			at, _ := m.MetaGet(metaOffset)
			came = came || at == offset
		}
	}
}

// readAll acknowledges n messages and returns the time since the first attempt to connect.
func readAll(t *testing.T, in *input, n int, atMost time.Duration) time.Duration {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), atMost)
	defer cancel()
	began, got := time.Now(), 0
	for got < n {
		batch, ack, err := in.ReadBatch(ctx)
		if err != nil && ctx.Err() == nil {
			_ = in.Connect(ctx) // the error is in the log too
			continue
		}
		require.NoError(t, err, "after %d of %d messages in %s", got, n, atMost)
		require.NoError(t, ack(ctx, nil))
		got += len(batch)
	}
	return time.Since(began)
}

// Regression: a read that did not arrive within read_timeout was repeated with the same size
// forever. The network is three times slower than the default read_timeout allows, and read_timeout
// is three times longer, so that a pause of a second on a busy machine matters less.
func TestReadsOverASlowNetwork(t *testing.T) {
	const rate, fields = 2_500_000 / 3, "read_timeout: 15s"
	for name, c := range map[string]struct{ partitions, each, size int }{
		"16 partitions of 1 MB entries":  {16, 1, 1_000_000},
		"8 partitions of 3 MB entries":   {8, 1, 3_000_000},
		"64 partitions of 300 KB":        {64, 1, 300_000},
		"one partition of 2 MB entries":  {1, 10, 2_000_000},
		"16 partitions of small entries": {16, 1500, 1000},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			n, bytes := c.partitions*c.each, c.partitions*c.each*c.size
			fillTopic(t, server.Client(t, func(o *redis.Options) { o.PoolSize = 4 }), c.partitions, c.each, c.size)
			proxy := redistest.StartProxy(t, server.Addr())
			proxy.Throttle(rate)
			ideal := time.Duration(float64(bytes) / rate * float64(time.Second))
			began := time.Now()
			in, journal := openInput(t, proxy.URL(), fields)
			readAll(t, in, n, 10*ideal)
			took := time.Since(began)
			t.Logf("%.0f MB in %.1f s, %.2f times what the network needs; %.0f MB were sent",
				float64(bytes)/1e6, took.Seconds(), took.Seconds()/ideal.Seconds(), float64(proxy.Passed())/1e6)
			assert.Less(t, proxy.Passed(), 3*bytes, "little is sent twice, even on a busy machine")
			assert.Empty(t, journal.Lines("level=ERROR", ": reading "))
		})
	}
}

// A server closes the connection of a client whose reply is too large. One entry fits into a reply,
// sixteen do not.
func TestReadsThatExceedTheOutputBufferLimit(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1000, 100_000, 900_000} {
		t.Run(fmt.Sprintf("entries of %d bytes", size), func(t *testing.T) {
			server := redistest.Start(t, "--client-output-buffer-limit", "normal 1mb 0 0")
			const partitions = 16
			each := max(5, 1_000_000/size)
			fillTopic(t, server.Client(t), partitions, each, size)
			in, journal := openInput(t, server.URL(), "")
			began := time.Now()
			readAll(t, in, partitions*each, 20*time.Second)
			t.Logf("%d entries in %s", partitions*each, time.Since(began))
			assert.Empty(t, journal.Lines("level=ERROR", ": reading "))
		})
	}
}

// Regression: one entry that did not arrive stopped all partitions of its server.
func TestUnreadableEntryStopsOnlyItsPartition(t *testing.T) {
	for name, c := range map[string]struct {
		args   []string
		rate   int
		fields string
		want   []string
	}{
		"too slow": {rate: 2_500_000, fields: "read_timeout: 1s", want: []string{"raise `read_timeout`"}},
		"cut off": {
			args: []string{"--client-output-buffer-limit", "normal 4mb 0 0"},
			want: []string{"client-output-buffer-limit"},
		},
		"no second": {
			rate: 2_500_000, fields: "read_timeout: 1s\npool: {size: 1}", want: []string{"raise `read_timeout`"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, c.args...)
			client := server.Client(t)
			fillTopic(t, client, 8, 20, 1000)
			id, err := client.XAdd(t.Context(), &redis.XAddArgs{
				Stream: "orders:3", Values: []string{"body", strings.Repeat("x", 8_000_000)},
			}).Result()
			require.NoError(t, err)
			proxy := redistest.StartProxy(t, server.Addr())
			proxy.Throttle(c.rate)
			in, journal := openInput(t, proxy.URL(), c.fields)
			readAll(t, in, 8*20, time.Minute)
			stuck := slices.Concat(c.want, []string{
				"level=ERROR",
				"Stuck: partition 3 (orders:3) of topic orders",
				"the entry at offset " + id,
				"with 8000004 bytes",
			})
			require.Eventually(
				t,
				func() bool { return len(journal.Lines(stuck...)) > 0 },
				time.Minute,
				20*time.Millisecond,
				"%s",
				journal,
			)

			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan struct{})
			var slowest time.Duration // how long the busiest moment of the machine delayed an entry
			go func() {               // ends with ctx
				defer close(done)
				latest := time.Now()
				for i := 0; ctx.Err() == nil; i++ {
					if key := fmt.Sprintf("orders:%d", i%8); key != "orders:3" {
						if client.XAdd(ctx, &redis.XAddArgs{Stream: key, Values: []string{"body", "x"}}).Err() == nil {
							slowest, latest = max(slowest, time.Since(latest)), time.Now()
						}
					}
					time.Sleep(5 * time.Millisecond) // a slow, constant rate
				}
			}()
			var waits []time.Duration
			for began := time.Now(); time.Since(began) < 15*time.Second; {
				waits = append(waits, readAll(t, in, 1, time.Minute))
			}
			cancel()
			<-done
			if name != "no second" { // with one connection, each attempt to read the large entry delays the others
				slices.Sort(waits)
				// One wait is left to chance: a large entry that delays the others does so at each
				// attempt.
				assert.Less(t, waits[len(waits)-2], 2*time.Second+4*slowest, "of %d waits", len(waits))
			}
			assert.Empty(t, journal.Lines("cannot be reached"))

			proxy.Pass()
			_, err = client.ConfigSet(t.Context(), "client-output-buffer-limit", "normal 0 0 0").Result()
			require.NoError(t, err)
			readUpTo(t, in, id)
			require.Eventually(
				t,
				func() bool { return len(journal.Lines("Partition orders:3 available again")) > 0 },
				time.Minute,
				time.Millisecond,
			)
		})
	}
}
