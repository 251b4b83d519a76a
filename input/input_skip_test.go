package input

import (
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/rafka-streams/rafka/internal/admin"
)

// skip makes the group pass over the entry, or the first unread one.
func skip(t *testing.T, client *redis.Client, offset string) admin.SkipResult {
	t.Helper()
	skipped, err := admin.New(client).SkipEntry(t.Context(), admin.Skip{Topic: "orders", Group: "g", Offset: offset})
	require.NoError(t, err)
	return skipped
}

func TestRunningInputContinuesBehindASkippedMessage(t *testing.T) {
	onBoth(t, func(t *testing.T, url string, client *redis.Client) {
		write(t, client, "orders", "", "a", "bad", "b", "c")
		in, journal := openInput(t, url, "batch_size: 1")
		accept(t, want(t, in, "a"))
		bad := want(t, in, "bad")
		require.Eventually(
			t,
			func() bool { return committed(t, client, "orders") != "0-0" },
			time.Minute,
			time.Millisecond,
		)
		skipped := skip(t, client, "")
		assert.Equal(t, []string{"body", "bad"}, skipped.Entry.Fields[:2])
		const line = "A message of partition orders-0 was skipped by an operator"
		require.Eventually(
			t,
			func() bool { return len(journal.Lines("level=WARN", line)) == 1 },
			time.Minute,
			time.Millisecond,
		)
		require.NoError(t, bad.ack(t.Context(), errors.New("rejected")))
		assert.Equal(t, []string{"b", "c"}, consume(t, in, 2))
		silent(t, in, 100*time.Millisecond)
		assert.Empty(t, journal.Lines("Lost the leases"))
		assert.Empty(t, journal.Lines("level=ERROR"))
	})
}
