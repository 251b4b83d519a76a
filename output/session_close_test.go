package output

import (
	"context"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// Each run of an output left a key per partition in Redis for a day.
func TestCleanCloseLeavesOnlyEntries(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	states := func() []string { return client.Keys(t.Context(), "rafka:*:producer:*").Val() }
	out, _ := openOutput(t, server, "partitions: 4\nkey: ${! @id }")
	other, _ := openOutput(t, server, "partitions: 4\nkey: ${! @id }")
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 100, 20)))
	require.NoError(t, other.WriteBatch(t.Context(), numbered(0, 100, 20)))
	require.Len(t, states(), 8)
	require.NoError(t, out.Close(context.Background()))
	require.Eventually(
		t,
		func() bool { return len(states()) == 4 },
		time.Minute,
		time.Millisecond,
		"the keys of the other output stay",
	)
	require.NoError(t, other.WriteBatch(t.Context(), numbered(100, 200, 20)))
	require.NoError(t, other.Close(context.Background()))
	require.Eventually(t, func() bool { return len(states()) == 0 }, time.Minute, time.Millisecond)
	collected := 0
	for _, stream := range []string{"orders:0", "orders:1", "orders:2", "orders:3"} {
		collected += len(bodies(t, client, stream))
	}
	assert.Equal(t, 300, collected)
}

// A cancelled request can still be executed. Then Redis needs the key to reject it.
func TestCloseWithAnUnknownOutcomeKeepsTheProducerKey(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, shortTimeouts)
	require.NoError(t, out.WriteBatch(t.Context(), numbered(0, 1, 1)))
	server.Pause(t)
	batch := numbered(1, 2, 1)
	require.ErrorIs(t, out.WriteBatch(t.Context(), batch), service.ErrNotConnected, "the reply is missing")
	server.Resume(t)
	require.NoError(t, reconnect(t.Context(), out))
	require.NoError(t, out.WriteBatch(t.Context(), batch))
	require.NoError(t, out.Close(context.Background()))
	assert.Never(
		t,
		func() bool { return len(client.Keys(t.Context(), "rafka:*:producer:*").Val()) != 1 },
		100*time.Millisecond,
		10*time.Millisecond,
	)
	assert.Equal(t, []string{"0", "1"}, bodies(t, client, "orders"))
}

func TestStreamWithoutRemainingIDsIsNamed(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	out, _ := openOutput(t, server, "partitions: 2\npartitioner: manual\npartition: ${! @p }")
	require.NoError(
		t,
		client.Do(t.Context(), "XADD", "orders:1", "18446744073709551615-18446744073709551615", "f", "v").Err(),
	)
	batch := service.MessageBatch{message("a", "p", "0"), message("b", "p", "1")}
	index := batch.Index()
	failed := failures(t, index, out.WriteBatch(t.Context(), batch))
	require.Len(t, failed, 1)
	assert.ErrorContains(t, failed[1], "orders:1")
	assert.ErrorContains(t, failed[1], "use another `stream_name`")

	// /ready shows what Connect returns.
	require.ErrorIs(t, out.WriteBatch(t.Context(), batch[1:]), service.ErrNotConnected)
	require.ErrorContains(t, out.Connect(t.Context()), "orders:1")
	require.NoError(t, client.Del(t.Context(), "orders:1").Err())
	require.NoError(t, out.Connect(t.Context()))
	require.NoError(t, out.WriteBatch(t.Context(), batch[1:]))
	assert.Equal(t, []string{"b"}, bodies(t, client, "orders:1"))
}
