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

// keyed writes entries whose keys are the letters that their bodies begin with.
func keyed(t *testing.T, client *redis.Client, texts ...string) {
	t.Helper()
	for _, text := range texts {
		write(t, client, "orders", text[:1], text)
	}
}

// reject is what an output returns for the messages at these places.
func reject(d delivery, places ...int) error {
	err := service.NewBatchError(d.batch, errors.New("rejected"))
	for _, i := range places {
		err = err.Failed(i, errors.New("rejected"))
	}
	return err
}

func TestPartialFailureBringsBackTheFailedAndTheirSuccessorsFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		keyed(t, client, "a1", "b1", "a2", "c1", "b2", "a3")
		in, _ := openInput(t, url, "batch_size: 6")
		d, err := next(patient(t), in)
		require.NoError(t, err)
		require.Len(t, d.batch, 6)
		keyed(t, client, "a4")
		require.NoError(t, d.ack(t.Context(), reject(d, 1)))

		d, err = next(patient(t), in)
		require.NoError(t, err)
		assert.Equal(t, []string{"b1", "b2"}, bodies(t, d.batch), "the innocent are not sent twice")
		deliveries, _ := d.batch[0].MetaGetMut("rafka_delivery_count")
		assert.Equal(t, 2, deliveries)
		require.NoError(t, d.ack(t.Context(), reject(d, 0, 1)))

		d, err = next(patient(t), in)
		require.NoError(t, err)
		assert.Equal(t, []string{"b1", "b2"}, bodies(t, d.batch), "nothing newer before it")
		require.NoError(t, d.ack(t.Context(), nil))
		assert.Equal(t, []string{"a4"}, consume(t, in, 1))
	})
}

func TestErrorWithoutPlacesBringsBackTheWholeBatch(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	keyed(t, client, "a1", "b1", "a2")
	in, _ := openInput(t, server.URL(), "")
	for _, failure := range []func(delivery) error{
		func(delivery) error { return errors.New("all of it") },
		func(d delivery) error { return fmt.Errorf("wrapped: %w", errors.New("all of it")) },
		func(d delivery) error { return service.NewBatchError(d.batch, errors.New("no place named")) },
	} {
		d, err := next(patient(t), in)
		require.NoError(t, err)
		assert.Equal(t, []string{"a1", "b1", "a2"}, bodies(t, d.batch))
		require.NoError(t, d.ack(t.Context(), failure(d)))
	}
	assert.Equal(t, []string{"a1", "b1", "a2"}, consume(t, in, 3))
}

// Processors make other batches of what was read: the places are found through the messages.
func TestFailureIsFoundInABatchThatWasRegrouped(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	keyed(t, client, "a1", "b1", "c1")
	in, _ := openInput(t, server.URL(), "")
	d, err := next(patient(t), in)
	require.NoError(t, err)
	require.Len(t, d.batch, 3)
	turned := service.MessageBatch{d.batch[2].Copy(), d.batch[0].Copy()}
	failure := service.NewBatchError(turned, errors.New("rejected")).Failed(0, errors.New("rejected"))
	require.NoError(t, d.ack(t.Context(), fmt.Errorf("wrapped: %w", failure)))
	assert.Equal(t, []string{"c1"}, consume(t, in, 1))
	silent(t, in, 200*time.Millisecond)
}

func TestWithoutReplayRejectedMessagesArePassedOverAndCounted(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	keyed(t, client, "a1", "b1", "a2")
	in, journal := openInput(t, server.URL(), "auto_replay_nacks: false")
	d, err := next(patient(t), in)
	require.NoError(t, err)
	require.NoError(t, d.ack(t.Context(), reject(d, 0)))
	keyed(t, client, "z")
	assert.Equal(t, []string{"z"}, consume(t, in, 1))
	assert.Len(t, journal.Lines("Passed over 1 messages of partition orders-0"), 1)
	require.NoError(t, in.Close(context.Background()))
	again, _ := openInput(t, server.URL(), "")
	silent(t, again, 200*time.Millisecond)
}

// Two messages of a partition wait for their next delivery at once; handing out the one must not forget the other.
func TestUnorderedBringsBackEveryRejectedMessage(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "", "a", "b")
	in, _ := openInput(t, server.URL(), "batch_size: 1\nunordered_processing: {enabled: true}")
	want := func(body string) delivery {
		t.Helper()
		d, err := next(brief(t, 5*time.Second), in)
		require.NoError(t, err)
		assert.Equal(t, []string{body}, bodies(t, d.batch))
		return d
	}
	failure := errors.New("rejected")
	a, b := want("a"), want("b")
	for range 4 { // each time b waits longer
		require.NoError(t, b.ack(t.Context(), failure))
		b = want("b")
	}
	require.NoError(t, b.ack(t.Context(), failure))
	require.NoError(t, a.ack(t.Context(), failure))
	a = want("a")
	b = want("b")
	require.NoError(t, a.ack(t.Context(), nil))
	require.NoError(t, b.ack(t.Context(), nil))
}
