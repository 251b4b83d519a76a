package input

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

func TestAcksMayComeTwiceAndLate(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "", "a", "b", "c")
	in, _ := openInput(t, server.URL(), "batch_size: 1")
	first, err := next(patient(t), in)
	require.NoError(t, err)
	require.NoError(t, first.ack(t.Context(), nil))
	require.NoError(t, first.ack(t.Context(), errors.New("too late")))
	second, err := next(patient(t), in)
	require.NoError(t, err)
	assert.Equal(t, []string{"b"}, bodies(t, second.batch))
	require.NoError(t, first.ack(t.Context(), nil))
	silent(t, in, 100*time.Millisecond)
	require.NoError(t, second.ack(t.Context(), nil))
	assert.Equal(t, []string{"c"}, consume(t, in, 1))
}

// keyed writes entries whose keys are the first letters of their bodies.
func keyed(t *testing.T, client *redis.Client, texts ...string) {
	t.Helper()
	for _, text := range texts {
		write(t, client, "orders", text[:1], text)
	}
}

// reject returns the error of an output for the messages with these indexes.
func reject(d delivery, indexes ...int) error {
	err := service.NewBatchError(d.batch, errors.New("rejected"))
	for _, i := range indexes {
		err = err.Failed(i, errors.New("rejected"))
	}
	return err
}

func TestRejectedBatchIsSplitAtTheNamedMessages(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		keyed(t, client, "a1", "b1", "a2", "c1", "b2", "a3")
		in, _ := openInput(t, url, "batch_size: 6")
		d, err := next(patient(t), in)
		require.NoError(t, err)
		require.Len(t, d.batch, 6)
		keyed(t, client, "a4")
		require.NoError(t, d.ack(t.Context(), reject(d, 1)))

		bad := func(deliveries int, rest ...string) delivery {
			t.Helper()
			d := want(t, in, "b1")
			count, _ := d.batch[0].MetaGetMut("rafka_delivery_count")
			assert.Equal(t, deliveries, count)
			require.NoError(t, d.ack(t.Context(), errors.New("rejected")))
			return d
		}
		accept(t, want(t, in, "a1"))
		bad(1)                                   // the first delivery does not count: it was not alone
		accept(t, want(t, in, "a2", "c1", "a3")) // b2 waits for b1, which has the same key
		bad(2)
		accept(t, want(t, in, "b1"))
		accept(t, want(t, in, "b2"))
		assert.Equal(t, []string{"a4"}, consume(t, in, 1), "nothing newer came before")
	})
}

// want reads the next batch, which must have these bodies.
func want(t *testing.T, in *input, texts ...string) delivery {
	t.Helper()
	d, err := next(patient(t), in)
	require.NoError(t, err)
	require.Equal(t, texts, bodies(t, d.batch))
	return d
}

func accept(t *testing.T, d delivery) {
	t.Helper()
	require.NoError(t, d.ack(t.Context(), nil))
}

func TestErrorWithoutIndexesHalvesTheBatch(t *testing.T) {
	for name, failure := range map[string]func(delivery) error{
		"plain":   func(delivery) error { return errors.New("all of it") },
		"wrapped": func(delivery) error { return fmt.Errorf("wrapped: %w", errors.New("all of it")) },
		"empty":   func(d delivery) error { return service.NewBatchError(d.batch, errors.New("no place named")) },
		"all":     func(d delivery) error { return reject(d, 0, 1, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			keyed(t, server.Client(t), "a1", "b1", "a2")
			in, _ := openInput(t, server.URL(), "")
			d := want(t, in, "a1", "b1", "a2")
			require.NoError(t, d.ack(t.Context(), failure(d)))
			accept(t, want(t, in, "a1", "b1"))
			accept(t, want(t, in, "a2"))
		})
	}
}

// The engine gives the parts of a processor's result the contexts of other messages. So an error
// can name the wrong message, and no message may count as processed because of it.
func TestErrorThatNamesAWrongMessageLosesNothing(t *testing.T) {
	server := redistest.Start(t)
	keyed(t, server.Client(t), "a1", "b1", "c1", "d1")
	in, _ := openInput(t, server.URL(), "")
	d := want(t, in, "a1", "b1", "c1", "d1")
	require.NoError(t, d.ack(t.Context(), reject(d, 0))) // it was c1
	accept(t, want(t, in, "a1"))
	d = want(t, in, "b1", "c1", "d1")
	require.NoError(t, d.ack(t.Context(), reject(d, 0)))
	d = want(t, in, "b1", "c1") // the hint was wrong, so batches are halved from now on
	require.NoError(t, d.ack(t.Context(), reject(d, 0)))
	accept(t, want(t, in, "b1"))
	require.NoError(t, want(t, in, "c1").ack(t.Context(), errors.New("rejected")))
	accept(t, want(t, in, "d1"))
	accept(t, want(t, in, "c1"))
}

func TestErrorIsFoundInARegroupedBatch(t *testing.T) {
	server := redistest.Start(t)
	keyed(t, server.Client(t), "a1", "b1", "c1")
	in, _ := openInput(t, server.URL(), "")
	d := want(t, in, "a1", "b1", "c1")
	turned := service.MessageBatch{d.batch[2].Copy(), d.batch[0].Copy()}
	failure := service.NewBatchError(turned, errors.New("rejected")).Failed(0, errors.New("rejected"))
	require.NoError(t, d.ack(t.Context(), fmt.Errorf("wrapped: %w", failure)))
	accept(t, want(t, in, "a1", "b1"))
	accept(t, want(t, in, "c1"))
	silent(t, in, 200*time.Millisecond)
}

func TestWithoutReplayRejectedBatchesAreSkipped(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	keyed(t, client, "a1", "b1", "a2")
	in, journal := openInput(t, server.URL(), "auto_replay_nacks: false")
	d, err := next(patient(t), in)
	require.NoError(t, err)
	require.NoError(t, d.ack(t.Context(), reject(d, 0)))
	keyed(t, client, "z")
	assert.Equal(t, []string{"z"}, consume(t, in, 1))
	assert.Len(t, journal.Lines("Skipped a rejected batch of 3 messages of partition orders-0"), 1)
	require.NoError(t, in.Close(context.Background()))
	again, _ := openInput(t, server.URL(), "")
	silent(t, again, 200*time.Millisecond)
}

// Two messages of a partition wait for redelivery at the same time. Handing out one must not drop
// the other.
func TestUnorderedRedeliversEveryRejectedMessage(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "", "a", "b")
	in, _ := openInput(t, server.URL(), "batch_size: 1\nordering: none")
	failure := errors.New("rejected")
	a, b := want(t, in, "a"), want(t, in, "b")
	for range 4 { // each time b waits longer
		require.NoError(t, b.ack(t.Context(), failure))
		b = want(t, in, "b")
	}
	require.NoError(t, b.ack(t.Context(), failure))
	require.NoError(t, a.ack(t.Context(), failure))
	a = want(t, in, "a")
	b = want(t, in, "b")
	require.NoError(t, a.ack(t.Context(), nil))
	require.NoError(t, b.ack(t.Context(), nil))
}
