package input

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
	"github.com/rafka-streams/rafka/splits"
)

func TestReadsAPlainStreamInOrderAndCommits(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		write(t, client, "orders", "", numbers(0, 100)...)
		in, _ := openInput(t, url, "batch_size: 7")
		assert.Equal(t, numbers(0, 100), consume(t, in, 100))
		last, err := client.XRevRangeN(t.Context(), "orders", "+", "-", 1).Result()
		require.NoError(t, err)
		assert.Eventually(
			t,
			func() bool { return committed(t, client, "orders") == last[0].ID },
			time.Minute,
			10*time.Millisecond,
		)

		write(t, client, "orders", "", "later")
		assert.Equal(t, []string{"later"}, consume(t, in, 1))
		require.NoError(t, in.Close(context.Background()))

		again, _ := openInput(t, url, "")
		silent(t, again, 300*time.Millisecond)
	})
}

func TestReadsAllPartitionsOfATopic(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		createTopic(t, client, 4)
		for p := range 4 {
			write(t, client, fmt.Sprintf("orders:%d", p), "", numbers(100*p, 100*p+50)...)
		}
		in, _ := openInput(t, url, "batch_size: 8")
		last := map[any]splits.Offset{}
		seen := 0
		for seen < 200 {
			d, err := next(patient(t), in)
			require.NoError(t, err)
			partition, _ := d.batch[0].MetaGetMut("rafka_partition")
			for _, m := range d.batch {
				p, _ := m.MetaGetMut("rafka_partition")
				assert.Equal(t, partition, p, "a batch never mixes partitions")
				text, _ := m.MetaGet("rafka_offset")
				offset, err := splits.ParseOffset(text)
				require.NoError(t, err)
				assert.True(t, last[p].Before(offset))
				last[p] = offset
			}
			assert.LessOrEqual(t, len(d.batch), 8)
			seen += len(d.batch)
			require.NoError(t, d.ack(t.Context(), nil))
		}
		assert.Equal(t, 200, seen)
	})
}

func TestReadBeforeConnectIsNotConnected(t *testing.T) {
	in, _ := closedInput(t, "redis://127.0.0.1:1", "")
	_, _, err := in.ReadBatch(t.Context())
	require.ErrorIs(t, err, service.ErrNotConnected)
}

func TestReadBatchReturnsWhenItsContextEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, _ *redis.Client) {
		in, _ := openInput(t, url, "")
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 1)
		go func() { // joined below
			_, _, err := in.ReadBatch(ctx)
			result <- err
		}()
		select {
		case err := <-result:
			t.Fatalf("a read with nothing to hand out returned %v", err)
		case <-time.After(1500 * time.Millisecond): // the engine pauses after each return
		}
		cancel()
		require.ErrorIs(t, <-result, context.Canceled)
		quickest := time.Hour
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			go func() { // joined below
				_, _, err := in.ReadBatch(ctx)
				result <- err
			}()
			<-time.After(20 * time.Millisecond) // most of them wait now
			start := time.Now()
			cancel()
			require.ErrorIs(t, <-result, context.Canceled)
			quickest = min(quickest, time.Since(start))
		}
		assert.Less(t, quickest, 100*time.Millisecond)
	})
}

func TestIdleInputHandsOutImmediately(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		in, _ := openInput(t, url, "")
		consumeOne := func() {
			t.Helper()
			d, err := next(patient(t), in)
			require.NoError(t, err)
			require.NoError(t, d.ack(t.Context(), nil))
		}
		write(t, client, "orders", "", "warm up")
		consumeOne()
		bare := func() {
			_, err := client.XRead(
				t.Context(),
				&redis.XReadArgs{Streams: []string{"bare", "$"}, Block: time.Second},
			).Result()
			if !errors.Is(err, redis.Nil) { // on a busy machine the read can start too late
				assert.NoError(t, err)
			}
		}
		took := func(stream string, read func()) (all []time.Duration) {
			for range 20 {
				var reading sync.WaitGroup
				reading.Go(read)
				<-time.After(10 * time.Millisecond)
				start := time.Now()
				write(t, client, stream, "", "x")
				reading.Wait()
				all = append(all, time.Since(start))
			}
			slices.Sort(all)
			return all
		}
		ours, reference := took("orders", consumeOne), took("bare", bare)
		assert.Less(
			t,
			ours[len(ours)/2],
			50*time.Millisecond+4*reference[len(reference)/2],
			"%v, a bare client %v",
			ours,
			reference,
		)
	})
}

func TestCloseAtAnyTime(t *testing.T) {
	server := redistest.Start(t)
	in, _ := closedInput(t, server.URL(), "")
	require.NoError(t, in.Close(context.Background()), "before Connect")
	require.NoError(t, in.Close(context.Background()), "again")
	require.ErrorIs(t, in.Connect(t.Context()), service.ErrEndOfInput)
	_, _, err := in.ReadBatch(t.Context())
	require.ErrorIs(t, err, service.ErrNotConnected)

	in, _ = openInput(t, server.URL(), "")
	require.NoError(t, in.Close(context.Background()))
	require.NoError(t, in.Close(context.Background()), "again")
	_, _, err = in.ReadBatch(t.Context())
	require.ErrorIs(t, err, service.ErrEndOfInput)
	require.ErrorIs(t, in.Connect(t.Context()), service.ErrEndOfInput)
}

func TestCloseDuringABlockedReadWithOpenBatches(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		write(t, client, "orders", "", "a", "b")
		in, _ := openInput(t, url, "batch_size: 1"+endless)
		d, err := next(patient(t), in)
		require.NoError(t, err)
		result := make(chan error, 1)
		go func() { // joined below
			_, _, err := in.ReadBatch(t.Context())
			result <- err
		}()
		start := time.Now()
		var closing sync.WaitGroup
		for range 3 {
			closing.Go(func() { assert.NoError(t, in.Close(context.Background())) })
		}
		require.ErrorIs(t, <-result, service.ErrEndOfInput)
		closing.Wait()
		assert.Less(t, time.Since(start), promptly, "Close waits for no acknowledgement")

		require.NoError(t, d.ack(t.Context(), nil), "after Close")
		again, _ := openInput(t, url, "")
		assert.Equal(t, []string{"a", "b"}, consume(t, again, 2), "what was not acknowledged before Close comes again")
	})
}

func TestAcknowledgedJustBeforeCloseIsCommitted(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		write(t, client, "orders", "", numbers(0, 10)...)
		in, _ := openInput(t, url, "commit_period: 1h"+endless)
		consume(t, in, 10)
		require.NoError(t, in.Close(context.Background()))
		again, _ := openInput(t, url, "")
		start := time.Now()
		write(t, client, "orders", "", "10")
		assert.Equal(t, []string{"10"}, consume(t, again, 1))
		assert.Less(t, time.Since(start), promptly, "a member that left has no lease")
	})
}

func TestTwoInputsShareThePartitions(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		createTopic(t, client, 4)
		one, _ := openInput(t, url, "consumer_name: same"+endless)
		two, _ := openInput(t, url, "consumer_name: same"+endless)
		owned := func(in *input) int { return in.current().consumer.Owned() }
		require.Eventually(
			t,
			func() bool { return owned(one) == 2 && owned(two) == 2 },
			time.Minute,
			5*time.Millisecond,
		)
		for p := range 4 {
			write(t, client, fmt.Sprintf("orders:%d", p), "", numbers(10*p, 10*p+10)...)
		}
		all := append(consume(t, one, 20), consume(t, two, 20)...)
		slices.Sort(all)
		want := numbers(0, 40)
		slices.Sort(want)
		assert.Equal(t, want, all, "each message went to one of them")

		start := time.Now()
		require.NoError(t, one.Close(context.Background()))
		require.Eventually(t, func() bool { return owned(two) == 4 }, time.Minute, time.Millisecond)
		assert.Less(t, time.Since(start), promptly)
		silent(t, two, 200*time.Millisecond)
	})
}

func TestUnorderedHandsOutUpToItsLimit(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "", numbers(0, 20)...)
	in, _ := openInput(t, server.URL(), "batch_size: 2\nordering: none\ncheckpoint_limit: 6")
	var out []delivery
	for range 3 {
		d, err := next(patient(t), in)
		require.NoError(t, err)
		out = append(out, d)
	}
	silent(t, in, 200*time.Millisecond)
	require.NoError(t, out[2].ack(t.Context(), nil))
	d, err := next(patient(t), in)
	require.NoError(t, err)
	assert.Equal(t, []string{"6", "7"}, bodies(t, d.batch))
	require.NoError(t, in.Close(context.Background()))
	again, _ := openInput(t, server.URL(), "")
	rest := slices.Concat(numbers(0, 4), numbers(6, 20))
	assert.Equal(t, rest, consume(t, again, 18), "what was acknowledged behind the gap is not delivered again")
}

func TestConnectionTest(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right")
	for what, c := range map[string]struct{ fields, want string }{
		"good":           {"password: right", ""},
		"wrong password": {"password: hunter2", "password"},
		"no password":    {"", "set `password`"},
	} {
		t.Run(what, func(t *testing.T) {
			in, _ := closedInput(t, server.URL(), c.fields)
			results := in.ConnectionTest(t.Context())
			require.Len(t, results, 1)
			if c.want == "" {
				require.NoError(t, results[0].Err)
				return
			}
			require.ErrorContains(t, results[0].Err, c.want)
			assert.NotContains(t, results[0].Err.Error(), "hunter2")
		})
	}
	client := server.Client(t, func(o *redis.Options) { o.Password = "right" })
	require.NoError(t, client.Set(t.Context(), "orders", "in the way", 0).Err())
	in, _ := closedInput(t, server.URL(), "password: right")
	require.ErrorContains(t, in.ConnectionTest(t.Context())[0].Err, "rename or delete that key")
	server.Kill(t)
	require.ErrorContains(t, in.ConnectionTest(t.Context())[0].Err, "cannot be reached")
}
