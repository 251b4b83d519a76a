package input

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/redistest"
)

// A message that keeps failing is logged within seconds, with the data needed to find and to skip
// it.
func TestMessageThatKeepsFailingIsReported(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	write(t, client, "orders", "ann", "bad")
	entries, err := client.XRange(t.Context(), "orders", "-", "+").Result()
	require.NoError(t, err)
	in, journal := openInput(t, server.URL(), "")
	const line = "keeps failing: offset "
	for began := time.Now(); len(journal.Lines(line)) == 0; {
		require.Less(t, time.Since(began), time.Minute, "no line about it")
		require.NoError(t, want(t, in, "bad").ack(t.Context(), errors.New("HTTP 422")))
	}
	lines := journal.Lines(line)
	require.Len(t, lines, 1, "once a minute")
	for _, part := range []string{
		"partition orders-0", entries[0].ID, "key=ann", "times alone", "HTTP 422",
		"Newer messages of the partition wait",
		"rafka group skip g --topic orders --partition 0 --offset " + entries[0].ID + " --yes",
	} {
		assert.Contains(t, lines[0], part)
	}
	accept(t, want(t, in, "bad"))
	assert.Len(t, journal.Lines("has been processed"), 1)
}

// Messages behind a failing message are processed up to max_ahead. Then the partition waits, and
// the log names the failing message.
func TestUnorderedPartitionWaitsAtItsBound(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(t)
	for i := range 40 {
		write(t, client, "orders", "", strconv.Itoa(i))
	}
	in, journal := openInput(
		t,
		server.URL(),
		"batch_size: 1\nlag_refresh_period: 100ms\nordering: none\nmax_ahead: 20",
	)
	first := want(t, in, "0")
	for i := 1; i < 20; i++ {
		accept(t, want(t, in, strconv.Itoa(i)))
	}
	silent(t, in, 200*time.Millisecond)
	const line = "Partition orders-0 waits: the message at offset "
	require.Eventually(t, func() bool { return len(journal.Lines(line)) > 0 }, time.Minute, 10*time.Millisecond)
	assert.Len(t, journal.Lines("max_ahead"), 1)
	accept(t, first)
	assert.Len(t, consume(t, in, 20), 20)
}
